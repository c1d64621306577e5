package dynamodbd

import (
	"fmt"
	"strings"
)

// checkOperands refuses what can be seen to be wrong in a condition before any
// row is looked at.
func (p *parser) checkOperands(n *node) error {
	for _, arg := range n.args {
		if err := p.checkOperands(arg); err != nil {
			return err
		}
	}
	switch n.kind {
	case nodeCompare:
		if err := p.checkDistinct(n); err != nil {
			return err
		}
		return p.checkOrdered(n)
	case nodeBetween:
		return p.checkBounds(n)
	case nodeCall:
		return p.checkCall(n)
	default:
		return nil
	}
}

// checkDistinct refuses to compare a path with itself.
func (p *parser) checkDistinct(n *node) error {
	if n.args[0].kind == nodePath && n.args[1].kind == nodePath && n.args[0].path.compare(n.args[1].path) == 0 {
		return p.refuse("The first operand must be distinct from the remaining operands for this operator or function; "+
			"operator: %s, first operand: %s", n.text, n.args[0].path)
	}
	return nil
}

// checkOrdered refuses literals that have no order.
func (p *parser) checkOrdered(n *node) error {
	if n.text == "=" || n.text == "<>" {
		return nil
	}
	for _, arg := range n.args {
		if arg.kind == nodeValue && !arg.value.ordered() {
			return p.badOperand(n.text, string(arg.value.Kind))
		}
	}
	return nil
}

func (p *parser) badOperand(operator, kind string) error {
	return p.refuse("Incorrect operand type for operator or function; operator or function: %s, operand type: %s", operator, kind)
}

func (p *parser) checkBounds(n *node) error {
	if err := p.checkOrdered(n); err != nil {
		return err
	}
	low, high := n.args[1], n.args[2]
	if low.kind != nodeValue || high.kind != nodeValue {
		return nil
	}
	var problem string
	switch order, ok := low.value.compare(high.value); {
	case !ok:
		problem = "same data type for lower and upper bounds"
	case order > 0:
		problem = "upper bound to be greater than or equal to lower bound"
	default:
		return nil
	}
	return p.refuse("The BETWEEN operator requires %s; lower bound operand: %s, upper bound operand: %s",
		problem, low.value.describe(), high.value.describe())
}

// describe is how error answers spell a literal.
func (v Value) describe() string { return fmt.Sprintf("AttributeValue: {%s:%s}", v.Kind, v.Text) }

func (p *parser) checkCall(n *node) error {
	first := n.args[0]
	switch n.text {
	case "attribute_exists", "attribute_not_exists", "if_not_exists":
		if first.kind != nodePath {
			return p.refuse("Operator or function requires a document path; operator or function: %s", n.text)
		}
	case "size":
		if first.kind == nodeValue && sizeOf(&first.value) == nil {
			return p.badOperand(n.text, string(first.value.Kind))
		}
	case "begins_with":
		for _, arg := range n.args {
			if arg.kind == nodeValue && arg.value.Kind != KindString && arg.value.Kind != KindBinary {
				return p.badOperand(n.text, string(arg.value.Kind))
			}
		}
		return p.checkDistinct(n)
	case "contains":
		return p.checkDistinct(n)
	case "attribute_type":
		return p.checkType(n)
	}
	return nil
}

// checkType wants the name of a type, as a literal.
func (p *parser) checkType(n *node) error {
	name := n.args[1]
	if name.kind != nodeValue || name.value.Kind != KindString {
		return p.badOperand(n.text, string(name.value.Kind))
	}
	const types = "B,NULL,SS,BOOL,L,BS,N,NS,S,M"
	if strings.Contains(name.value.Text, ",") || !strings.Contains(","+types+",", ","+name.value.Text+",") {
		return p.refuse("Invalid attribute type name found; type: %s, valid types: {%s}", name.value.Text, types)
	}
	return nil
}
