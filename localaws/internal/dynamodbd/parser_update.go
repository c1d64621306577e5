package dynamodbd

// parseUpdate reads an update expression.
func parseUpdate(src string, sc *scope) (update, error) {
	p, err := newParser(clauseUpdate, src, sc)
	if err != nil {
		return nil, err
	}
	var actions update
	seen := map[tokenKind]bool{}
	for len(actions) == 0 || p.peek().kind != tokenEnd {
		section := p.peek().kind
		one, err := p.action(section)
		if err != nil {
			return nil, err
		}
		if seen[section] {
			return nil, p.refuse(`The "%s" section can only be used once in an update expression;`, section)
		}
		seen[section] = true
		actions = append(actions, one...)
	}
	return actions, checkOverlap(clauseUpdate, actions.paths())
}

// action reads a section: its word, and actions between commas.
func (p *parser) action(section tokenKind) (update, error) {
	switch section {
	case "SET", "REMOVE", "ADD", "DELETE":
		p.take()
	default:
		return nil, p.syntax()
	}
	var actions update
	for {
		a := action{kind: actionKind(section)}
		if err := p.readAction(&a); err != nil {
			return nil, err
		}
		actions = append(actions, a)
		if !p.accept(",") {
			return actions, nil
		}
	}
}

func (p *parser) readAction(a *action) (err error) {
	if a.path, err = p.path(); err != nil {
		return err
	}
	switch a.kind {
	case actionRemove:
		return nil
	case actionSet:
		if err := p.expect("="); err != nil {
			return err
		}
		if a.value, err = p.operandOf(0, false); err != nil {
			return err
		}
		return p.checkAssigned(a.value)
	default:
		return p.literal(a)
	}
}

// literal reads the operand of ADD and DELETE.
func (p *parser) literal(a *action) (err error) {
	if p.peek().kind != tokenValue {
		return p.syntax()
	}
	if a.value, err = p.prefix(); err != nil {
		return err
	}
	v := a.value.value
	if v.isSet() || v.Kind == KindNumber && a.kind == actionAdd {
		return nil
	}
	return p.refuse("Incorrect operand type for operator or function; operator: %s, operand type: %s, typeSet: ALLOWED_FOR_%s_OPERAND",
		a.kind, typeName(v.Kind), a.kind)
}

// checkAssigned refuses what can be seen to be wrong in the right side of a SET
// action before any row is looked at.
func (p *parser) checkAssigned(n *node) error {
	for _, arg := range n.args {
		if arg.kind == nodeArith {
			return syntaxErrorAt(p, arg)
		}
		if err := p.checkAssigned(arg); err != nil {
			return err
		}
		if arg.kind != nodeValue {
			continue
		}
		if n.kind == nodeArith && arg.value.Kind != KindNumber || n.text == "list_append" && arg.value.Kind != KindList {
			return p.badOperand(n.text, string(arg.value.Kind))
		}
	}
	if n.kind == nodeCall {
		return p.checkCall(n)
	}
	return nil
}

// syntaxErrorAt is the error that an operator stands where it cannot.
func syntaxErrorAt(p *parser, n *node) error {
	for i, t := range p.tokens {
		if t == n.at {
			p.at = i
		}
	}
	return p.syntax()
}
