package jq

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/itchyny/gojq"
)

// translation changes a program of jq 1.6 into one of gojq that does the same.
type translation struct {
	library *library
	faults  []*Fault
	done    map[string]bool // definitions of the library that are in order, or on the way
	order   []*gojq.FuncDef // of the library, each before those that call it
	theirs  bool            // what is translated is the library's
}

// scope has the functions that the program defines around a place.
type scope struct {
	outer *scope
	names []string
}

func (s *scope) has(f string) bool {
	for ; s != nil; s = s.outer {
		if slices.Contains(s.names, f) {
			return true
		}
	}
	return false
}

func (t *translation) refuse(reason, remedy string) {
	for _, f := range t.faults {
		if f.Reason == reason {
			return
		}
	}
	t.faults = append(t.faults, &Fault{reason, remedy})
}

func (t *translation) queries(list []*gojq.Query, s *scope) {
	for _, q := range list {
		t.query(q, s)
	}
}

// query translates q in place; nil is nothing.
func (t *translation) query(q *gojq.Query, s *scope) {
	if q == nil {
		return
	}
	if q.Meta != nil || len(q.Imports) > 0 {
		t.refuse("has modules", "write what they define into the query")
		return
	}
	for _, d := range q.FuncDefs {
		s = &scope{s, []string{key(d.Name, len(d.Args))}}
		t.definition(d, s)
	}
	if q.Term != nil {
		t.term(q.Term, s)
		return
	}
	t.query(q.Left, s)
	t.patterns(q.Patterns, s)
	t.query(q.Right, s)
	if name := operator(q.Op); name != "" {
		becomes(q, call(name, q.Left, q.Right))
		return
	}
	switch q.Op {
	case gojq.OpAssign:
		t.replaced(q, "_assign")
	case gojq.OpModify:
		t.replaced(q, "_modify")
	case gojq.OpUpdateAdd, gojq.OpUpdateSub, gojq.OpUpdateMul, gojq.OpUpdateDiv, gojq.OpUpdateMod, gojq.OpUpdateAlt:
		t.update(q)
	default:
	}
}

// replaced makes an operator the function of the library that it is.
func (t *translation) replaced(q *gojq.Query, name string) {
	t.use(key(name, 2))
	becomes(q, call(name, q.Left, q.Right))
}

// becomes replaces a query, but for what it defines.
func becomes(q, other *gojq.Query) {
	other.FuncDefs = q.FuncDefs
	*q = *other
}

// update makes a += b what it is: b as $v | a |= . + $v.
func (t *translation) update(q *gojq.Query) {
	const variable = "$" + reserved + "v"
	t.use(key("_modify", 2))
	with := &gojq.Query{Left: identity(), Op: gojq.OpAlt, Right: call(variable)}
	if q.Op != gojq.OpUpdateAlt {
		with = call(updating(q.Op), identity(), call(variable))
	}
	becomes(q, &gojq.Query{
		Left: q.Right, Patterns: []*gojq.Pattern{{Name: variable}}, Op: gojq.OpPipe,
		Right: call("_modify", q.Left, with),
	})
}

func operator(op gojq.Operator) string {
	switch op {
	case gojq.OpAdd:
		return reserved + "add"
	case gojq.OpSub:
		return reserved + "subtract"
	case gojq.OpMul:
		return reserved + "multiply"
	case gojq.OpDiv:
		return reserved + "divide"
	case gojq.OpMod:
		return reserved + "modulo"
	case gojq.OpEq:
		return reserved + "equal"
	case gojq.OpNe:
		return reserved + "unequal"
	case gojq.OpLt:
		return reserved + "less"
	case gojq.OpGt:
		return reserved + "greater"
	case gojq.OpLe:
		return reserved + "at_most"
	case gojq.OpGe:
		return reserved + "at_least"
	default:
		return ""
	}
}

func updating(op gojq.Operator) string {
	switch op {
	case gojq.OpUpdateAdd:
		return operator(gojq.OpAdd)
	case gojq.OpUpdateSub:
		return operator(gojq.OpSub)
	case gojq.OpUpdateMul:
		return operator(gojq.OpMul)
	case gojq.OpUpdateDiv:
		return operator(gojq.OpDiv)
	default:
		return operator(gojq.OpMod)
	}
}

func call(name string, args ...*gojq.Query) *gojq.Query {
	return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeFunc, Func: &gojq.Func{Name: name, Args: args}}}
}

func identity() *gojq.Query { return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeIdentity}} }

func constant(s string) *gojq.Query {
	return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeString, Str: &gojq.String{Str: s}}}
}

func pipe(l, r *gojq.Query) *gojq.Query { return &gojq.Query{Left: l, Op: gojq.OpPipe, Right: r} }

func parentheses(q *gojq.Query) *gojq.Term { return &gojq.Term{Type: gojq.TermTypeQuery, Query: q} }

// definition translates one in the scope that has it. Each call of one that calls itself
// has its price, so that none goes on for ever within little memory.
func (t *translation) definition(d *gojq.FuncDef, s *scope) {
	if strings.HasPrefix(d.Name, reserved) {
		t.refuse("defines "+d.Name, "choose a name that does not begin with "+reserved)
	}
	inner := &scope{outer: s}
	for _, a := range d.Args {
		inner.names = append(inner.names, strings.TrimPrefix(a, "$")+"/0")
	}
	recursive := mentions(d.Body, d.Name)
	t.query(d.Body, inner)
	if recursive {
		d.Body = pipe(call(reserved+"call"), d.Body)
	}
}

// mentions tells whether a query seems to call a function of a name.
func mentions(q *gojq.Query, name string) bool { return strings.Contains(q.String(), name) }

func (t *translation) patterns(list []*gojq.Pattern, s *scope) {
	for _, p := range list {
		t.patterns(p.Array, s)
		for _, o := range p.Object {
			t.str(o.KeyString, "", s)
			t.query(o.KeyQuery, s)
			if o.Val != nil {
				t.patterns([]*gojq.Pattern{o.Val}, s)
			}
		}
	}
}

func (t *translation) term(e *gojq.Term, s *scope) {
	if e.Type == gojq.TermTypeIndex && (computed(e.Index) || e.Index.IsSlice) {
		e.Type, e.SuffixList = gojq.TermTypeIdentity, append([]*gojq.Suffix{{Index: e.Index}}, e.SuffixList...)
		e.Index = nil
	}
	t.plain(e, s)
	for i := 0; i < len(e.SuffixList); i++ {
		x := e.SuffixList[i].Index
		t.index(x, s)
		switch {
		case e.SuffixList[i].Iter:
			i = insert(e, i, "each", 1)
		case computed(x):
			i = insert(e, i, "indexable", 0)
		case x != nil && x.IsSlice:
			i = insert(e, i, "sliced", 0)
		}
	}
}

// insert puts a step between what is before the suffix i and that, or in its place; what
// is optional there is so here. It returns where to go on.
func insert(e *gojq.Term, i int, step string, instead int) int {
	before := *e
	before.SuffixList = e.SuffixList[:i:i]
	next := call(reserved + step)
	rest := e.SuffixList[i:]
	if len(rest) > 1 && rest[1].Optional {
		next.Term.SuffixList = rest[1:2:2]
		instead *= 2
	}
	*e = *parentheses(pipe(&gojq.Query{Term: &before}, next))
	e.SuffixList = rest[instead:]
	if instead > 0 {
		return -1
	}
	return 0
}

// computed tells whether an index is what a query says, or a number.
func computed(x *gojq.Index) bool {
	return x != nil && x.Start != nil && !x.IsSlice && !isConstant(x.Start)
}

// isConstant tells whether q is a string as it is.
func isConstant(q *gojq.Query) bool {
	return q.Term != nil && len(q.FuncDefs) == 0 && q.Term.Type == gojq.TermTypeString && q.Term.Str.Queries == nil && len(q.Term.SuffixList) == 0
}

// plain translates a term but for what follows it.
func (t *translation) plain(e *gojq.Term, s *scope) {
	switch e.Type {
	case gojq.TermTypeRecurse:
		t.use("recurse/0")
		e.Type, e.Func = gojq.TermTypeFunc, &gojq.Func{Name: "recurse"}
	case gojq.TermTypeIndex:
		t.index(e.Index, s)
	case gojq.TermTypeFunc:
		t.function(e.Func, s)
	case gojq.TermTypeObject:
		t.object(e, s)
	case gojq.TermTypeArray:
		t.array(e.Array, s)
	case gojq.TermTypeNumber:
		e.Number = double(e.Number)
	case gojq.TermTypeUnary:
		t.unary(e, s)
	case gojq.TermTypeFormat:
		t.format(e, s)
	case gojq.TermTypeString:
		t.str(e.Str, "", s)
	case gojq.TermTypeIf:
		t.conditional(e.If, s)
	case gojq.TermTypeTry:
		t.query(e.Try.Body, s)
		t.query(e.Try.Catch, s)
	case gojq.TermTypeReduce:
		t.reduce(e.Reduce, s)
	case gojq.TermTypeForeach:
		if !t.theirs && !hasResults(e.Foreach.Update) {
			t.refuse("has a foreach whose update may have no result, where jq 1.6 forgets the state", "write what the state is then")
		}
		t.queries([]*gojq.Query{e.Foreach.Query, e.Foreach.Start, e.Foreach.Update, e.Foreach.Extract}, s)
		t.patterns(e.Foreach.Patterns, s)
	case gojq.TermTypeLabel:
		t.query(e.Label.Body, s)
	case gojq.TermTypeQuery:
		t.query(e.Query, s)
	default:
	}
	if len(e.SuffixList) > 0 && statement(e.Type) {
		t.refuse("goes on behind the end of a statement ("+name(e.Type)+"), which jq 1.6 does not understand", "write parentheses around it")
	}
}

// reduce has jq 1.6's way with an update that has no result: the state is null then.
func (t *translation) reduce(r *gojq.Reduce, s *scope) {
	sure := hasResults(r.Update)
	t.queries([]*gojq.Query{r.Query, r.Start, r.Update}, s)
	t.patterns(r.Patterns, s)
	if !sure {
		results := &gojq.Term{Type: gojq.TermTypeArray, Array: &gojq.Array{Query: pipe(r.Update, call(reserved+"element"))}}
		r.Update = pipe(&gojq.Query{Term: results}, call("last"))
	}
}

// statement tells whether jq 1.6 takes a term of a type only between parentheses in the
// places of terms.
func statement(t gojq.TermType) bool { return name(t) != "" }

func name(t gojq.TermType) string {
	switch t {
	case gojq.TermTypeIf:
		return "if"
	case gojq.TermTypeTry:
		return "try"
	case gojq.TermTypeReduce:
		return "reduce"
	case gojq.TermTypeForeach:
		return "foreach"
	case gojq.TermTypeLabel:
		return "label"
	default:
		return ""
	}
}

// double writes integers that gojq would keep exactly as the doubles that jq 1.6 makes of them.
func double(number string) string {
	f, _ := strconv.ParseFloat(number, 64)
	if math.Abs(f) < 1<<53 && f == math.Trunc(f) && !strings.ContainsAny(number, ".eE") {
		return number
	}
	if math.IsInf(f, 0) {
		return "1e400"
	}
	return strconv.FormatFloat(f, 'e', -1, 64)
}

func (t *translation) index(x *gojq.Index, s *scope) {
	if x == nil {
		return
	}
	t.str(x.Str, "", s)
	whole := x.Start != nil && x.Start.Term != nil && x.Start.Term.Type == gojq.TermTypeNumber && !strings.ContainsAny(x.Start.Term.Number, ".eE")
	t.query(x.Start, s)
	t.query(x.End, s)
	if computed(x) && !whole {
		x.Start = pipe(x.Start, call(reserved+"position"))
	}
}

// function finds what a call means.
func (t *translation) function(f *gojq.Func, s *scope) {
	t.queries(f.Args, s)
	if strings.HasPrefix(f.Name, "$") {
		if why, ok := t.library.refused[f.Name]; ok {
			t.refuse("uses "+f.Name+", which cannot be used here: "+why, "leave it out")
		}
		return
	}
	k := key(f.Name, len(f.Args))
	if s.has(k) {
		return
	}
	if as, ok := t.library.native[k]; ok && (t.theirs || f.Name[0] != '_') {
		f.Name = as
		return
	}
	if _, ok := t.library.defined[k]; ok {
		t.use(k)
		return
	}
	if why, ok := t.library.refused[k]; ok {
		t.refuse("calls "+k+", which cannot be used here: "+why, "leave it out")
		return
	}
	t.refuse("calls "+k+", which jq 1.6 does not have", "write it with what is in the manual of jq 1.6")
}

// use adds a definition of the library to the program, and before it what it calls.
func (t *translation) use(k string) {
	d := t.library.defined[k]
	if d == nil || t.done[k] {
		return
	}
	t.done[k] = true
	theirs := t.theirs
	t.theirs = true
	t.definition(d, &scope{names: []string{k}})
	t.theirs = theirs
	t.order = append(t.order, d)
}

// array has each of its elements pay.
func (t *translation) array(a *gojq.Array, s *scope) {
	if a.Query == nil {
		return
	}
	t.query(a.Query, s)
	a.Query = pipe(a.Query, call(reserved+"element"))
}

// object becomes a call that knows the order of the members.
func (t *translation) object(e *gojq.Term, s *scope) {
	if len(e.Object.KeyVals) == 0 {
		return
	}
	var parts []*gojq.Query
	var args []*gojq.Query // the last member first, its value before its name
	for _, kv := range e.Object.KeyVals {
		k, v := t.member(kv, s)
		args = append([]*gojq.Query{v, k}, args...)
		if len(args) == maxArguments {
			parts, args = append(parts, call(reserved+"object", args...)), nil
		}
	}
	if len(args) > 0 {
		parts = append(parts, call(reserved+"object", args...))
	}
	whole := parts[0]
	for _, p := range parts[1:] {
		whole = call(reserved+"add", whole, p)
	}
	suffixes := e.SuffixList
	*e = *whole.Term
	e.SuffixList = suffixes
}

// member returns the name and the value of a member, translated.
func (t *translation) member(kv *gojq.ObjectKeyVal, s *scope) (k, v *gojq.Query) {
	t.value(kv.Val, s)
	switch {
	case strings.HasPrefix(kv.Key, "$"):
		f := &gojq.Func{Name: kv.Key}
		t.function(f, s)
		if kv.Val != nil {
			t.refuse("has the member "+kv.Key+" with a value, which jq 1.6 does not understand", "write ("+kv.Key+") for the name")
		}
		return constant(kv.Key[1:]), call(kv.Key)
	case kv.Key != "":
		k = constant(kv.Key)
	case kv.KeyString != nil:
		t.str(kv.KeyString, "", s)
		k = &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeString, Str: kv.KeyString}}
	default:
		t.query(kv.KeyQuery, s)
		return kv.KeyQuery, kv.Val
	}
	if v = kv.Val; v == nil {
		v = &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeIndex, Index: &gojq.Index{Start: k}}}
	}
	return k, v
}

// value translates the value of a member, which is of less in jq 1.6 than in gojq.
func (t *translation) value(v *gojq.Query, s *scope) {
	for q := v; q != nil; q = q.Right {
		one := q
		if q.Op == gojq.OpPipe && len(q.Patterns) == 0 {
			one = q.Left
		}
		if one == nil || one.Term == nil || statement(one.Term.Type) || len(one.FuncDefs) > 0 || one.Term.Type == gojq.TermTypeUnary && one.Term.Unary.Op != gojq.OpSub {
			t.refuse("has an object with a value that is more than a term, which jq 1.6 does not understand", "write parentheses around each value")
		}
		if one == q {
			break
		}
	}
	t.query(v, s)
}

func (t *translation) unary(e *gojq.Term, s *scope) {
	if e.Unary.Op != gojq.OpSub {
		t.refuse("has a sign +, which jq 1.6 does not understand", "leave it out")
		return
	}
	t.term(e.Unary.Term, s)
	suffixes := e.SuffixList
	*e = *parentheses(pipe(&gojq.Query{Term: e.Unary.Term}, call(reserved+"negate")))
	e.SuffixList = suffixes
}

// format makes @NAME a call of the function format.
func (t *translation) format(e *gojq.Term, s *scope) {
	name := strings.TrimPrefix(e.Format, "@")
	if !validFormat(name) {
		t.refuse("has the format "+e.Format+", which jq 1.6 does not have", "use @text, @json, @csv, @tsv, @html, @uri, @sh, @base64 or @base64d")
		return
	}
	if e.Str != nil {
		t.str(e.Str, name, s)
		e.Type = gojq.TermTypeString
		return
	}
	e.Type, e.Func = gojq.TermTypeFunc, call(reserved+"format", constant(name)).Term.Func
}

// str translates what a string interpolates, each by a format.
func (t *translation) str(x *gojq.String, format string, s *scope) {
	if x == nil {
		return
	}
	for i, q := range x.Queries {
		if isConstant(q) {
			continue
		}
		t.query(q, s)
		if format != "" {
			q = pipe(q, call(reserved+"format", constant(format)))
		}
		x.Queries[i] = &gojq.Query{Term: parentheses(pipe(q, call(reserved+"text")))}
	}
}

func (t *translation) conditional(c *gojq.If, s *scope) {
	if c.Else == nil {
		t.refuse("has an if without an else, which jq 1.6 does not understand", "write else . before its end")
	}
	t.queries([]*gojq.Query{c.Cond, c.Then, c.Else}, s)
	for _, e := range c.Elif {
		t.queries([]*gojq.Query{e.Cond, e.Then}, s)
	}
}
