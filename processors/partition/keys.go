package partition

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/itchyny/gojq"

	"github.com/shardmill/shardmill/processors/partition/internal/jq"
)

const (
	maxQuery = 5120 // characters
	maxKeys  = 50
)

// The members of Rules.
const (
	queryField   = "Query"
	timeField    = "EventTime"
	formatsField = "Formats"
)

// program parses a query that is the value of a member.
func program(field, query string) (*gojq.Query, error) {
	if n := utf8.RuneCountInString(query); n > maxQuery {
		return nil, &Error{
			field, fmt.Sprintf("has %d characters", n), fmt.Sprintf("it may have at most %d", maxQuery),
			fmt.Sprintf("Member must have length less than or equal to %d", maxQuery),
		}
	}
	if !utf8.ValidString(query) {
		return nil, &Error{Field: field, Reason: "is not UTF-8", Remedy: "write it in UTF-8"}
	}
	q, err := jq.Parse(query)
	if err != nil {
		return nil, faults(field, err)
	}
	return q, nil
}

// faults makes the errors of package jq those of a member.
func faults(field string, err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var errs []error
		for _, e := range joined.Unwrap() {
			errs = append(errs, faults(field, e))
		}
		return errors.Join(errs...)
	}
	if f, ok := errors.AsType[*jq.Fault](err); ok {
		return &Error{Field: field, Reason: f.Reason, Remedy: f.Remedy}
	}
	return err
}

func (x *Extraction) compileQuery(query string, tree *node, around bool) error {
	if query == "" {
		return nil
	}
	q, err := program(queryField, query)
	if err != nil {
		return err
	}
	object, err := lastObject(q)
	if err != nil {
		return err
	}
	keys, err := keysOf(object)
	paths, plain := plainPaths(q)
	if !plain || !around {
		var compileErr error
		if x.query, compileErr = jq.Compile(q); compileErr != nil {
			err = errors.Join(err, faults(queryField, compileErr))
		}
	} else {
		for i, p := range paths {
			tree.add(p, i)
		}
	}
	x.keys = keys
	return err
}

// lastObject returns the object in which a query ends.
func lastObject(q *gojq.Query) (*gojq.Object, error) {
	for {
		switch {
		case q.Term == nil && q.Op == gojq.OpPipe:
			q = q.Right
		case q.Term != nil && q.Term.Type == gojq.TermTypeQuery && len(q.Term.SuffixList) == 0:
			q = q.Term.Query
		case q.Term != nil && q.Term.Type == gojq.TermTypeObject && len(q.Term.SuffixList) == 0:
			return q.Term.Object, nil
		default:
			return nil, &Error{
				Field: queryField, Reason: "does not end in an object of partition keys",
				Remedy: "write it as {NAME: QUERY, …}, or as … | {NAME: QUERY, …}",
			}
		}
	}
}

func keysOf(object *gojq.Object) ([]string, error) {
	var keys []string
	var errs []error
	refuse := func(reason, remedy string) {
		errs = append(errs, &Error{Field: queryField, Reason: reason, Remedy: remedy})
	}
	for _, kv := range object.KeyVals {
		name, ok := literal(kv)
		switch {
		case !ok:
			refuse("has a name that it computes", "write each name as it is, since the prefix must mention it")
		case name == "":
			refuse("has a name that is empty", "give it one that the prefix can mention")
		case slices.Contains(keys, name):
			refuse(fmt.Sprintf("has the name %q twice", name), "name each partition key once")
		default:
			keys = append(keys, name)
		}
	}
	if n := len(object.KeyVals); n == 0 || n > maxKeys {
		refuse(fmt.Sprintf("has %d partition keys", n), fmt.Sprintf("it must have 1-%d", maxKeys))
	}
	return keys, errors.Join(errs...)
}

// literal returns the name of a member, if it is one without being computed.
func literal(kv *gojq.ObjectKeyVal) (name string, ok bool) {
	switch {
	case kv.Key != "":
		return strings.TrimPrefix(kv.Key, "$"), true
	case kv.KeyString != nil && kv.KeyString.Queries == nil:
		return kv.KeyString.Str, true
	}
	return "", false
}

// plainPaths returns the paths of the members of a query that is an object of plain paths.
func plainPaths(q *gojq.Query) ([]path, bool) {
	if q.Term == nil || len(q.FuncDefs) > 0 || q.Term.Type != gojq.TermTypeObject {
		return nil, false
	}
	var paths []path
	for _, kv := range q.Term.Object.KeyVals {
		name, ok := literal(kv)
		if !ok || strings.HasPrefix(kv.Key, "$") {
			return nil, false
		}
		p := path{{name: name}}
		if kv.Val != nil {
			if p, ok = plainPath(kv.Val); !ok {
				return nil, false
			}
		}
		paths = append(paths, p)
	}
	return paths, true
}

// run finds the keys by jq.
func (e *Extractor) run(ctx context.Context, data []byte) error {
	defer e.query.Forget()
	v, err := only(ctx, e.query, data)
	if err != nil {
		return err
	}
	object, _ := v.(map[string]any)
	for i, key := range e.x.keys {
		begin := len(e.buf)
		switch v := object[key].(type) {
		case nil:
		case string:
			e.buf = append(e.buf, v...)
		case []any, map[string]any:
			return failure(notScalar)
		default:
			if e.buf = e.query.Print(e.buf, v); isNaN(v) {
				e.buf = e.buf[:begin] // which jq prints as null
			}
		}
		if len(e.buf) == begin {
			return failure(nullOrEmpty)
		}
		e.values[i] = e.buf[begin:len(e.buf):len(e.buf)]
	}
	return nil
}

func isNaN(v any) bool {
	f, ok := v.(float64)
	return ok && f != f
}
