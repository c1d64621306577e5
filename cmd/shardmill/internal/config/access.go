package config

import (
	"regexp"
	"strings"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
	"github.com/shardmill/shardmill/processors/esarchive"
)

// AccessKind is how requests to a cluster are authenticated.
type AccessKind string

// The kinds of access.
const (
	AccessSigV4  AccessKind = "sigv4" // with the credentials of the SDK's environment: Firehose's
	AccessBasic  AccessKind = "basic" // with a user name and a password
	AccessAPIKey AccessKind = "apiKey"
	AccessNone   AccessKind = "none"
)

func accessKinds() []string {
	return []string{string(AccessSigV4), string(AccessBasic), string(AccessAPIKey), string(AccessNone)}
}

// Access says how requests to a cluster are authenticated.
type Access struct {
	Kind     AccessKind
	Username string // of basic
	Password Secret // of basic
	APIKey   Secret // of apiKey, in its encoded form
}

// Secret is a text that is nobody's to see, or the name of a file that has it. It shows
// what it is and not what it says wherever it is formatted.
type Secret struct {
	File string // that has it, and may change; "" if the configuration has it

	text     string
	variable string // as ${NAME}, if the text is that of a variable
}

// NewSecret returns a secret that is not of a file.
func NewSecret(text string) Secret { return Secret{text: text} }

// Reveal returns the text that the configuration has; "" if a file has it.
func (s Secret) Reveal() string { return s.text }

// String does not show it.
func (s Secret) String() string {
	switch {
	case s.File != "":
		return "in " + s.File
	case s.text != "":
		return "given"
	}
	return "none"
}

// GoString does not show it.
func (s Secret) GoString() string { return s.String() }

// lowerFirst returns a name of Firehose's as ours begin.
func lowerFirst(name string) string { return strings.ToLower(name[:1]) + name[1:] }

var oneVariable = regexp.MustCompile(`^\$\{[A-Za-z_][A-Za-z0-9_]*\}$`)

// read reads the text itself. What is wrong with it is told without it.
func (s *Secret) read(p document.Place) {
	if p.FromCommandLine() {
		p.Fault("shows in the list of processes; give the name of a file, as shardmill.%sFile", lowerFirst(p.Name()))
		return
	}
	v := p.Value()
	switch {
	case v.Kind == document.Deferred || v.Kind == document.List || v.Kind == document.Object:
		p.WrongKind("a string")
		return
	case v.Kind != document.Text:
		p.Fault("is no string; put it in quotes")
		return
	case v.Text == "":
		p.Fault("is empty; give it, or remove it")
		return
	}
	for _, c := range v.Text {
		if c < ' ' || c == 0x7f {
			p.Fault("has the control character %U; remove it", c)
			return
		}
	}
	s.text = v.Text
	if oneVariable.MatchString(v.Written) {
		s.variable = v.Written
	}
}

// checkAccess holds together what a file says of access.
func (l *loader) checkAccess() {
	d := &l.documents
	a := &d.config.Access
	auth := d.keys["auth"]
	if a.Kind == "" {
		a.Kind = AccessSigV4
		if auth.Path != "" {
			return // it is wrong, and told
		}
	}
	if d.config.Cluster.Service == esarchive.Serverless && (a.Kind == AccessBasic || a.Kind == AccessAPIKey) {
		auth.Bad("Amazon OpenSearch Serverless takes signed requests alone; set it to sigv4, or remove it")
	}
	for _, name := range []string{"username", "password", "passwordFile", "apiKey", "apiKeyFile"} {
		wanted := AccessBasic
		if name == "apiKey" || name == "apiKeyFile" {
			wanted = AccessAPIKey
		}
		if at := d.keys[name]; at.Path != "" && a.Kind != wanted {
			at.Fault("does nothing while shardmill.auth is %s; set that to %s, or remove it", a.Kind, wanted)
		}
	}
	switch a.Kind {
	case AccessBasic:
		if d.keys["username"].Path == "" {
			auth.Bad("give shardmill.username too")
		}
		if strings.Contains(a.Username, ":") {
			d.keys["username"].Fault("has a colon, which basic authentication cannot say; give the name alone, without the password")
		}
		l.oneSecret("password")
	case AccessAPIKey:
		if strings.ContainsFunc(a.APIKey.text, func(c rune) bool { return c <= ' ' || c > '~' }) {
			d.keys["apiKey"].Fault("has spaces, or what is no ASCII; give it in its encoded form, in base64")
		}
		l.oneSecret("apiKey")
	case AccessSigV4, AccessNone:
	}
}

// oneSecret wants a secret from the configuration, or from a file.
func (l *loader) oneSecret(name string) {
	keys := l.documents.keys
	switch inside, file := keys[name], keys[name+"File"]; {
	case inside.Path != "" && file.Path != "":
		file.Fault("is a second one, beside shardmill.%s in line %d; remove one", name, inside.Line)
	case inside.Path == "" && file.Path == "":
		keys["auth"].Bad("give shardmill.%sFile, the name of a file that has it, or shardmill.%s", name, name)
	}
}
