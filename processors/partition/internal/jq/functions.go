package jq

import (
	_ "embed"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/itchyny/gojq"
)

// definitions are jq 1.6's own, of the functions that it defines in jq.
//
//go:embed builtin.jq
var definitions string

// reserved begins the names of what stands for parts of a program here.
const reserved = "_jq_"

// natives are functions of gojq, by name and number of arguments, that do what those of jq 1.6 do.
const natives = `empty/0 not/0 length/0 utf8bytelength/0 startswith/1 endswith/1 type/0
isinfinite/0 isnan/0 isnormal/0 infinite/0 nan/0 range/2
acos/0 acosh/0 asin/0 asinh/0 atan/0 atanh/0 cbrt/0 ceil/0 cos/0 cosh/0 erf/0 erfc/0 exp/0 exp10/0 exp2/0 expm1/0 fabs/0 floor/0
frexp/0 j0/0 j1/0 lgamma/0 log/0 log10/0 log1p/0 log2/0 logb/0 modf/0 nearbyint/0 rint/0 round/0 significand/0 sin/0 sinh/0
sqrt/0 tan/0 tanh/0 tgamma/0 trunc/0 y0/0 y1/0
atan2/2 copysign/2 drem/2 fdim/2 fmax/2 fmin/2 fmod/2 hypot/2 jn/2 ldexp/2 nextafter/2 nexttoward/2 pow/2 remainder/2 scalb/2
scalbln/2 yn/2 fma/3`

// renamed are functions that are called otherwise in gojq, or are others here.
const renamed = `gamma/0=lgamma _sort_by_impl/1=_jq_sort_by _group_by_impl/1=_jq_group_by _min_by_impl/1=_jq_min_by _max_by_impl/1=_jq_max_by
localtime/0=_jq_gmtime strflocaltime/1=_jq_strftime error/1=_jq_error path/1=_jq_path getpath/1=_jq_getpath _match_impl/3=_jq_match`

// own are functions of jq 1.6 that are written here.
const own = `setpath/2 delpaths/1 has/1 contains/1 tojson/0 fromjson/0 tonumber/0 tostring/0 keys/0 keys_unsorted/0 sort/0 min/0 max/0 ltrimstr/1 rtrimstr/1
explode/0 implode/0 split/1 indices/1 ascii_downcase/0 ascii_upcase/0 format/1 strptime/1 strftime/1 mktime/0 gmtime/0 now/0`

// rawDefinitions are of what parts of a program become, in gojq's terms.
const rawDefinitions = `
def _jq_error($v): if $v == null then empty else error($v) end;
def _jq_path(f): path(f) | _jq_list;
def _jq_getpath(f): f as $p | (if _jq_route($p) then . else . end) | getpath($p);
def _jq_each: if type == "array" then .[] else .[_jq_names[]] end;
`

// refusals are why functions and variables of jq 1.6 cannot be used here.
func refusals() map[string]string {
	const one, process, source = "there is no input but the record", "it is about the process, which has nothing for a record", "it is about where a program is, which a query does not know"
	return map[string]string{
		"input/0": one, "inputs/0": one, "input_filename/0": one, "input_line_number/0": one,
		"env/0": process, "$ENV": process, "debug/0": process, "stderr/0": process, "halt/0": process,
		"halt_error/0": process, "halt_error/1": process, "$__prog_args": process,
		"get_search_list/0": source, "get_prog_origin/0": source, "get_jq_origin/0": source, "modulemeta/0": source, "$__loc__": source,
		"builtins/0": "its list is jq's", "lgamma_r/0": "it is not built", "pow10/0": "today's systems do not have it, and jq 1.6 fails there",
	}
}

// key names a function with its number of arguments.
func key(name string, args int) string { return name + "/" + strconv.Itoa(args) }

// library is what a program may call.
type library struct {
	native  map[string]string        // what functions are called in gojq
	defined map[string]*gojq.FuncDef // of builtin.jq
	raw     []*gojq.FuncDef
	refused map[string]string
}

func newLibrary() (*library, error) {
	l := &library{native: map[string]string{}, defined: map[string]*gojq.FuncDef{}, refused: refusals()}
	for f := range strings.FieldsSeq(natives) {
		l.native[f], _, _ = strings.Cut(f, "/")
	}
	for f := range strings.FieldsSeq(own) {
		name, _, _ := strings.Cut(f, "/")
		l.native[f] = reserved + name
	}
	for f := range strings.FieldsSeq(renamed) {
		name, as, _ := strings.Cut(f, "=")
		l.native[name] = as
	}
	defs, err := gojq.Parse(definitions + " .")
	if err != nil {
		return nil, err
	}
	for _, d := range defs.FuncDefs {
		l.defined[key(d.Name, len(d.Args))] = d
	}
	raw, err := gojq.Parse(rawDefinitions + " .")
	if err != nil {
		return nil, err
	}
	l.raw = raw.FuncDefs
	return l, nil
}

// options are the functions written here, which belong to m.
func (m *machine) options() []gojq.CompilerOption {
	one := func(f func(any) any) func(any, []any) any { return func(v any, _ []any) any { return f(v) } }
	functions := []struct {
		name string
		args int
		f    func(any, []any) any
	}{
		{"add", 2, binary(func(l, r float64) any { return l + r }, m.add)},
		{"subtract", 2, binary(func(l, r float64) any { return l - r }, m.subtract)},
		{"multiply", 2, binary(func(l, r float64) any { return l * r }, m.multiply)},
		{"divide", 2, binary(m.quotient, m.divide)},
		{"modulo", 2, binary(m.remainder, func(l, r any) any { return m.cannot(l, r, "divided (remainder)") })},
		{"negate", 0, m.negate},
		{"setpath", 2, m.setpathFunc},
		{"delpaths", 1, m.delpaths},
		{"has", 1, m.has},
		{"contains", 1, m.containsFunc},
		{"tojson", 0, one(m.tojson)},
		{"fromjson", 0, m.fromjson},
		{"tonumber", 0, m.tonumber},
		{"tostring", 0, one(m.tostring)},
		{"keys", 0, m.keys},
		{"keys_unsorted", 0, m.keysUnsorted},
		{"sort", 0, m.sort},
		{"sort_by", 1, m.sortBy},
		{"group_by", 1, m.groupBy},
		{"min", 0, m.extreme(true)},
		{"min_by", 1, m.extreme(true)},
		{"max", 0, m.extreme(false)},
		{"max_by", 1, m.extreme(false)},
		{"equal", 2, m.comparison(func(c int) bool { return c == 0 })},
		{"unequal", 2, m.comparison(func(c int) bool { return c != 0 })},
		{"less", 2, m.comparison(func(c int) bool { return c < 0 })},
		{"greater", 2, m.comparison(func(c int) bool { return c > 0 })},
		{"at_most", 2, m.comparison(func(c int) bool { return c <= 0 })},
		{"at_least", 2, m.comparison(func(c int) bool { return c >= 0 })},
		{"ltrimstr", 1, ltrimstr},
		{"rtrimstr", 1, rtrimstr},
		{"explode", 0, m.explode},
		{"implode", 0, m.implode},
		{"split", 1, m.splitFunc},
		{"indices", 1, m.indices},
		{"ascii_downcase", 0, m.shifted('A', 'Z', 'a'-'A')},
		{"ascii_upcase", 0, m.shifted('a', 'z', -('a' - 'A'))},
		{"format", 1, m.format},
		{"strptime", 1, m.strptime},
		{"strftime", 1, m.strftime},
		{"mktime", 0, m.mktime},
		{"gmtime", 0, m.gmtime},
		{"now", 0, m.now},
		{"match", 3, m.match},
		{"element", 0, m.costs(sizeOfValue)},
		{"call", 0, m.costs(sizeOfCall)},
		{"list", 0, m.list},
		{"route", 1, m.route},
		{"sliced", 0, m.sliced},
		{"text", 0, m.text},
		{"position", 0, m.position},
		{"indexable", 0, m.indexable},
		{"names", 0, m.memberNames},
	}
	options := make([]gojq.CompilerOption, 0, len(functions)+1)
	for _, f := range functions {
		options = append(options, gojq.WithFunction(reserved+f.name, f.args, f.args, f.f))
	}
	return append(options, gojq.WithFunction(reserved+"object", 2, maxArguments, m.objectOf))
}

// maxArguments is how many gojq passes to a function, made even.
const maxArguments = 30

// objectOf makes an object of values and names in turn, the last member first: so gojq
// goes through what these are of several results as jq does.
func (m *machine) objectOf(_ any, args []any) any {
	if err := m.charge(sizeOfMember * len(args)); err != nil {
		return err
	}
	b := m.build(len(args) / 2)
	for i := len(args) - 2; i >= 0; i -= 2 {
		name, ok := args[i+1].(string)
		if !ok {
			return fault("Object keys must be strings")
		}
		b.set(name, args[i])
	}
	return b.done()
}

// costs is the identity, and has its price: that of an element of an array, or of a call.
func (m *machine) costs(n int) func(any, []any) any {
	return func(v any, _ []any) any {
		if err := m.charge(n); err != nil {
			return err
		}
		return v
	}
}

// list is the identity of a new list.
func (m *machine) list(v any, _ []any) any {
	if list, ok := v.([]any); ok {
		if err := m.charge(sizeOfElement * len(list)); err != nil {
			return err
		}
	}
	return v
}

// sliced is the identity of what a part is taken of, which of texts is a copy.
func (m *machine) sliced(v any, _ []any) any {
	if s, ok := v.(string); ok {
		if err := m.charge(len(s)); err != nil {
			return err
		}
	}
	return v
}

// text is what interpolation makes of a value.
func (m *machine) text(v any, _ []any) any {
	t := m.tostring(v)
	s, ok := t.(string)
	if !ok {
		return t
	}
	if err := m.charge(len(s)); err != nil {
		return err
	}
	return s
}

// maxIndices is how many elements a list may have whose places in another are looked
// for by indexing.
const (
	maxIndices   = 64
	maxIndexText = 64 // bytes of a text that stand for one more
)

// weight is what is left of an allowance of values for those in a list; below 0 if it takes long to
// compare with others, which gojq does there: our own compare is not asked.
func weight(list []any, left int) int {
	for _, v := range list {
		if left--; left < 0 {
			return left
		}
		switch v := v.(type) {
		case string:
			left -= len(v) / maxIndexText
		case []any:
			left = weight(v, left)
		case map[string]any:
			left = weight(slices.Collect(maps.Values(v)), left)
		}
	}
	return left
}

// position is what stands in brackets: numbers that are not whole are no position of
// an array, and gojq would round them.
func (m *machine) position(v any, _ []any) any {
	switch v := v.(type) {
	case []any:
		if weight(v, maxIndices) < 0 {
			m.left = 0
			return m.charge(1)
		}
	case float64:
		if v != math.Trunc(v) || math.Abs(v) > math.MaxInt32 {
			return math.MaxInt32 // where no array has anything
		}
	}
	return v
}

// indexable is the identity of all but texts, of which gojq would take a character.
func (m *machine) indexable(v any, _ []any) any {
	if _, ok := v.(string); ok {
		return fault("Cannot index string with number")
	}
	return v
}

// memberNames are what iteration goes through, in its order.
func (m *machine) memberNames(v any, _ []any) any {
	if _, ok := v.(map[string]any); !ok {
		return fault("Cannot iterate over " + m.describe(v))
	}
	return m.keysUnsorted(v, nil)
}

func (m *machine) shifted(from, to byte, by int) func(any, []any) any {
	return func(v any, _ []any) any {
		s, ok := v.(string)
		if !ok {
			return fault("explode input must be a string")
		}
		if err := m.charge(len(s)); err != nil {
			return err
		}
		b := []byte(s)
		for i, c := range b {
			if c >= from && c <= to {
				b[i] = byte(int(c) + by)
			}
		}
		return string(b)
	}
}
