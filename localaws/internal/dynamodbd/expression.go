package dynamodbd

// nodeKind tells the nodes of an expression tree apart.
type nodeKind int

const (
	nodePath    nodeKind = iota + 1 // operand: an attribute or a place within one
	nodeValue                       // operand: a literal
	nodeCall                        // text is the function; size and the functions of updates are operands
	nodeArith                       // operand of an update: text is + or -
	nodeCompare                     // text is one of = <> < <= > >=
	nodeBetween                     // args are operand, lower bound, upper bound
	nodeIn                          // args are operand and candidates
	nodeAnd
	nodeOr
	nodeNot
)

// node is a node of a condition, or of the right side of a SET action.
type node struct {
	kind   nodeKind
	text   string
	args   []*node
	path   path
	value  Value
	parens bool  // stood in parentheses
	at     token // for error answers
}

// isCondition says that the node is true or false, rather than an attribute
// value.
func (n *node) isCondition() bool {
	switch n.kind {
	case nodePath, nodeValue, nodeArith:
		return false
	case nodeCall:
		return functions(n.text).result == resultCondition
	default:
		return true
	}
}

// The results of functions.
const (
	resultUnknown = iota
	resultCondition
	resultOperand
	resultUpdate // an operand of update expressions only
)

// function describes a function of expressions.
type function struct {
	result    int
	arguments int
}

func functions(name string) function {
	switch name {
	case "attribute_exists", "attribute_not_exists":
		return function{resultCondition, 1}
	case "attribute_type", "begins_with", "contains":
		return function{resultCondition, 2}
	case "size":
		return function{resultOperand, 1}
	case "if_not_exists", "list_append":
		return function{resultUpdate, 2}
	}
	return function{}
}

// holds evaluates a condition for a row; a row that is not there is nil. No row
// makes it fail: what cannot be compared is not equal, and neither less nor
// greater.
func (n *node) holds(it Item) bool {
	switch n.kind {
	case nodeAnd:
		return n.args[0].holds(it) && n.args[1].holds(it)
	case nodeOr:
		return n.args[0].holds(it) || n.args[1].holds(it)
	case nodeNot:
		return !n.args[0].holds(it)
	case nodeCompare:
		return compareOperands(n.text, n.args[0].operand(it), n.args[1].operand(it))
	case nodeBetween:
		v := n.args[0].operand(it)
		return compareOperands(">=", v, n.args[1].operand(it)) && compareOperands("<=", v, n.args[2].operand(it))
	case nodeIn:
		v := n.args[0].operand(it)
		for _, candidate := range n.args[1:] {
			if compareOperands("=", v, candidate.operand(it)) {
				return true
			}
		}
		return false
	default:
		return n.callHolds(it)
	}
}

// operand evaluates an operand of a condition; nil if there is no such
// attribute.
func (n *node) operand(it Item) *Value {
	switch n.kind {
	case nodeValue:
		return &n.value
	case nodePath:
		if v, ok := n.path.find(it); ok {
			return &v
		}
		return nil
	default: // size
		return sizeOf(n.args[0].operand(it))
	}
}

func compareOperands(operator string, a, b *Value) bool {
	equal := a != nil && b != nil && a.equal(*b)
	switch operator {
	case "=":
		return equal
	case "<>":
		return !equal
	}
	if a == nil || b == nil {
		return false
	}
	order, ok := a.compare(*b)
	if !ok {
		return false
	}
	switch operator {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	default:
		return order >= 0
	}
}
