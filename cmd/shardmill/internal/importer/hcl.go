package importer

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
)

// configured reads a file of Terraform's language: the literals of its delivery
// stream, and variables and locals whose values the file has. What else an
// expression is made of is open.
func (r *reader) configured(data []byte) (document.Value, bool) {
	if line := tooDeep(data); line > 0 {
		r.FaultAt(line, "the file nests more than %d deep; make it flatter", maxDepth)
		return document.Value{}, false
	}
	file, wrong := hclsyntax.ParseConfig(data, "", hcl.InitialPos)
	for _, each := range wrong {
		if each.Severity == hcl.DiagError {
			line := 1
			if each.Subject != nil {
				line = each.Subject.Start.Line
			}
			r.FaultAt(line, "syntax error: %s", strings.ReplaceAll(each.Summary+": "+each.Detail, "\n", " "))
		}
	}
	if wrong.HasErrors() {
		return document.Value{}, false
	}
	body, _ := file.Body.(*hclsyntax.Body) // it is what ParseConfig gives
	h := &hclReader{reader: r, data: data, names: &hcl.EvalContext{Variables: map[string]cty.Value{}}}
	h.define(body)
	var streams []*hclsyntax.Block
	var names []string
	for _, b := range body.Blocks {
		if b.Type == "resource" && len(b.Labels) == 2 && b.Labels[0] == terraformType {
			streams = append(streams, b)
			names = append(names, fmt.Sprintf("%s in line %d", document.Name(addressOf(b)), b.Range().Start.Line))
		}
	}
	b, ok := pick(r, streams, addressOf, names, "there is no resource of type "+terraformType+"; give the file that has it, or what terraform show -json tells of the plan")
	if !ok {
		return document.Value{}, false
	}
	return r.terraform(addressOf(b), h.block(b.Body, b.Range().Start.Line, 0))
}

// tooDeep returns the line from where on brackets are nested too deep for a parser
// that calls itself, 0 if there is none. It takes texts and comments for code.
func tooDeep(data []byte) int {
	line, depth := 1, 0
	for _, c := range data {
		switch c {
		case '\n':
			line++
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		}
		if depth > maxDepth {
			return line
		}
	}
	return 0
}

func addressOf(b *hclsyntax.Block) string { return strings.Join(b.Labels, ".") }

// hclReader turns blocks into what terraform show would tell of them.
type hclReader struct {
	*reader

	data  []byte
	names *hcl.EvalContext
}

// define gives names the values of variables and locals that are literals.
func (h *hclReader) define(body *hclsyntax.Body) {
	variables, locals := map[string]cty.Value{}, map[string]cty.Value{}
	for _, b := range body.Blocks {
		switch {
		case b.Type == "variable" && len(b.Labels) == 1:
			name := "var." + b.Labels[0]
			preset := b.Body.Attributes["default"]
			if given, ok := h.lookUp(name); ok {
				variables[b.Labels[0]] = cty.StringVal(given.Text)
			} else if preset != nil {
				if v, ok := literal(preset.Expr, nil); ok {
					variables[b.Labels[0]] = v
				}
			}
		case b.Type == "locals":
			for name, a := range b.Body.Attributes {
				if v, ok := literal(a.Expr, nil); ok {
					locals[name] = v
				}
			}
		}
	}
	h.names.Variables["var"], h.names.Variables["local"] = cty.ObjectVal(variables), cty.ObjectVal(locals)
	h.names.Variables[bucketType] = cty.ObjectVal(h.buckets(body))
}

const bucketType = "aws_s3_bucket"

// buckets returns what is known of the buckets that the file makes: their names, and
// the ARNs with them. Of an ARN only the name is used, so that the partition does not matter.
func (h *hclReader) buckets(body *hclsyntax.Body) map[string]cty.Value {
	known := map[string]cty.Value{}
	for _, b := range body.Blocks {
		if b.Type != "resource" || len(b.Labels) != 2 || b.Labels[0] != bucketType || b.Body.Attributes["bucket"] == nil {
			continue
		}
		v, ok := literal(b.Body.Attributes["bucket"].Expr, h.names)
		if !ok || v.IsNull() || v.Type() != cty.String || len(v.AsString()) > longestName {
			continue
		}
		known[b.Labels[1]] = cty.ObjectVal(map[string]cty.Value{"bucket": v, "id": v, "arn": cty.StringVal("arn:aws:s3:::" + v.AsString())})
	}
	return known
}

// block returns a block's arguments and blocks, those of one type as a list.
func (h *hclReader) block(body *hclsyntax.Body, line, depth int) document.Value {
	out := document.Value{Kind: document.Object, Line: line}
	for _, a := range body.Attributes {
		out.Members = append(out.Members, document.Member{Key: a.Name, Line: a.NameRange.Start.Line, Value: h.expression(a.Expr)})
	}
	for _, b := range body.Blocks {
		var inner document.Value
		key := b.Type
		switch {
		case b.Type == "lifecycle" || b.Type == "provisioner" || b.Type == "connection":
			continue // what Terraform does with it
		case b.Type == "dynamic" || depth > maxDepth:
			inner = document.Open(b.Range().Start.Line, "is made by a dynamic block, which is not evaluated here; write the block itself, or give what terraform show -json tells of the plan")
			key = strings.Join(b.Labels, ".")
		default:
			inner = h.block(b.Body, b.Range().Start.Line, depth+1)
		}
		at := index(out.Members, key)
		if at < 0 {
			at = len(out.Members)
			out.Members = append(out.Members, document.Member{Key: key, Line: b.Range().Start.Line, Value: document.Value{Kind: document.List, Line: b.Range().Start.Line}})
		}
		if inner.Kind == document.Deferred {
			out.Members[at].Value = inner
			continue
		}
		out.Members[at].Value.Items = append(out.Members[at].Value.Items, inner)
	}
	slices.SortStableFunc(out.Members, func(a, b document.Member) int { return a.Line - b.Line })
	return out
}

// expression returns the value of an expression, or an open one.
func (h *hclReader) expression(e hclsyntax.Expression) document.Value {
	line := e.Range().Start.Line
	source := strings.Join(strings.Fields(string(e.Range().SliceBytes(h.data))), " ")
	if v, given := h.lookUp(source); given {
		return v
	}
	v, ok := literal(e, h.names)
	if !ok {
		return open(line, source, h.missing(e, source))
	}
	return fromCty(v, line)
}

// missing returns the variable that an expression lacks, or else all of it.
func (h *hclReader) missing(e hclsyntax.Expression, source string) string {
	for _, each := range e.Variables() {
		if len(each) < 2 || each.RootName() != "var" {
			continue
		}
		a, is := each[1].(hcl.TraverseAttr)
		if is && !h.names.Variables["var"].Type().HasAttribute(a.Name) {
			return "var." + a.Name
		}
	}
	return source
}

// longestName bounds what is put into templates: together they could come to the
// square of the file.
const longestName = 4096

// literal returns what an expression of literals and names comes to. Loops are
// none: one in another takes the product of both.
func literal(e hclsyntax.Expression, names *hcl.EvalContext) (cty.Value, bool) {
	loops := false
	_ = hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics {
		switch n.(type) {
		case *hclsyntax.ForExpr, *hclsyntax.SplatExpr:
			loops = true
		}
		return nil
	})
	if loops {
		return cty.NilVal, false
	}
	v, wrong := e.Value(names)
	if wrong.HasErrors() || !v.IsWhollyKnown() || names == nil && v.Type() == cty.String && !v.IsNull() && len(v.AsString()) > longestName {
		return cty.NilVal, false
	}
	return v, true
}

// fromCty returns a value of Terraform's types.
func fromCty(v cty.Value, line int) document.Value {
	out := document.Value{Line: line, Loose: true}
	kind := v.Type()
	switch {
	case v.IsNull():
		out.Kind, out.Text = document.Null, "null"
	case kind == cty.String:
		out.Kind, out.Text = document.Text, v.AsString()
	case kind == cty.Bool:
		out.Kind, out.Text = document.Boolean, strconv.FormatBool(v.True())
	case kind == cty.Number:
		out.Kind, out.Text = document.Number, numeral(v.AsBigFloat())
	case kind.IsListType() || kind.IsTupleType() || kind.IsSetType():
		out.Kind = document.List
		for _, each := range v.AsValueSlice() {
			out.Items = append(out.Items, fromCty(each, line))
		}
	default:
		out.Kind = document.Object
		for it := v.ElementIterator(); it.Next(); {
			key, each := it.Element()
			out.Members = append(out.Members, document.Member{Key: key.AsString(), Line: line, Value: fromCty(each, line)})
		}
	}
	return out
}

// numeral writes whole numbers without a point.
func numeral(f *big.Float) string {
	if f.IsInt() {
		return f.Text('f', 0)
	}
	return f.Text('g', -1)
}
