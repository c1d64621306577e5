package dynamodbd

import "slices"

// actionKind is what an action of an update does.
type actionKind string

const (
	actionSet    actionKind = "SET"
	actionRemove actionKind = "REMOVE"
	actionAdd    actionKind = "ADD"
	actionDelete actionKind = "DELETE"
)

// action changes one place of a row.
type action struct {
	kind  actionKind
	path  path
	value *node // the right side of SET, the operand of ADD and DELETE; nil for REMOVE
}

// update is what an UpdateExpression, or AttributeUpdates, does to a row.
type update []action

func (u update) paths() []path {
	paths := make([]path, len(u))
	for i, a := range u {
		paths[i] = a.path
	}
	return paths
}

// apply gives the updated row. Every operand is read from the row as it was
// before; the row itself stays as it is.
func (u update) apply(old Item) (Item, error) {
	var sets []assignment
	var removals []path
	for _, a := range u {
		v, keep, err := a.evaluate(old)
		switch {
		case err != nil:
			return nil, err
		case keep:
			sets = append(sets, assignment{a.path, v})
		default:
			removals = append(removals, a.path)
		}
	}
	// Rising indexes: new elements of a list are appended in their order.
	slices.SortStableFunc(sets, func(a, b assignment) int { return b.path.compare(a.path) })
	slices.SortStableFunc(removals, path.compare)
	return assign(old, sets, removals)
}

type assignment struct {
	path  path
	value Value
}

func assign(it Item, sets []assignment, removals []path) (_ Item, err error) {
	for _, s := range sets {
		if it, err = s.path.set(it, s.value); err != nil {
			return nil, err
		}
	}
	for _, p := range removals {
		if it, err = p.remove(it); err != nil {
			return nil, err
		}
	}
	return it, nil
}

// evaluate gives the value to put at the action's path; keep is false if what
// is there is to be removed.
func (a action) evaluate(old Item) (v Value, keep bool, err error) {
	if a.kind == actionRemove {
		return Value{}, false, nil
	}
	operand, err := a.value.evaluate(old)
	if err != nil || a.kind == actionSet {
		return operand, true, err
	}
	current, found := a.path.find(old)
	switch {
	case !found:
		return operand, a.kind == actionAdd, nil
	case a.kind == actionAdd:
		v, err = sum(current, operand)
		return v, true, err
	case current.Kind != operand.Kind:
		return Value{}, false, errOperandType()
	default:
		rest := current.minus(operand)
		return rest, len(rest.Set) > 0, nil
	}
}

// sum adds numbers, unites sets and, for the legacy AttributeUpdates, appends
// lists.
func sum(current, operand Value) (Value, error) {
	switch {
	case current.Kind != operand.Kind:
		return Value{}, errOperandType()
	case current.Kind == KindNumber:
		return arithmetic("+", current, operand)
	case current.Kind == KindList:
		return Value{Kind: KindList, List: slices.Concat(current.List, operand.List)}, nil
	case current.isSet():
		return current.union(operand), nil
	}
	return Value{}, errOperandType()
}

func errOperandType() error {
	return invalid("An operand in the update expression has an incorrect data type")
}

func errNoAttribute() error {
	return invalid("The provided expression refers to an attribute that does not exist in the item")
}

// evaluate gives the value of the right side of a SET action.
func (n *node) evaluate(it Item) (Value, error) {
	switch {
	case n.kind == nodeValue:
		return n.value, nil
	case n.kind == nodePath:
		if v, ok := n.path.find(it); ok {
			return v, nil
		}
		return Value{}, errNoAttribute()
	case n.text == "if_not_exists":
		if v, ok := n.args[0].path.find(it); ok {
			return v, nil
		}
		return n.args[1].evaluate(it)
	}
	left, err := n.args[0].evaluate(it)
	if err != nil {
		return Value{}, err
	}
	right, err := n.args[1].evaluate(it)
	switch {
	case err != nil:
		return Value{}, err
	case n.kind == nodeArith:
		return arithmetic(n.text, left, right)
	case left.Kind != KindList || right.Kind != KindList:
		return Value{}, errOperandType()
	default: // list_append
		return Value{Kind: KindList, List: slices.Concat(left.List, right.List)}, nil
	}
}

func arithmetic(operator string, a, b Value) (Value, error) {
	if a.Kind != KindNumber || b.Kind != KindNumber {
		return Value{}, errOperandType()
	}
	right := number(b.Text)
	if operator == "-" {
		right = right.negate()
	}
	d, err := number(a.Text).add(right)
	return Value{Kind: KindNumber, Text: d.String()}, err
}
