// Package container makes the bodies of objects: what surrounds and compresses
// the records, by Firehose's CompressionFormat. Each format is one row of
// [Formats]; nothing outside this package tells them apart, but by what the row
// says.
//
// # The formats
//
// What is documented (D), observed in what Firehose delivered (O) or inferred
// from the program that a format is named after (I):
//
//	GZIP           one member over all records (D); its header says no time
//	ZIP            an archive with one deflated entry, whose name is a UUID (O): the object's (I). Its time is
//	               1980-01-01, so that a body is a function of records and plan
//	Snappy         the stream of snappy-java, "xerial" (O): magic, two versions of 1 (I), and blocks of 32 KiB of
//	               input (O), each after its length; 32 bits, highest byte first
//	HADOOP_SNAPPY  the stream of Hadoop's BlockCompressorStream (O): blocks after their length before and after
//	               compression, of 218,422 bytes of input: its buffer of 256 KiB less the overhead that it allows
//	               for, a sixth and 32 bytes (I). Blocks are filled whatever records end in them, and each has a
//	               length of its own, which readers need that know no more. Nothing at all is a block of length 0 (I).
//	               Its extension is .snappy, as observed; the guide says .hsnappy
//	ZSTD           ours: one frame of Zstandard with a checksum
//
// Firehose has no levels of compression; ours of GZIP is [Format.WithLevel].
package container

import (
	"errors"
	"fmt"
	"strings"
)

// Format is how the body of an object is made of its records.
// Source: Firehose, S3DestinationConfiguration.CompressionFormat.
type Format struct {
	Name      string // as Firehose spells it
	Codec     uint8  // its number in plans; never given to another one
	Extension string // ends the key, with its dot; "" for none
	Encoding  string // the object's Content-Encoding; "" for none
	Ours      bool   // Firehose has no such format

	level  int                             // of GZIP
	writer func(level int) (writer, error) // nil: records go out as they are
}

// Names of the formats, as Firehose spells its own.
const (
	Uncompressed = "UNCOMPRESSED"
	GZIP         = "GZIP"
	ZIP          = "ZIP"
	Snappy       = "Snappy"
	HadoopSnappy = "HADOOP_SNAPPY"
	ZSTD         = "ZSTD"
)

// Formats returns all formats, Firehose's first.
func Formats() []Format {
	return []Format{
		{Name: GZIP, Codec: 1, Extension: ".gz", Encoding: "gzip", writer: newGzip, level: DefaultLevel},
		{Name: ZIP, Codec: 2, Extension: ".zip", Encoding: "zip", writer: newZip},
		{Name: Snappy, Codec: 3, Extension: ".snappy", Encoding: "snappy-java", writer: newXerial},
		{Name: HadoopSnappy, Codec: 4, Extension: ".snappy", Encoding: "hadoop-snappy", writer: newHadoop},
		{Name: Uncompressed, Codec: 0},
		{Name: ZSTD, Codec: 5, Extension: ".zst", Encoding: "zstd", Ours: true, writer: newZstd},
	}
}

// ErrUnknown means that no format has a name.
var ErrUnknown = errors.New("it is no CompressionFormat")

// Named returns the format of a name. The error is [ErrUnknown], and says which
// can be chosen.
func Named(name string) (Format, error) {
	for _, f := range Formats() {
		if f.Name == name {
			return f, nil
		}
	}
	return Format{}, fmt.Errorf("%w; choose %s", ErrUnknown, Choice(true))
}

// Coded returns the format of a plan's codec, and whether there is one.
func Coded(codec uint8) (Format, bool) {
	for _, f := range Formats() {
		if f.Codec == codec {
			return f, true
		}
	}
	return Format{}, false
}

// DefaultLevel of GZIP costs two fifths of the standard library's default level
// and gives about a twentieth more bytes.
const DefaultLevel = 5

// ErrNoLevel means that a format has no levels.
var ErrNoLevel = errors.New("only GZIP has levels")

// WithLevel returns the format with a level of compression, 1 (fast) to 9
// (small), of which [DefaultLevel] is the default. Of all formats only GZIP has
// levels; the error is [ErrNoLevel] or tells the range.
func (f Format) WithLevel(level int) (Format, error) {
	switch {
	case f.level == 0:
		return f, ErrNoLevel
	case level < 1 || level > 9:
		return f, errors.New("it must be 1-9")
	}
	f.level = level
	return f, nil
}

// Choice names the formats for a sentence: Firehose's, or with ours all of them.
func Choice(ours bool) string {
	var names []string
	for _, f := range Formats() {
		if ours || !f.Ours {
			names = append(names, f.Name)
		}
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
