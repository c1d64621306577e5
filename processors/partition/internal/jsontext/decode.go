package jsontext

// Ordered is told the names of the members of an object, in the order in which it has
// them, if that is not the order of the names.
type Ordered func(object map[string]any, names []string)

// Decode returns the value that data is: nil, bool, float64, string, []any or
// map[string]any; false if it is not one JSON text.
func Decode(data []byte, ordered Ordered) (any, bool) {
	d := decoder{data: data, ordered: ordered}
	v, end := d.value(Skip(data, 0), 0)
	if end < 0 || Skip(data, end) != len(data) {
		return nil, false
	}
	return v, true
}

type decoder struct {
	data    []byte
	ordered Ordered
	scratch []byte
}

func (d *decoder) value(i, depth int) (v any, end int) {
	if i >= len(d.data) {
		return nil, -1
	}
	switch d.data[i] {
	case '"':
		end, plain := String(d.data, i)
		if end < 0 {
			return nil, -1
		}
		return d.text(d.data[i+1:end-1], plain), end
	case '{':
		return d.object(i, depth)
	case '[':
		return d.array(i, depth)
	case 't':
		return true, word(d.data, i, "true")
	case 'f':
		return false, word(d.data, i, "false")
	case 'n':
		return nil, word(d.data, i, "null")
	}
	if end = Number(d.data, i); end < 0 {
		return nil, -1
	}
	return ParseNumber(d.data[i:end]), end
}

func (d *decoder) text(raw []byte, plain bool) string {
	if plain {
		return string(raw)
	}
	d.scratch = AppendText(d.scratch[:0], raw)
	return string(d.scratch)
}

func (d *decoder) array(i, depth int) (v any, end int) {
	array := []any{}
	for c := Elements(d.data, i, depth); ; {
		if !c.Next() {
			return array, c.End
		}
		if v, c.At = d.value(c.At, c.Depth); c.At < 0 {
			return nil, -1
		}
		array = append(array, v)
	}
}

func (d *decoder) object(i, depth int) (v any, end int) {
	object := map[string]any{}
	var names []string
	sorted := true
	for c := Members(d.data, i, depth); ; {
		if !c.Next() {
			if !sorted && c.End >= 0 {
				d.ordered(object, names)
			}
			return object, c.End
		}
		name := d.text(c.Name, c.Plain)
		if v, c.At = d.value(c.At, c.Depth); c.At < 0 {
			return nil, -1
		}
		if _, again := object[name]; !again {
			sorted = sorted && (len(names) == 0 || names[len(names)-1] < name)
			names = append(names, name)
		}
		object[name] = v
	}
}
