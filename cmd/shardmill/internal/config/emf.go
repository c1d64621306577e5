package config

import (
	"regexp"
	"strings"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
)

// metricNamespace is what CloudWatch takes.
// Source: PutMetricData and "Metrics concepts" of the CloudWatch user guide.
var metricNamespace = regexp.MustCompile(`^[0-9A-Za-z._/#\- ][0-9A-Za-z._/#:\- ]{0,254}$`)

func (l *loader) emfNamespace(p document.Place) {
	l.emfGiven = true
	s, ok := p.Text()
	switch {
	case !ok:
	case strings.HasPrefix(s, "AWS/"):
		p.Bad("namespaces that begin with AWS/ are those of AWS's services; choose another")
	case !metricNamespace.MatchString(s) || strings.TrimSpace(s) == "":
		p.Bad("it must be 1-255 characters of a-z A-Z 0-9 . - _ / # : and space, the first one no colon")
	default:
		l.config.EMF.Namespace = s
	}
}

func (l *loader) emfFile(p document.Place) {
	s, ok := p.Text()
	if ok && s == "" {
		p.Bad("name a file, or remove it for standard output")
	}
	l.config.EMF.File, l.emfAt = s, p
}

// emf judges what was read, once all of the file was.
func (l *loader) emf() {
	if l.emfAt.Path != "" && !l.emfGiven {
		l.emfAt.Bad("nothing is written without a namespace; set shardmill.emfNamespace too, or remove it")
	}
}
