package redshiftarchive

import (
	"time"

	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// Check returns all that is wrong with c, each as an error of its own that begins with the
// name of the field; nil if New would take it.
func (c Config) Check() error {
	_, err := c.settle()
	return err
}

// Example is what a Loader would do with a batch, with UUIDs of zeros.
type Example struct {
	Statement      Statement // with the role that Access has; other credentials are not in it
	Manifest       string    // URL of the manifest
	ErrorsManifest string    // URL of that of a batch that is given up
}

// Example returns what a Loader would do with a batch whose manifest is made at a time. It
// does no I/O: credentials that would have to be asked for are shown as a secret is. The
// error is that of Check.
func (c Config) Example(at time.Time) (Example, error) {
	s, err := c.settle()
	if err != nil {
		return Example{}, err
	}
	m := s.named(at, exactlyonce.UUID{}, nil)
	e := Example{Manifest: s.url(s.manifestKey(manifests, m)), ErrorsManifest: s.url(s.manifestKey(errorsManifests, m))}
	role, isRole := c.Access.(RoleAccess)
	e.Statement, err = s.statement(e.Manifest, role.text(), !isRole)
	return e, err
}
