// Package container makes the bodies of objects: what surrounds and compresses
// the records, by Firehose's CompressionFormat. Each format is one row of
// [Formats]; nothing outside this package tells them apart, but by what the row
// says.
//
// To build one that is not: give its row a writer, a Codec of its own, and raise
// the largest codec that a plan may name (exactlyonce.MaxCodec), so that older
// archivers refuse plans of it as newer.
package container

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// Format is how the body of an object is made of its records.
// Source: Firehose, S3DestinationConfiguration.CompressionFormat.
type Format struct {
	Name      string // as Firehose spells it
	Codec     uint8  // its number in plans; never given to another one
	Extension string // ends the key, with its dot; "" for none
	Encoding  string // the object's Content-Encoding; "" for none

	built  bool
	writer func() (writer, error) // nil: records go out as they are
}

// writer compresses one body after another.
type writer interface {
	io.WriteCloser
	Reset(to io.Writer)
}

// Names of the formats that are built, as Firehose spells them.
const (
	Uncompressed = "UNCOMPRESSED"
	GZIP         = "GZIP"
)

// gzipLevel costs two fifths of the standard library's default level and gives
// about a twentieth more bytes.
const gzipLevel = 5

// Formats returns all of Firehose's formats, the ones that are built first.
func Formats() []Format {
	return []Format{
		{
			Name: GZIP, Codec: 1, Extension: ".gz", Encoding: "gzip", built: true,
			writer: func() (writer, error) { return gzip.NewWriterLevel(nil, gzipLevel) },
		},
		{Name: Uncompressed, Codec: 0, built: true},
		{Name: "ZIP"},
		{Name: "Snappy"},
		{Name: "HADOOP_SNAPPY"},
	}
}

var (
	// ErrUnknown means that Firehose has no format of a name.
	ErrUnknown = errors.New("it is no CompressionFormat")

	// ErrNotBuilt means that this version does not make Firehose's format.
	ErrNotBuilt = errors.New("it is not built yet")
)

// Named returns the format of a name. The error is [ErrUnknown] or
// [ErrNotBuilt], and says which can be chosen.
func Named(name string) (Format, error) {
	for _, f := range Formats() {
		switch {
		case f.Name != name:
		case !f.built:
			return Format{}, fmt.Errorf("%w; choose %s", ErrNotBuilt, Choice())
		default:
			return f, nil
		}
	}
	return Format{}, fmt.Errorf("%w; choose %s", ErrUnknown, Choice())
}

// Coded returns the format of a plan's codec, and whether there is one.
func Coded(codec uint8) (Format, bool) {
	for _, f := range Formats() {
		if f.built && f.Codec == codec {
			return f, true
		}
	}
	return Format{}, false
}

// Choice names the formats that are built, for a sentence.
func Choice() string {
	var names []string
	for _, f := range Formats() {
		if f.built {
			names = append(names, f.Name)
		}
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
