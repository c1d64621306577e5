package exactlyonce

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
)

// MaxBytes is the size that an encoded plan should keep, so that a prepare
// costs as few write units as it can. Encode does not enforce it: what may make
// a plan larger is refused when an archiver is configured.
const MaxBytes = 1 << 10

var (
	// ErrForeign means that bytes are not a plan of an archiver.
	ErrForeign = errors.New("not an archiver's plan")

	// ErrNewer means that a plan is of a kind or version that this version
	// does not know. It must not be ignored: a newer archiver can finish it.
	ErrNewer = errors.New("plan of a newer version")

	// ErrBroken means that bytes begin like a plan but are damaged.
	ErrBroken = errors.New("plan is damaged")
)

const (
	magic        = "smplan"
	newestFormat = uint8(XXH3)
	sealedFormat = 2   // of plans of sealed cuts; formats before it had none
	kindRedoable = 'R' // one object, a function of records and plan
	kindSealed   = 'S' // objects whose bodies are in a bundle
	kindAwaits   = 'A' // objects that are there, and are to be loaded
	pipeline     = 1   // what "a function of records and plan" means, and a bundle's index

	newline = "\n" // the only delimiter but none
)

// Tags of a place's or a number's encoding.
const (
	tagEmpty  = 0
	tagDigits = 1 // two digits a byte
	tagText   = 2
)

// Encode returns the plan as bytes that Decode reads, in the format of its digest's
// rule. Times are cut to milliseconds.
//
//	"smplan" format kind pipeline identity uuid after first last
//	arrivals records bytes ... CRC-32 of all before
//
// What is between is that of the kind:
//
//	R  digest hash range, faults and rule bucket key codec delimiter number of headers (0)
//	S  bucket key size, the index's size and digest count number of targets and these
//	A  bucket key
func (p Plan) Encode() []byte {
	b := make([]byte, 0, 512)
	b = append(b, magic...)
	switch {
	case p.Awaits != nil:
		b = append(b, sealedFormat, kindAwaits, pipeline)
		b = appendString(appendString(p.appendCut(b), p.Awaits.Bucket), p.Awaits.Key)
	case p.Bundle != nil:
		b = append(b, sealedFormat, kindSealed, pipeline)
		b = p.Bundle.append(p.appendCut(b))
	default:
		b = append(b, byte(p.Digest.Rule), kindRedoable, pipeline)
		b = p.appendObject(p.appendCut(b))
	}
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

func (p Plan) appendCut(b []byte) []byte {
	b = append(b, p.Identity.row[:]...)
	b = append(b, p.Identity.stream[:]...)
	b = append(b, p.UUID[:]...)
	b = appendPlace(b, p.After)
	b = appendPlace(b, p.First)
	b = appendPlace(b, p.Last)
	b = appendTime(b, p.FirstArrival)
	b = appendTime(b, p.LastArrival)
	b = binary.AppendUvarint(b, uint64(p.Records))
	return binary.AppendUvarint(b, uint64(p.Bytes))
}

func (p Plan) appendObject(b []byte) []byte {
	b = append(b, p.Digest.Sum[:p.Digest.Rule.size()]...)
	b = appendNumber(b, p.HashRange.Start)
	b = appendNumber(b, p.HashRange.End)
	b = append(b, p.HashRange.Faults<<4|p.HashRange.Rule) // versions that know no faults refuse it unless there are none
	b = appendString(b, p.Bucket)
	b = appendString(b, p.Key)
	b = append(b, p.Codec)
	b = appendString(b, p.Delimiter)
	return append(b, 0)
}

func (u *Bundle) append(b []byte) []byte {
	b = appendString(b, u.Bucket)
	b = appendString(b, u.Key)
	b = binary.AppendUvarint(b, uint64(u.Size))
	b = binary.AppendUvarint(b, uint64(u.IndexSize))
	b = append(b, u.Index[:]...)
	b = binary.AppendUvarint(b, uint64(u.Count))
	b = binary.AppendUvarint(b, uint64(len(u.Objects)))
	for _, o := range u.Objects {
		b = appendString(b, o.Bucket)
		b = appendString(b, o.Key)
	}
	return b
}

// Decode reads what Encode wrote.
//
// Errors: ErrForeign, ErrNewer, ErrBroken.
func Decode(b []byte) (Plan, error) {
	return decode(b, known{format: newestFormat, rule: maxRule, codec: MaxCodec})
}

// known are the newest format, hash range rule and codec that a version knows.
type known struct{ format, rule, codec uint8 }

// decode is Decode of a version.
func decode(b []byte, newest known) (Plan, error) {
	if len(b) < len(magic)+1 || string(b[:len(magic)]) != magic {
		return Plan{}, ErrForeign
	}
	format := b[len(magic)]
	switch {
	case format == 0:
		return Plan{}, fmt.Errorf("%w: format 0", ErrBroken)
	case format > newest.format:
		return Plan{}, fmt.Errorf("%w: format %d, known up to %d", ErrNewer, format, newest.format)
	}
	body := b[:max(len(b)-4, 0)]
	if len(body) < len(magic)+3 || crc32.ChecksumIEEE(body) != binary.BigEndian.Uint32(b[len(body):]) {
		return Plan{}, fmt.Errorf("%w: checksum differs", ErrBroken)
	}
	kind, pipe := body[len(magic)+1], body[len(magic)+2]
	isSealed := kind == kindSealed && format >= sealedFormat
	isAwaits := kind == kindAwaits && format >= sealedFormat
	if pipe != pipeline || !isSealed && !isAwaits && kind != kindRedoable {
		return Plan{}, fmt.Errorf("%w: format %d, kind %q, pipeline %d", ErrNewer, format, kind, pipe)
	}
	d := decoder{b: body[len(magic)+3:]}
	p := d.cut()
	var err error
	switch {
	case isAwaits:
		p.Awaits = &Target{Bucket: d.string(), Key: d.string()}
		err = d.end()
	case isSealed:
		p.Bundle, err = d.bundle()
	default:
		err = d.object(&p, DigestRule(format), newest)
	}
	if err != nil {
		return Plan{}, err
	}
	return p, p.validate()
}

// cut reads what follows the pipeline's version.
func (d *decoder) cut() (p Plan) {
	copy(p.Identity.row[:], d.take(16))
	copy(p.Identity.stream[:], d.take(16))
	copy(p.UUID[:], d.take(16))
	p.After, p.First, p.Last = d.place(), d.place(), d.place()
	p.FirstArrival, p.LastArrival = d.time(), d.time()
	p.Records, p.Bytes = int64(d.uvarint()), int64(d.uvarint())
	return p
}

// object reads the rest of a plan of one object.
func (d *decoder) object(p *Plan, digest DigestRule, newest known) error {
	p.Digest.Rule = digest
	copy(p.Digest.Sum[:], d.take(uint64(digest.size())))
	p.HashRange = HashRange{Start: d.number(), End: d.number()}
	split := d.byte()
	p.HashRange.Rule, p.HashRange.Faults = split&15, split>>4
	p.Bucket, p.Key = d.string(), d.string()
	p.Codec = d.byte()
	p.Delimiter = d.string()
	headers := d.uvarint()
	if !d.failed && (headers != 0 || p.Codec > newest.codec || p.HashRange.Rule > newest.rule || p.Delimiter != "" && p.Delimiter != newline) {
		return fmt.Errorf("%w: codec %d, delimiter %.9q, %d headers, hash range rule %d", ErrNewer, p.Codec, p.Delimiter, headers, p.HashRange.Rule)
	}
	return d.end()
}

// bundle reads the rest of a plan of a sealed cut.
func (d *decoder) bundle() (*Bundle, error) {
	u := &Bundle{Bucket: d.string(), Key: d.string(), Size: int64(d.uvarint()), IndexSize: int64(d.uvarint())}
	copy(u.Index[:], d.take(16))
	u.Count = int64(d.uvarint())
	for n := d.uvarint(); n > 0 && !d.failed; n-- {
		u.Objects = append(u.Objects, Target{Bucket: d.string(), Key: d.string()})
	}
	return u, d.end()
}

// end checks that all was read.
func (d *decoder) end() error {
	switch {
	case d.failed:
		return fmt.Errorf("%w: too short or malformed", ErrBroken)
	case len(d.b) != 0:
		return fmt.Errorf("%w: %d bytes too many", ErrBroken, len(d.b))
	default:
		return nil
	}
}

func (p Plan) validate() error {
	switch {
	case p.After.Validate() != nil || p.After.IsShardEnd():
		return fmt.Errorf("%w: it begins after %q", ErrBroken, p.After)
	case !isRecord(p.First) || !isRecord(p.Last) || p.Last.Compare(p.First) < 0 || p.First.Compare(p.After) <= 0:
		return fmt.Errorf("%w: records %q to %q after %q", ErrBroken, p.First, p.Last, p.After)
	case p.Records < 1 || p.Bytes < 0:
		return fmt.Errorf("%w: %d records, %d bytes", ErrBroken, p.Records, p.Bytes)
	}
	for _, t := range p.Targets() {
		if t.Bucket == "" || t.Key == "" {
			return fmt.Errorf("%w: bucket %q, key %q", ErrBroken, t.Bucket, t.Key)
		}
	}
	switch {
	case p.Awaits != nil && !strings.HasSuffix(p.Awaits.Key, "/"+p.UUID.String()):
		return fmt.Errorf("%w: a marker with the key %q, of another plan than %v", ErrBroken, p.Awaits.Key, p.UUID)
	case p.Bundle != nil:
		return p.Bundle.validate(p.UUID)
	default:
		return nil
	}
}

func (u *Bundle) validate(id UUID) error {
	switch {
	case u.IndexSize < 1 || u.IndexSize > MaxIndex || u.Size < u.IndexSize || u.Size > maxBundle:
		return fmt.Errorf("%w: a bundle of %d bytes, %d of index", ErrBroken, u.Size, u.IndexSize)
	case u.Count < 1 || len(u.Objects) > 0 && int64(len(u.Objects)) != u.Count:
		return fmt.Errorf("%w: a bundle with %d objects, of which %d are named", ErrBroken, u.Count, len(u.Objects))
	case !strings.HasSuffix(u.Key, "/"+id.String()):
		return fmt.Errorf("%w: a bundle with the key %q, of another plan than %v", ErrBroken, u.Key, id)
	default:
		return nil
	}
}

// What no archiver exceeds: a plan that says more would have one read what does not
// fit anywhere.
const (
	maxBundle = 64 << 30
	MaxIndex  = 64 << 20
)

func isRecord(e checkpoint.ExtendedSequenceNumber) bool {
	return e.IsRecord() && e.SubSequenceNumber >= 0
}

func appendPlace(b []byte, e checkpoint.ExtendedSequenceNumber) []byte {
	b = appendNumber(b, e.SequenceNumber)
	return binary.AppendUvarint(b, uint64(e.SubSequenceNumber))
}

// appendNumber packs decimal digits; anything else stays text.
func appendNumber(b []byte, s string) []byte {
	if s == "" {
		return append(b, tagEmpty)
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return appendString(append(b, tagText), s)
		}
	}
	b = append(b, tagDigits)
	b = binary.AppendUvarint(b, uint64(len(s)))
	for i := 0; i < len(s); i += 2 {
		low := byte(0)
		if i+1 < len(s) {
			low = s[i+1] - '0'
		}
		b = append(b, (s[i]-'0')<<4|low)
	}
	return b
}

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// appendTime stores one more than the milliseconds since 1970, so that 0 can
// stand for an unknown time.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() || t.UnixMilli() < 0 {
		return append(b, 0)
	}
	return binary.AppendUvarint(b, uint64(t.UnixMilli())+1)
}

// decoder takes values off b until one is malformed; from then on it returns
// zero values.
type decoder struct {
	b      []byte
	failed bool
}

func (d *decoder) take(n uint64) []byte {
	if d.failed || n > uint64(len(d.b)) {
		d.failed = true
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) byte() byte {
	if v := d.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.failed = true
		return 0
	}
	d.take(uint64(n))
	return v
}

func (d *decoder) string() string { return string(d.take(d.uvarint())) }

func (d *decoder) number() string {
	switch d.byte() {
	case tagEmpty:
		return ""
	case tagText:
		return d.string()
	case tagDigits:
		n := d.uvarint()
		if n > 2*uint64(len(d.b)) {
			d.failed = true
			return ""
		}
		packed := d.take((n + 1) / 2)
		s := make([]byte, 0, n+1)
		for _, v := range packed {
			s = append(s, '0'+v>>4, '0'+v&15)
		}
		if d.failed {
			return ""
		}
		return string(s[:n])
	default:
		d.failed = true
		return ""
	}
}

func (d *decoder) place() checkpoint.ExtendedSequenceNumber {
	s := d.number()
	return checkpoint.ExtendedSequenceNumber{SequenceNumber: s, SubSequenceNumber: int64(d.uvarint())}
}

func (d *decoder) time() time.Time {
	v := d.uvarint()
	if v == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(v - 1)).UTC()
}
