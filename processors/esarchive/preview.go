package esarchive

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Preview is what would be sent of a record.
type Preview struct {
	Line     string // the action line, without its newline
	Index    string
	ID       string // "" if the cluster is to make one
	Document []byte // in the memory of the record's data

	// Malformed says why the record is never sent, and Code with which code of Firehose's it
	// fails. Then Line, ID and Document are empty.
	Malformed, Code string
}

// Preview tells what would be sent of a record that came in a stream (see IndexInput) at
// place and arrived at that time, to a cluster that is what Config.Engine says, and else
// may have types. It sends nothing.
func (x *Index) Preview(stream, place string, data []byte, arrival time.Time) Preview {
	p := Preview{Index: x.IndexName(arrival)}
	text, why := source(data)
	var t taken
	if why == "" {
		t, why = x.s.fields.take(text)
	}
	if why != "" {
		p.Malformed, p.Code = why, malformed
		return p
	}
	a := newActions(&x.s, stream)
	a.setTypes(!newKnowledge(x.s.Config).configured.lacksTypes())
	var at []byte
	switch {
	case t.id != nil:
		p.ID = string(t.id)
	case !x.s.IDs.None:
		at, p.ID = []byte(place), a.before+place
	}
	line := a.appendLine(nil, arrival, at, t)
	p.Line, p.Document = string(line[:len(line)-1]), text
	return p
}

// CheckIndexName returns nil if an IndexName can be used with a period, or else, joined,
// what it must be: "must …".
func CheckIndexName(name string, period IndexRotationPeriod) error {
	err := Config{IndexName: name, IndexRotationPeriod: period}.WithDefaults().checkIndexName()
	if err == nil {
		return nil
	}
	var rules []error
	for line := range strings.SplitSeq(err.Error(), "\n") {
		_, rule, _ := strings.Cut(line, fmt.Sprintf("IndexName %#v: ", name))
		rules = append(rules, errors.New(rule))
	}
	return errors.Join(rules...)
}
