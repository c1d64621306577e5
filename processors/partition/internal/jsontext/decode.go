package jsontext

import "errors"

// Ordered is told the names of the members of an object, in the order in which it has
// them, if that is not the order of the names.
type Ordered func(object map[string]any, names []string)

// Charge is told how many bytes are to be allocated, before they are; an error ends what asks.
type Charge func(bytes int) error

// ErrText is that of what is not one JSON text.
var ErrText = errors.New("it is not one JSON text")

// About what values of many take in memory, in bytes.
const (
	sizeOfValue  = 32  // with its place in an array or an object
	sizeOfObject = 64  // without members
	sizeOfGroup  = 320 // of the first members
	sizeOfMember = 80  // of one behind those
	sizeOfOrder  = 96  // of an object whose order is kept
	sizeOfName   = 16  // in that order
	smallObject  = 8
)

// Decode returns the value that data is: nil, bool, float64, string, []any or
// map[string]any. The error is ErrText, or that of charge, which is asked for each value.
func Decode(data []byte, ordered Ordered, charge Charge) (any, error) {
	d := decoder{data: data, ordered: ordered, charge: charge}
	v, end := d.value(Skip(data, 0), 0)
	switch {
	case d.err != nil:
		return nil, d.err
	case end < 0 || Skip(data, end) != len(data):
		return nil, ErrText
	}
	return v, nil
}

type decoder struct {
	data    []byte
	ordered Ordered
	charge  Charge
	err     error // of charge
	scratch []byte
}

// pay tells whether that may be allocated.
func (d *decoder) pay(bytes int) bool {
	if d.err == nil {
		d.err = d.charge(bytes)
	}
	return d.err == nil
}

func (d *decoder) value(i, depth int) (v any, end int) {
	if i >= len(d.data) || !d.pay(sizeOfValue) {
		return nil, -1
	}
	switch d.data[i] {
	case '"':
		end, plain := String(d.data, i)
		if end < 0 || !d.pay(end-i) {
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

// sizeOf is what one member takes behind others.
func sizeOf(others int) int {
	switch {
	case others == 0:
		return sizeOfGroup
	case others < smallObject:
		return 0
	}
	return sizeOfMember
}

func (d *decoder) object(i, depth int) (v any, end int) {
	if !d.pay(sizeOfObject) {
		return nil, -1
	}
	object := map[string]any{}
	var names []string
	sorted := true
	for c := Members(d.data, i, depth); ; {
		if !c.Next() {
			if !sorted && c.End >= 0 {
				if !d.pay(sizeOfOrder + sizeOfName*len(names)) {
					return nil, -1
				}
				d.ordered(object, names)
			}
			return object, c.End
		}
		if !d.pay(len(c.Name) + sizeOf(len(object))) {
			return nil, -1
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
