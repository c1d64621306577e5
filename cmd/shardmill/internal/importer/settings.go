package importer

import (
	"maps"
	"slices"
	"strings"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
)

// ourKey is the key of a document that is not Firehose's.
const ourKey = "shardmill"

// settings are the values that were given beside the file.
type settings struct {
	given map[string]string
	used  map[string]bool
}

func newSettings(given map[string]string) *settings {
	return &settings{given: given, used: map[string]bool{}}
}

// lookUp returns what was given for a name.
func (s *settings) lookUp(name string) (document.Value, bool) {
	text, ok := s.given[name]
	if !ok {
		return document.Value{}, false
	}
	s.used[name] = true
	return document.Value{Kind: document.Text, Text: text, Loose: true, Path: "--set " + document.Name(name)}, true
}

// ours returns a document with the members of the shardmill key that were given
// beside it, instead of those that it or others have.
func (s *settings) ours(doc, others document.Value) document.Value {
	key, there := doc.Member(ourKey)
	if there && key.Kind != document.Object {
		return doc
	}
	key.Kind = document.Object
	key.Members = slices.Clone(key.Members)
	for _, m := range others.Members {
		if _, twice := key.Member(m.Key); !twice {
			key.Members = append(key.Members, m)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.given)) {
		member, is := strings.CutPrefix(name, ourKey+".")
		if !is {
			continue
		}
		v, _ := s.lookUp(name)
		if member == "formerBuckets" || member == "endpoints" {
			v = document.Value{Kind: document.List, Path: v.Path, Items: []document.Value{v}}
		}
		key.Members = slices.DeleteFunc(key.Members, func(m document.Member) bool { return m.Key == member })
		key.Members = append(key.Members, document.Member{Key: member, Value: v})
	}
	if !there && len(key.Members) == 0 {
		return doc
	}
	doc.Members = slices.DeleteFunc(slices.Clone(doc.Members), func(m document.Member) bool { return m.Key == ourKey })
	doc.Members = append(doc.Members, document.Member{Key: ourKey, Line: key.Line, Value: key})
	return doc
}

// begins warns that it is for the user to say where reading begins, if nobody
// did.
func (s *settings) begins(r *document.Report, doc document.Value) {
	key, _ := doc.Member(ourKey)
	if _, given := key.Member("initialPosition"); !given {
		r.WarnAt(0, "nothing says how far Firehose is in the Kinesis stream; shards without a lease are read from TRIM_HORIZON, the oldest record there is, so that what Firehose delivered is delivered again; --set %s.initialPosition=LATEST, or a time, begins elsewhere", ourKey)
	}
}

// leftOver reports values that nobody asked for.
func (s *settings) leftOver(r *document.Report) {
	for _, name := range slices.Sorted(maps.Keys(s.given)) {
		if !s.used[name] {
			r.FaultAt(0, "--set %s gives what the file does not leave open; correct the name, or remove it", document.Name(name))
		}
	}
}
