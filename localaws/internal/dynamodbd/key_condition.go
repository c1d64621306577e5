package dynamodbd

// bounds gives the places that a key condition is about: from the first up to,
// and without, the second.
func (k keySchema) bounds(condition *node) (from, to string, err error) {
	byName := map[string]*node{}
	if err := k.collect(condition, byName); err != nil {
		return "", "", err
	}
	hash, onSort := byName[k.hash.name], byName[k.sort.name]
	switch {
	case hash == nil:
		return "", "", invalid("Query condition missed key schema element: %s", k.hash.name)
	case len(byName) > 2:
		return "", "", invalid("Conditions can be of length 1 or 2 only")
	case len(byName) == 2 && (onSort == nil || k.sort.name == ""):
		return "", "", invalid("Query condition missed key schema element: %s", k.sort.name)
	case hash.text != "=":
		return "", "", invalid("Query key condition not supported")
	}
	if err := k.hash.checkCondition(hash); err != nil {
		return "", "", err
	}
	prefix := k.partition(hash.args[1].value)
	if onSort == nil {
		return prefix, after(prefix), nil
	}
	if err := k.sort.checkCondition(onSort); err != nil {
		return "", "", err
	}
	from, to = sortBounds(prefix, onSort)
	return from, to, nil
}

// collect sorts the conditions by attribute. A comparison is turned so that the
// attribute is on the left.
func (k keySchema) collect(n *node, byName map[string]*node) error {
	switch {
	case n.kind == nodeAnd:
		if err := k.collect(n.args[0], byName); err != nil {
			return err
		}
		return k.collect(n.args[1], byName)
	case n.kind == nodeOr, n.kind == nodeNot, n.kind == nodeIn, n.kind == nodeCompare && n.text == "<>",
		n.kind == nodeCall && n.text != "begins_with":
		return invalid("Invalid operator used in KeyConditionExpression: %s", n.operator())
	}
	if n.kind == nodeCompare && n.args[0].kind == nodeValue {
		n = n.turned()
	}
	for _, arg := range n.args[1:] {
		if arg.kind == nodePath {
			return invalid("Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition")
		}
	}
	for _, arg := range n.args {
		if arg.kind == nodeCall {
			return invalid("KeyConditionExpressions cannot contain nested operations")
		}
	}
	attribute := n.args[0]
	switch {
	case attribute.kind != nodePath:
		return invalid("Invalid condition in KeyConditionExpression: No key attribute specified")
	case len(attribute.path) > 1:
		return invalid("Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: %s",
			attribute.path[0].name)
	case byName[attribute.path[0].name] != nil:
		return invalid("KeyConditionExpressions must only contain one condition per key")
	}
	byName[attribute.path[0].name] = n
	return nil
}

func (n *node) operator() string {
	switch n.kind {
	case nodeOr:
		return "OR"
	case nodeNot:
		return "NOT"
	default:
		return n.text
	}
}

// turned is the comparison with its sides changed.
func (n *node) turned() *node {
	text := n.text
	switch text {
	case "<":
		text = ">"
	case "<=":
		text = ">="
	case ">":
		text = "<"
	case ">=":
		text = "<="
	}
	return &node{kind: n.kind, text: text, args: []*node{n.args[1], n.args[0]}, at: n.at}
}

func (a keyAttribute) checkCondition(n *node) error {
	for _, arg := range n.args[1:] {
		v := arg.value
		if v.Kind != a.kind || n.text == "begins_with" && v.Kind == KindNumber {
			return invalidParam("Condition parameter type does not match schema type")
		}
		if v.Text == "" {
			return invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: %s",
				a.name)
		}
	}
	return nil
}

// sortBounds gives the places within a partition that a condition on the sort
// key is about.
func sortBounds(partition string, n *node) (from, to string) {
	at := partition + sortable(n.args[1].value)
	from, to = partition, after(partition)
	switch n.text {
	case "=":
		return at, after(at)
	case "<":
		to = at
	case "<=":
		to = after(at)
	case ">":
		from = after(at)
	case ">=":
		from = at
	case "begins_with":
		from = partition + sortablePrefix(n.args[1].value)
		to = after(from)
	default: // BETWEEN
		return at, after(partition + sortable(n.args[2].value))
	}
	return from, to
}
