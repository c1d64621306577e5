package processors

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/shardmill/shardmill/processors/container"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
	"github.com/shardmill/shardmill/processors/prefix"
)

// names are what the keys of objects are made of.
type names struct {
	prefix    prefix.Prefix
	errors    prefix.Prefix
	zone      *time.Location
	stream    string // the delivery stream
	version   int
	extension string // instead of that of the format; "" if it is that
}

// key returns the key of an object whose oldest record arrived at at, in
// Firehose's grammar. One instant, in the same time zone, gives both what stands
// before the name, and the name. The error is one of partition keys.
// Source: Firehose "Configure Amazon S3 object name format".
func (n names) key(at time.Time, id exactlyonce.UUID, f container.Format) (string, error) {
	before, err := n.before(at)
	return n.keyBehind(before, at, id, f), err
}

// keyBehind is key, for a prefix that is evaluated.
func (n names) keyBehind(before string, at time.Time, id exactlyonce.UUID, f container.Format) string {
	return before + n.name(at, id) + n.ending(f)
}

// errorKey returns the key of an object of records that failed. It has no
// extension, whatever is in it.
func (n names) errorKey(at time.Time, id exactlyonce.UUID, errorOutputType string) (string, error) {
	before, err := n.errorBefore(at, errorOutputType)
	return before + n.name(at, id), err
}

// before is what stands before the name of an object without partition keys.
func (n names) before(at time.Time) (string, error) {
	return n.prefix.Evaluate(prefix.Values{At: at.In(n.zone), Random: randomBits})
}

// errorBefore is what stands before the name of an object of records that failed.
func (n names) errorBefore(at time.Time, errorOutputType string) (string, error) {
	return n.errors.Evaluate(prefix.Values{At: at.In(n.zone), Random: randomBits, ErrorOutputType: errorOutputType})
}

func (n names) name(at time.Time, id exactlyonce.UUID) string {
	return fmt.Sprintf("%s-%d-%s-%s", n.stream, n.version, at.In(n.zone).Format("2006-01-02-15-04-05"), id)
}

// ending is the extension of an object.
func (n names) ending(f container.Format) string {
	if n.extension != "" {
		return n.extension
	}
	return f.Extension
}

// longest returns a key of an object that has at least as many bytes as any.
func (n names) longest(f container.Format) string {
	return n.prefix.Longest() + n.name(time.Time{}, exactlyonce.UUID{}) + n.ending(f)
}

// check refuses names of which a key could be made that no reader should meet.
func (n names) check(f container.Format) error {
	failed := n.errors.Longest() + n.name(time.Time{}, exactlyonce.UUID{})
	for _, key := range []string{n.longest(f), failed} {
		if err := prefix.CheckKey(key); err != nil {
			return fmt.Errorf("with these names a key could be %w", err)
		}
	}
	return nil
}

func randomBits() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:])
}

// parseNames returns what c says of names, and everything that is wrong with it.
// field begins the names of its fields.
func (c Config) parseNames(field string) (names, []error) {
	n := names{stream: c.DeliveryStreamName, version: c.Version, extension: c.FileExtension, zone: time.UTC}
	var errs []error
	add := func(name, value string, err error) {
		if err != nil {
			errs = append(errs, refused(field+name, value, err))
		}
	}
	zone, err := prefix.LoadZone(c.CustomTimeZone)
	if add("CustomTimeZone", c.CustomTimeZone, err); err == nil {
		n.zone = zone
	}
	add("FileExtension", c.FileExtension, prefix.CheckExtension(c.FileExtension))
	n.prefix, err = prefix.Parse(c.Prefix, prefix.Objects)
	if err == nil {
		err = c.DynamicPartitioning.checkPrefix(n.prefix)
	}
	switch add("Prefix", c.Prefix, err); {
	case c.ErrorOutputPrefix != "":
		n.errors, err = prefix.Parse(c.ErrorOutputPrefix, prefix.Errors)
		add("ErrorOutputPrefix", c.ErrorOutputPrefix, err)
	case err == nil && (c.Load == nil || !strings.Contains(c.Prefix, "!{")): // else that is refused: see checkLoad
		n.errors, err = n.prefix.ForErrors("")
		add("Prefix", c.Prefix, err)
	}
	return n, errs
}
