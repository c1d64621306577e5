package config

import (
	"errors"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
	"github.com/shardmill/shardmill/processors/prefix"
)

func (l *loader) prefix(p document.Place) {
	s, read, ok := readPrefix(p, prefix.Objects)
	if !ok {
		l.prefixWrong = true
		return
	}
	warnOfMarks(p, s)
	l.config.Delivery.Prefix = s
	l.objects, l.prefixAt = read, p
}

func (l *loader) errorOutputPrefix(p document.Place) {
	s, _, ok := readPrefix(p, prefix.Errors)
	l.errorsWrong = !ok
	if !ok || s == "" {
		return
	}
	warnOfMarks(p, s)
	l.errorsAt = p
	l.config.Delivery.ErrorOutputPrefix = s
}

// checkPrefixes refuses a Prefix that needs an ErrorOutputPrefix and has none, or has
// partition keys without dynamic partitioning.
func (l *loader) checkPrefixes() {
	if l.prefixAt.Path == "" || l.partitioning.off() && tell(l.prefixAt, l.objects.CheckPartitioning(false)) || l.errorsWrong {
		return
	}
	if l.partitioning.on && l.objects.Literal() && l.errorsAt.Path == "" {
		return // see requirePrefixes
	}
	_, err := l.objects.ForErrors(l.config.Delivery.ErrorOutputPrefix)
	tell(l.prefixAt, err)
}

// warnOfErrorPrefix warns of an ErrorOutputPrefix under which nothing is ever put.
func (l *loader) warnOfErrorPrefix() {
	if d := l.config.Delivery; l.documents.on() || l.errorsAt.Path == "" || d.Decompression || l.config.Transform != nil || !l.partitioning.off() {
		return
	}
	l.errorsAt.Warn("it has no effect: no record can fail without dynamic partitioning, or a processor such as Decompression or Lambda")
}

// readPrefix returns a prefix that can be used.
func readPrefix(p document.Place, k prefix.Kind) (string, prefix.Prefix, bool) {
	s, ok := p.Text()
	if !ok {
		return "", prefix.Prefix{}, false
	}
	read, err := prefix.Parse(s, k)
	return s, read, !tell(p, err)
}

// tell says what is wrong with a value, if something is, and what Firehose says.
func tell(p document.Place, err error) bool {
	if err == nil {
		return false
	}
	e, ok := errors.AsType[*prefix.Error](err)
	if !ok {
		p.Bad("%s", err.Error())
		return true
	}
	text := e.Error()
	switch {
	case e.Rule != "":
		text = says(text, "The supplied prefix(es) do not satisfy the following constraint: "+e.Rule)
	case e.Member != "":
		text = says(text, constraint(p, e.Member))
	case e.Answer != "":
		text = says(text, e.Answer)
	}
	if e.Remedy != "" {
		p.Bad("%s", text)
	} else {
		p.Fault("%s", text)
	}
	return true
}

func (l *loader) fileExtension(p document.Place) {
	if s, ok := p.Text(); ok && !tell(p, prefix.CheckExtension(s)) {
		l.config.Delivery.FileExtension = s
	}
}

func (l *loader) customTimeZone(p document.Place) {
	s, ok := p.Text()
	if !ok {
		return
	}
	if _, err := prefix.LoadZone(s); !tell(p, err) {
		l.config.Delivery.CustomTimeZone = s
	}
}
