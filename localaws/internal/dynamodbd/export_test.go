package dynamodbd

// Holds evaluates a condition without placeholders for names.
func Holds(condition string, values map[string]Value, it Item) (bool, error) {
	sc, err := newScope(expressionNames{ExpressionAttributeValues: values}, true)
	if err != nil {
		return false, err
	}
	n, err := parseCondition(clauseCondition, condition, sc)
	if err != nil {
		return false, err
	}
	return n.holds(it), nil
}

// Apply evaluates an update expression.
func Apply(expression string, names map[string]string, values map[string]Value, it Item) (Item, error) {
	sc, err := newScope(expressionNames{names, values}, true)
	if err != nil {
		return nil, err
	}
	u, err := parseUpdate(expression, sc)
	if err != nil {
		return nil, err
	}
	return u.apply(it)
}

// Number gives the stored form of a number.
func Number(text string) (string, error) {
	d, err := parseDecimal(text)
	return d.String(), err
}

// AddNumbers gives the stored form of a sum.
func AddNumbers(a, b string) (string, error) {
	d, err := number(a).add(number(b))
	return d.String(), err
}

// CompareNumbers orders two stored numbers, by value and as they are sorted in
// a table.
func CompareNumbers(a, b string) (byValue, byKey int) {
	x, y := Value{Kind: KindNumber, Text: a}, Value{Kind: KindNumber, Text: b}
	byValue, _ = x.compare(y)
	switch kx, ky := sortable(x), sortable(y); {
	case kx < ky:
		byKey = -1
	case kx > ky:
		byKey = 1
	}
	return byValue, byKey
}

// IsReserved says whether a word cannot be a name without #.
func IsReserved(word string) bool { return isReserved(word) }

// ReservedWords are all words, between blanks.
func ReservedWords() string { return reservedWords }
