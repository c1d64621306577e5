package importer

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
)

// yamlReader turns nodes of YAML into values. A short tag becomes the object that
// CloudFormation has it stand for.
type yamlReader struct{ *document.Report }

// readYAML returns the value of the one document that data is.
func readYAML(r *document.Report, data []byte) (document.Value, bool) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var root, second yaml.Node
	if err := d.Decode(&root); err != nil {
		r.FaultAt(errorLine(err), "syntax error: %s", strings.ReplaceAll(err.Error(), "\n", " "))
		return document.Value{}, false
	}
	switch err := d.Decode(&second); {
	case err == nil:
		r.FaultAt(second.Line, "a second document begins; put one into a file")
		return document.Value{}, false
	case !errors.Is(err, io.EOF):
		r.FaultAt(errorLine(err), "syntax error: %s", strings.ReplaceAll(err.Error(), "\n", " "))
		return document.Value{}, false
	}
	return yamlReader{r}.value(root.Content[0], 0)
}

var lineOfError = regexp.MustCompile(`\bline ([0-9]{1,9})\b`)

func errorLine(err error) int {
	if m := lineOfError.FindStringSubmatch(err.Error()); m != nil {
		n, _ := strconv.Atoi(m[1])
		return max(1, n)
	}
	return 1
}

func (y yamlReader) value(n *yaml.Node, depth int) (document.Value, bool) {
	if depth > maxDepth {
		y.FaultAt(n.Line, "the file nests objects and lists more than %d deep; make it flatter", maxDepth)
		return document.Value{}, false
	}
	if function, short := strings.CutPrefix(n.Tag, "!"); short && function != "" && !strings.HasPrefix(function, "!") {
		return y.function(function, n, depth)
	}
	v := document.Value{Line: n.Line, Text: n.Value}
	switch n.Kind {
	case yaml.MappingNode:
		return y.object(n, depth)
	case yaml.SequenceNode:
		return y.list(n, depth)
	case yaml.ScalarNode:
		v.Kind = scalar(n)
	default: // an alias; what it stands for may be endless
		v = document.Open(n.Line, "is an alias (*"+document.Name(n.Value)+"), which templates do not have; write the value itself")
	}
	return v, true
}

func scalar(n *yaml.Node) document.Kind {
	switch n.ShortTag() {
	case "!!null":
		return document.Null
	case "!!bool":
		return document.Boolean
	case "!!int", "!!float":
		return document.Number
	default:
		return document.Text
	}
}

// function returns the long form of a short tag: Fn::NAME, or Ref and Condition.
func (y yamlReader) function(name string, n *yaml.Node, depth int) (document.Value, bool) {
	plain := *n
	plain.Tag = ""
	if n.Kind == yaml.ScalarNode {
		plain.Tag = "!!str"
	}
	arg, ok := y.value(&plain, depth+1)
	if name != "Ref" && name != "Condition" {
		name = "Fn::" + name
	}
	return document.Value{
		Kind: document.Object, Line: n.Line,
		Members: []document.Member{{Key: name, Line: n.Line, Value: arg}},
	}, ok
}

func (y yamlReader) list(n *yaml.Node, depth int) (document.Value, bool) {
	v := document.Value{Kind: document.List, Line: n.Line}
	for _, each := range n.Content {
		inner, ok := y.value(each, depth+1)
		if !ok {
			return v, false
		}
		v.Items = append(v.Items, inner)
	}
	return v, true
}

func (y yamlReader) object(n *yaml.Node, depth int) (document.Value, bool) {
	v := document.Value{Kind: document.Object, Line: n.Line}
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode {
			y.FaultAt(key.Line, "a key is no plain name; write it as JSON would have it")
			return v, false
		}
		inner, ok := y.value(n.Content[i+1], depth+1)
		if !ok {
			return v, false
		}
		if earlier, twice := first[key.Value]; twice {
			y.FaultAt(key.Line, "%q is given twice, first in line %d; remove one", key.Value, earlier)
			continue
		}
		first[key.Value] = key.Line
		v.Members = append(v.Members, document.Member{Key: key.Value, Line: key.Line, Value: inner})
	}
	return v, true
}
