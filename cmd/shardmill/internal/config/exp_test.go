package config

import ("testing";"fmt";"strings";"time"
"github.com/goccy/go-yaml/parser"
"github.com/goccy/go-yaml/ast"
)

func dump(n ast.Node, d int) {
	p := strings.Repeat("  ", d)
	if n == nil { fmt.Println(p+"nil"); return }
	t := n.GetToken()
	switch n := n.(type) {
	case *ast.MappingNode: fmt.Println(p,"map", t.Position.Line); for _, v := range n.Values { dump(v, d+1)}
	case *ast.MappingValueNode: fmt.Println(p,"mv key line", n.Key.GetToken().Position.Line, fmt.Sprintf("%T %q", n.Key, n.Key.GetToken().Value)); dump(n.Value, d+1)
	case *ast.SequenceNode: fmt.Println(p,"seq", t.Position.Line); for _, v := range n.Values { dump(v, d+1)}
	case *ast.LiteralNode: fmt.Printf("%s literal %q line %d\n", p, n.Value.Value, t.Position.Line)
	case *ast.StringNode: fmt.Printf("%s string %q tok %v line %d\n", p, n.Value, t.Type, t.Position.Line)
	default: fmt.Printf("%s %T %q line %d tok %v\n", p, n, t.Value, t.Position.Line, t.Type)
	}
}
func TestExp(t *testing.T) {
	for _, s := range []string{
		"a: 1\nb: 010\nc: 0x10\nd: 1_000\ne: 99999999999999999999999\nf: 1e3\ng: .inf\nh: ~\ni:\nj: yes\nk: True\nl: 2016-01-01T00:00:00Z\nm: 'x'\nn: \"5\"\no: |\n  hello\n  x\np: -5\nq: +5\nr: 5.0\ns: .nan\nt: !!str 5\nu: &a 5\nv: *a\n",
		"{\"a\": 1, \"b\": \"\\ud83d\\ude00\\/x\\t\", \"c\": [1,2,{\"d\":null}], \"e\": \"\", \"f\": {}, \"g\": []}",
		"{\n\t\"a\": 1,\n\t\"b\": {\n\t\t\"c\": \"x\"\n\t}\n}\n",
		"{\n\"a\":1,\"b\":\"x\"\n}\n",
		"a: 1\r\nb:\r\n  c: 2\r\nd: 3\r\n",
		"a: |\n  x\n  y\n\n\nb: 3\nc: \"x\n  y\"\nd: 4\n",
		"\ufeffa: 1\n", "", "# only\n", "---\na: 1\n---\nb: 2\n", "---\na: 1\n...\n", "- 1\n- 2\n", "5", "a", "null",
		"a: 1\na: 2\n", "<<: {a: 1}\nb: 2\n", "? a\n: b\n", "1: a\n", "true: b\n", "a: {b: 1\n", "a: [1\n", "a: \"x\n", "a:\n\tb: 1\n", "a: b: c\n", "  a: 1\n b: 2\n", "@a: 1", "a: 'x' y\n", "%YAML 1.2\n---\na: 1\n", "a: 1\n  b: 2\n", "{a: 1} x\n", "a: 1 # c\n# d\nb: # e\n  c: 1\n","a:\n- 1\n- 2\n", "a: >-\n  x\n  y\n", "? [a]\n: b", "a", "a: 1\nb", "{\"a\":1}}", "{a, b: 1}", "{a: , b: 1}", "\"a\": 1\n'b': 2\n", "a: \"\\x41\\u00e9\\n\"\n", "{\"a\":1}\n{\"b\":2}\n", "a: [1, , 2]", "a: %x\n", "a: `x\n", "a: - 1\n",
	} {
		fmt.Printf("=== %q\n", s)
		st := time.Now()
		f, err := parser.ParseBytes([]byte(s), 0, parser.AllowDuplicateMapKey())
		if time.Since(st) > time.Second { fmt.Println("SLOW") }
		if err != nil { fmt.Println("ERR", err); continue }
		fmt.Println("docs", len(f.Docs))
		for _, d := range f.Docs { fmt.Printf("doc start %v\n", d.Start); dump(d.Body, 1) }
	}
}
func TestDeep(t *testing.T) {
	for _, u := range []string{"[", "{a: ", "- ", "? "} {
	for _, n := range []int{1000, 10000, 50000} {
		st := time.Now()
		_, err := parser.ParseBytes([]byte(strings.Repeat(u, n)), 0)
		s := fmt.Sprint(err); if len(s) > 80 { s = s[:80] }
		fmt.Println(u, n, time.Since(st), s)
	}}
}
