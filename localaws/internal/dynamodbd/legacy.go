package dynamodbd

import (
	"maps"
	"slices"
)

// expectation is a member of the legacy Expected parameter.
type expectation struct {
	Value              *Value
	Exists             *bool
	ComparisonOperator string
	AttributeValueList []Value
}

// legacyCondition gives the condition that Expected and ConditionalOperator
// stand for; nil if there is none.
func legacyCondition(expected map[string]expectation, operator string) (*node, error) {
	kind := nodeAnd
	switch {
	case operator != "" && len(expected) == 0:
		return nil, invalid("ConditionalOperator cannot be used without Filter or Expected")
	case operator == "OR":
		kind = nodeOr
	case operator != "" && operator != "AND":
		return nil, enumError(operator, "conditionalOperator", "OR, AND")
	}
	var all *node
	for _, name := range slices.Sorted(maps.Keys(expected)) {
		one, err := expected[name].condition(name)
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = one
		} else {
			all = &node{kind: kind, args: []*node{all, one}}
		}
	}
	return all, nil
}

func (e expectation) condition(name string) (*node, error) {
	switch {
	case e.ComparisonOperator != "" && e.Exists != nil:
		return nil, invalidParam("Exists and ComparisonOperator cannot be used together for Attribute: %s", name)
	case e.ComparisonOperator != "" && e.Value != nil:
		return nil, invalidParam("Value and ComparisonOperator cannot be used together for Attribute: %s", name)
	case e.ComparisonOperator != "":
		return e.comparison(name)
	case e.AttributeValueList != nil:
		return nil, invalidParam("AttributeValueList can only be used with a ComparisonOperator for Attribute: %s", name)
	case e.Value == nil && e.Exists == nil:
		return nil, invalidParam("Value must be provided when Exists is null for Attribute: %s", name)
	case e.Value == nil && *e.Exists:
		return nil, invalidParam("Value must be provided when Exists is true for Attribute: %s", name)
	case e.Value == nil:
		return attributeTest("attribute_not_exists", name), nil
	case e.Exists != nil && !*e.Exists:
		return nil, invalidParam("Value cannot be used when Exists is false for Attribute: %s", name)
	default:
		return attributeComparison("=", name, *e.Value), nil
	}
}

func (e expectation) comparison(name string) (*node, error) {
	want := 0
	if e.ComparisonOperator == "EQ" || e.ComparisonOperator == "NE" {
		want = 1
	}
	var n *node
	switch e.ComparisonOperator {
	case "EQ", "NE":
		if len(e.AttributeValueList) == 1 {
			n = attributeComparison(map[string]string{"EQ": "=", "NE": "<>"}[e.ComparisonOperator], name, e.AttributeValueList[0])
		}
	case "NULL":
		n = attributeTest("attribute_not_exists", name)
	case "NOT_NULL":
		n = attributeTest("attribute_exists", name)
	case "LE", "LT", "GE", "GT", "CONTAINS", "NOT_CONTAINS", "BEGINS_WITH", "IN", "BETWEEN":
		return nil, notSupported("Expected with ComparisonOperator " + e.ComparisonOperator)
	default:
		return nil, enumError(e.ComparisonOperator, "comparisonOperator",
			"IN, NULL, BETWEEN, LT, NOT_CONTAINS, EQ, GT, NOT_NULL, NE, LE, BEGINS_WITH, GE, CONTAINS")
	}
	if len(e.AttributeValueList) != want {
		return nil, invalidParam("Invalid number of argument(s) for the %s ComparisonOperator", e.ComparisonOperator)
	}
	return n, nil
}

func attributeTest(function, name string) *node {
	return &node{kind: nodeCall, text: function, args: []*node{{kind: nodePath, path: path{{name: name}}}}}
}

func attributeComparison(operator, name string, v Value) *node {
	return &node{kind: nodeCompare, text: operator, args: []*node{
		{kind: nodePath, path: path{{name: name}}},
		{kind: nodeValue, value: v},
	}}
}

// attributeUpdate is a member of the legacy AttributeUpdates parameter.
type attributeUpdate struct {
	Action string
	Value  *Value
}

// legacyUpdate gives the update that AttributeUpdates stands for.
func legacyUpdate(updates map[string]attributeUpdate) (update, error) {
	var actions update
	for _, name := range slices.Sorted(maps.Keys(updates)) {
		a, err := updates[name].action()
		if err != nil {
			return nil, err
		}
		a.path = path{{name: name}}
		actions = append(actions, a)
	}
	return actions, nil
}

func (u attributeUpdate) action() (action, error) {
	if u.Value == nil {
		if u.Action != "DELETE" {
			return action{}, invalidParam("Only DELETE action is allowed when no attribute value is specified")
		}
		return action{kind: actionRemove}, nil
	}
	a := action{value: &node{kind: nodeValue, value: *u.Value}}
	switch u.Action {
	case "", "PUT":
		a.kind = actionSet
		return a, nil
	case "ADD":
		a.kind = actionAdd
		if u.Value.Kind == KindNumber || u.Value.Kind == KindList || u.Value.isSet() {
			return a, nil
		}
	case "DELETE":
		a.kind = actionDelete
		if u.Value.isSet() {
			return a, nil
		}
	default:
		return action{}, enumError(u.Action, "attributeUpdates.action", "ADD, DELETE, PUT")
	}
	return action{}, invalidParam("%s action is not supported for the type %s", u.Action, typeName(u.Value.Kind))
}

// enumError refuses a value that is not one of those a parameter has.
func enumError(value, parameter, values string) error {
	return invalid("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: "+
		"Member must satisfy enum value set: [%s]", value, parameter, values)
}
