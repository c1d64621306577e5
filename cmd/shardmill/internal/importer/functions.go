package importer

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
)

// function returns what evaluates an intrinsic function, nil if the name is none.
func function(name string) func(*resolver, document.Value) document.Value {
	switch name {
	case "Ref":
		return (*resolver).ref
	case "Fn::GetAtt":
		return (*resolver).getAtt
	case "Fn::Sub":
		return (*resolver).sub
	case "Fn::Join":
		return (*resolver).join
	case "Fn::If":
		return (*resolver).choice
	case "Fn::Select":
		return (*resolver).selected
	case "Fn::Split":
		return (*resolver).split
	case "Fn::FindInMap":
		return (*resolver).findInMap
	case "Fn::ImportValue":
		return (*resolver).imported
	}
	if strings.HasPrefix(name, "Fn::") {
		return func(_ *resolver, v document.Value) document.Value {
			return document.Open(v.Line, "is made by "+document.Name(name)+", which is not evaluated here; write the value itself")
		}
	}
	return nil
}

// wrong is what a function comes to whose argument it cannot have.
func wrong(v document.Value, name, want string) document.Value {
	return document.Open(v.Line, "cannot be evaluated, as the argument of "+name+" is not "+want+"; correct it, or write the value itself")
}

// arguments returns the items of a function's argument if there are so many.
func arguments(v document.Value, least, most int) ([]document.Value, bool) {
	return v.Items, v.Kind == document.List && least <= len(v.Items) && len(v.Items) <= most
}

func (t *resolver) ref(v document.Value) document.Value {
	if v.Kind != document.Text {
		return wrong(v, "Ref", "a name")
	}
	return t.named(v.Text, "!Ref "+v.Text, v.Line)
}

func (t *resolver) getAtt(v document.Value) document.Value {
	name := v.Text
	if args, ok := arguments(v, 2, 2); ok {
		attribute, open := t.text(args[1], "an attribute")
		if open != nil {
			return *open
		}
		name = args[0].Text + "." + attribute
	} else if v.Kind != document.Text {
		return wrong(v, "Fn::GetAtt", "a list of a resource and an attribute")
	}
	return t.named(name, "!GetAtt "+name, v.Line)
}

// reference is what Fn::Sub replaces: a name, or with an exclamation mark itself.
var reference = regexp.MustCompile(`\$\{(!?)([^}]*)\}`)

func (t *resolver) sub(v document.Value) document.Value {
	text, variables := v, document.Value{}
	if args, ok := arguments(v, 2, 2); ok {
		text, variables = args[0], args[1]
	}
	if text.Kind != document.Text {
		return wrong(v, "Fn::Sub", "a text, or a list of a text and its variables")
	}
	var b strings.Builder
	var left []document.Value
	last := 0
	for _, m := range reference.FindAllStringSubmatchIndex(text.Text, -1) {
		b.WriteString(text.Text[last:m[0]])
		last = m[1]
		name := strings.TrimSpace(text.Text[m[4]:m[5]])
		if m[2] < m[3] {
			b.WriteString("${" + name + "}")
			continue
		}
		of, own := variables.Member(name)
		if !own {
			of = t.named(name, "${"+name+"}", text.Line)
		}
		s, open := t.text(of, name)
		if open != nil {
			left = append(left, *open)
		}
		b.WriteString(s)
	}
	if len(left) > 0 {
		return all(left)
	}
	b.WriteString(text.Text[last:])
	return t.dynamic(at(text.Line, made(b.String())))
}

func (t *resolver) join(v document.Value) document.Value {
	args, ok := arguments(v, 2, 2)
	if !ok {
		return wrong(v, "Fn::Join", "a list of a separator and a list")
	}
	separator, open := t.text(args[0], "the separator")
	if open != nil {
		return *open
	}
	list := t.value(args[1])
	if list.Kind == document.Deferred {
		return list
	}
	var parts []string
	var left []document.Value
	for _, each := range list.Items {
		s, open := t.text(each, "a part")
		if open != nil {
			left = append(left, *open)
		}
		parts = append(parts, s)
	}
	if len(left) > 0 {
		return all(left)
	}
	if t.room -= len(separator) * len(parts); t.room < 0 {
		return document.Open(v.Line, "comes to too long a text; write the value itself")
	}
	return t.dynamic(made(strings.Join(parts, separator)))
}

// all returns what a value comes to of which several parts are open.
func all(open []document.Value) document.Value {
	const most = 8
	var texts []string
	for _, each := range open[:min(len(open), most)] {
		if !slices.Contains(texts, each.Text) {
			texts = append(texts, each.Text)
		}
	}
	return document.Open(open[0].Line, strings.Join(texts, "; and "))
}

func (t *resolver) selected(v document.Value) document.Value {
	args, ok := arguments(v, 2, 2)
	if !ok {
		return wrong(v, "Fn::Select", "a list of an index and a list")
	}
	index, open := t.text(args[0], "the index")
	if open != nil {
		return *open
	}
	list := t.value(args[1])
	if list.Kind == document.Deferred {
		return list
	}
	n, err := strconv.Atoi(index)
	if err != nil || n < 0 || n >= len(list.Items) {
		return wrong(v, "Fn::Select", "an index into the list")
	}
	return list.Items[n]
}

func (t *resolver) split(v document.Value) document.Value {
	args, ok := arguments(v, 2, 2)
	if !ok || args[0].Text == "" {
		return wrong(v, "Fn::Split", "a list of a separator and a text")
	}
	s, open := t.text(args[1], "the text")
	if open != nil {
		return *open
	}
	return texts(strings.Split(s, args[0].Text))
}

// texts returns a list of texts.
func texts(all []string) document.Value {
	v := document.Value{Kind: document.List}
	for _, each := range all {
		v.Items = append(v.Items, made(each))
	}
	return v
}

func (t *resolver) findInMap(v document.Value) document.Value {
	args, ok := arguments(v, 3, 4)
	if !ok {
		return wrong(v, "Fn::FindInMap", "a list of a map and two keys")
	}
	found, path := t.mappings, "Mappings"
	for _, each := range args[:3] {
		key, open := t.text(each, "a key")
		if open != nil {
			return *open
		}
		path += "." + key
		if found, ok = found.Member(key); ok {
			continue
		}
		if len(args) == 4 {
			if otherwise, has := args[3].Member("DefaultValue"); has {
				return t.value(otherwise)
			}
		}
		return document.Open(v.Line, "cannot be evaluated, as there is no "+document.Name(path)+"; correct the keys, or write the value itself")
	}
	return t.value(found)
}

func (t *resolver) imported(v document.Value) document.Value {
	name, missing := t.text(v, "the name of the export")
	if missing != nil {
		return *missing
	}
	if given, ok := t.lookUp(name); ok {
		return given
	}
	return open(v.Line, "!ImportValue "+name, name)
}
