package document

// Kind is what a Value is.
type Kind int

// The kinds of values: JSON's, and two for what has none.
const (
	Unusable Kind = iota // what is wrong with it is reported already
	Null
	Boolean
	Number
	Text
	List
	Object
	Deferred // the file leaves it open; Value.Text says so, and what to do
)

// Value is what a file says at one place: JSON's data model, and where it is.
type Value struct {
	Kind    Kind
	Text    string // of a text what it means, of other scalars what is written
	Written string // of a text with variables what is written; else ""

	// Loose scalars stand for each other: "5" for 5 and 5 for "5".
	Loose bool

	Line    int    // from 1; 0 if it is in no line of the file
	Path    string // how the file itself names the place, "" if as its members are
	Items   []Value
	Members []Member // each key once
}

// Member is a member of an object.
type Member struct {
	Key   string // as the reader of the document knows it
	Line  int    // of the key
	Value Value
}

// Member returns the value of a member, false if there is none.
func (v Value) Member(key string) (Value, bool) {
	for _, m := range v.Members {
		if m.Key == key {
			return m.Value, true
		}
	}
	return Value{}, false
}

// Open returns what a value is that the file leaves open. Nothing comes of it as
// long as nobody reads it; then it is a fault that says "<path> <why>".
func Open(line int, why string) Value { return Value{Kind: Deferred, Text: why, Line: line} }

// Place returns the place of a document that was read elsewhere. Faults are added
// to the report.
func (r *Report) Place(root Value) Place {
	return Place{Report: r, Line: root.Line, shown: root.Path, value: root}
}

// IsOpen reports whether the file leaves the value open.
func (p Place) IsOpen() bool { return p.value.Kind == Deferred }

// Shown is how the file itself names the place.
func (p Place) Shown() string { return p.shown }

// Value returns what is there.
func (p Place) Value() Value { return p.value }

// IsText reports whether data is text, and what is wrong with it.
func (r *Report) IsText(data []byte) bool { return isText(r, data) }
