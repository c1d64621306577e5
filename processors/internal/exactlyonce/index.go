package exactlyonce

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/zeebo/xxh3"
)

// Index says what a bundle has: the bodies of the objects, one after another from its
// beginning. It follows them.
type Index struct {
	UUID    UUID // the plan's
	Objects []Object
}

// Object is one of a sealed cut.
type Object struct {
	Target

	Role   Role
	Size   int64    // of the body
	Digest [16]byte // its XXH3-128, seed 0, highest byte first

	ContentType, ContentEncoding string // as it is put; "" for none

	Records, Bytes int64     // that the body was made of
	Oldest         time.Time // arrival of the oldest of these; whole milliseconds, UTC; zero if unknown
}

// Role is what a cut has an object for. It changes what is told of the object, and, of
// a marker, when it is put: after all others.
type Role uint8

// The roles.
const (
	Delivery Role = 0 // what the destination is to have
	Backup   Role = 1 // records as they came
	Failed   Role = 2 // what could not be delivered
	Marker   Role = 3 // says that what is delivered can be loaded
)

const (
	indexMagic     = "smindex"
	indexVersion   = 1
	markingVersion = 2 // of an index with a marker: what knows version 1 alone would put it in any order
)

// Encode returns the index as bytes that JudgeIndex reads.
//
//	"smindex" version uuid number of objects, and of each
//	bucket key role size digest type encoding records bytes oldest number of headers (0)
//
// The version is 1, or 2 if the last object is a marker.
func (x Index) Encode() []byte {
	b := make([]byte, 0, 64+256*len(x.Objects))
	b = append(b, indexMagic...)
	if x.HasMarker() {
		b = append(b, markingVersion)
	} else {
		b = append(b, indexVersion)
	}
	b = append(b, x.UUID[:]...)
	b = binary.AppendUvarint(b, uint64(len(x.Objects)))
	for _, o := range x.Objects {
		b = appendString(b, o.Bucket)
		b = appendString(b, o.Key)
		b = append(b, byte(o.Role))
		b = binary.AppendUvarint(b, uint64(o.Size))
		b = append(b, o.Digest[:]...)
		b = appendString(b, o.ContentType)
		b = appendString(b, o.ContentEncoding)
		b = binary.AppendUvarint(b, uint64(o.Records))
		b = binary.AppendUvarint(b, uint64(o.Bytes))
		b = appendTime(b, o.Oldest)
		b = append(b, 0)
	}
	return b
}

// HasMarker reports whether the last object is a marker.
func (x Index) HasMarker() bool {
	n := len(x.Objects)
	return n > 0 && x.Objects[n-1].Role == Marker
}

// Sum returns the digest that a plan has of an index, and an index of a body.
func Sum(b []byte) [16]byte { return xxh3.Hash128(b).Bytes() }

// JudgeIndex returns the index of a plan's bundle, of which b is the end. Nothing of
// the bundle may be put anywhere unless the error is nil: the index is then the one
// that the plan was made with, its bodies fill the bundle, and each target is good
// by Target.Judge.
//
// Errors: ErrNewer, ErrBroken, ErrBucket, ErrKey.
func JudgeIndex(u Bundle, id UUID, b []byte, buckets []string) (Index, error) {
	if int64(len(b)) != u.IndexSize || Sum(b) != u.Index {
		return Index{}, fmt.Errorf("%w: the bundle's index is not the plan's", ErrBroken)
	}
	x, err := decodeIndex(b)
	switch {
	case err != nil:
		return Index{}, err
	case x.UUID != id || int64(len(x.Objects)) != u.Count:
		return Index{}, fmt.Errorf("%w: a bundle of plan %v with %d objects; the plan is %v with %d", ErrBroken, x.UUID, len(x.Objects), id, u.Count)
	}
	bodies := u.Size - u.IndexSize
	there := make(map[Target]bool, len(x.Objects))
	for _, o := range x.Objects {
		if there[o.Target] {
			return Index{}, fmt.Errorf("%w: two objects of the bundle have the key %q", ErrBroken, o.Key)
		}
		there[o.Target] = true
		if o.Size < 0 || o.Size > bodies {
			return Index{}, fmt.Errorf("%w: the bodies are larger than the bundle", ErrBroken)
		}
		bodies -= o.Size
		if err := o.Judge(buckets); err != nil {
			return Index{}, err
		}
	}
	if bodies != 0 {
		return Index{}, fmt.Errorf("%w: %d bytes of the bundle are of no object", ErrBroken, bodies)
	}
	return x, nil
}

func decodeIndex(b []byte) (Index, error) {
	if len(b) < len(indexMagic)+1 || string(b[:len(indexMagic)]) != indexMagic {
		return Index{}, fmt.Errorf("%w: no index of a bundle", ErrBroken)
	}
	version := b[len(indexMagic)]
	if version != indexVersion && version != markingVersion {
		return Index{}, fmt.Errorf("%w: version %d of a bundle's index, known up to %d", ErrNewer, version, markingVersion)
	}
	d := decoder{b: b[len(indexMagic)+1:]}
	var x Index
	copy(x.UUID[:], d.take(16))
	var headers uint64
	for n := d.uvarint(); n > 0 && !d.failed; n-- {
		o := Object{Target: Target{Bucket: d.string(), Key: d.string()}, Role: Role(d.byte()), Size: int64(d.uvarint())}
		copy(o.Digest[:], d.take(16))
		o.ContentType, o.ContentEncoding = d.string(), d.string()
		o.Records, o.Bytes = int64(d.uvarint()), int64(d.uvarint())
		o.Oldest = d.time()
		headers |= d.uvarint()
		x.Objects = append(x.Objects, o)
	}
	if headers != 0 && !d.failed {
		return Index{}, fmt.Errorf("%w: a bundle's objects have headers", ErrNewer)
	}
	if err := d.end(); err != nil {
		return Index{}, err
	}
	return x, x.checkRoles(version)
}

// checkRoles refuses a marker that is not last, or that the version does not tell of.
func (x Index) checkRoles(version byte) error {
	for i, o := range x.Objects {
		switch {
		case version == markingVersion && o.Role > Marker:
			return fmt.Errorf("%w: role %d of a bundle's object", ErrNewer, o.Role)
		case o.Role == Marker && (version != markingVersion || i != len(x.Objects)-1):
			return fmt.Errorf("%w: object %d of %d of a bundle is a marker, in version %d of the index", ErrBroken, i, len(x.Objects), version)
		}
	}
	if version == markingVersion && !x.HasMarker() {
		return fmt.Errorf("%w: version %d of a bundle's index without a marker", ErrBroken, version)
	}
	return nil
}

// Targets returns where the objects go.
func (x Index) Targets() []Target {
	out := make([]Target, 0, len(x.Objects))
	for _, o := range x.Objects {
		out = append(out, o.Target)
	}
	return out
}
