package config

import (
	"errors"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
	"github.com/shardmill/shardmill/processors/prefix"
)

func (l *loader) prefix(p document.Place) {
	if s, ok := readPrefix(p, prefix.Objects); ok {
		warnOfMarks(p, s)
		l.config.Delivery.Prefix = s
	}
}

// errorOutputPrefix checks a prefix that no object gets.
func errorOutputPrefix(p document.Place) {
	if s, ok := readPrefix(p, prefix.Errors); ok && s != "" {
		p.Warn("it has no effect: this version writes no error records")
	}
}

// readPrefix returns a prefix that can be used.
func readPrefix(p document.Place, k prefix.Kind) (string, bool) {
	s, ok := p.Text()
	if !ok {
		return "", false
	}
	_, err := prefix.Parse(s, k)
	e, wrong := errors.AsType[*prefix.Error](err)
	if !wrong {
		return s, true
	}
	text := e.Error()
	switch {
	case e.Rule != "":
		text = says(text, "The supplied prefix(es) do not satisfy the following constraint: "+e.Rule)
	case e.Member != "":
		text = says(text, constraint(p, e.Member))
	}
	if e.Remedy != "" {
		p.Bad("%s", text)
	} else {
		p.Fault("%s", text)
	}
	return "", false
}
