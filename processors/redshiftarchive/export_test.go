package redshiftarchive

import (
	"time"

	"github.com/shardmill/shardmill/processors"
)

// Settle returns the error of New for a Config.
func Settle(c Config) error {
	_, err := c.settle()
	return err
}

// CopyOf returns the statement of a Config.
func CopyOf(c Config, manifest, credentials string, isSecret bool) (Statement, error) {
	s, err := c.settle()
	if err != nil {
		return Statement{}, err
	}
	return s.statement(manifest, credentials, isSecret)
}

// TablesOf returns what the database is asked about.
func TablesOf(c Config) (Tables, error) {
	s, err := c.settle()
	return s.tables(), err
}

// ManifestKeys returns the keys of the two manifests of a name, and its UUID.
func ManifestKeys(c Config, at time.Time) (success, failed, id string, err error) {
	s, err := c.settle()
	m := s.newManifest(at, nil)
	return s.manifestKey(manifests, m), s.manifestKey(errorsManifests, m), m.id.String(), err
}

// Marked is a marker.
type Marked struct {
	Key     string
	Objects []processors.MarkedObject
}

// NextBatch returns the markers and URLs of the next batch.
func NextBatch(list []Marked) (markers, urls []string) {
	staged := make([]marked, len(list))
	for i, m := range list {
		staged[i] = marked{m.Key, m.Objects}
	}
	b := nextBatch(staged)
	return b.markers, urlsOf(b.objects)
}

// ManifestBody is manifestBody.
func ManifestBody(urls ...string) string { return string(manifestBody(urls)) }

// NextTry is nextTry.
func NextTry(first, ended time.Time, retry time.Duration) (time.Time, bool) {
	return nextTry(first, ended, retry)
}

// OtherAccess returns the error of a COPY as a loader tells it.
func OtherAccess(a Access, err error) error {
	s := settings{Config: Config{Access: a}}
	return s.otherAccess(err)
}
