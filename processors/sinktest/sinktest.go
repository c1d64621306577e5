// Package sinktest is the conformance suite of processors.ObjectStore: every
// sentence of its contract as a test.
package sinktest

import (
	"testing"

	"github.com/shardmill/shardmill/processors"
)

// Store is a store under test, and what shows what it did.
type Store struct {
	processors.ObjectStore

	// Bucket and Other are two buckets of it. They exist, and have no object.
	Bucket, Other string

	// Missing is a bucket that is not there; "" if the store has every bucket.
	Missing string

	// OnFiles is set of a store whose keys are paths of a file system: no key is a
	// directory of another one, and none has an empty segment.
	OnFiles bool

	// Read reads an object that must be there by another way than the store.
	Read func(tb testing.TB, bucket, key string) Stored
}

// Stored is an object as others see it.
type Stored struct {
	Body                         []byte
	ContentType, ContentEncoding string
}

// Run tests the stores that open returns. open is called once for each test,
// which runs in parallel with the others; it returns a store that nothing else
// uses, and registers its clean-up itself.
func Run(t *testing.T, open func(testing.TB) Store) {
	t.Helper()
	for _, row := range []struct {
		name string
		test func(*suite)
	}{
		{"an object comes back as it was put", (*suite).roundTrip},
		{"an object without encoding has none", (*suite).plain},
		{"an object of any size is whole", (*suite).sizes},
		{"a body is read from its start", (*suite).bodyFromItsStart},
		{"keys are kept as they are", (*suite).keys},
		{"buckets are apart", (*suite).buckets},
		{"a store keeps what it was given before", (*suite).many},
		{"what is not there has no metadata, and that is no error", (*suite).absent},
		{"a put replaces an object and its metadata", (*suite).replaces},
		{"a conditional put stores what is not there", (*suite).ifAbsent},
		{"a conditional put does not replace an object", (*suite).ifAbsentOfAnother},
		{"a conditional put that is repeated is refused", (*suite).ifAbsentAgain},
		{"one of 16 conditional puts wins", (*suite).oneWins},
		{"any part of an object can be read", (*suite).parts},
		{"what is not there cannot be read, and the error says so", (*suite).partsOfNothing},
		{"keys are listed by what they begin with", (*suite).lists},
		{"of many keys some are listed", (*suite).listsMany},
		{"what is deleted is gone, and nothing else", (*suite).deletes},
		{"a call whose context is done learns nothing", (*suite).contextDone},
		{"a bucket that is there can be used", (*suite).checks},
		{"a bucket that is missing is an error", (*suite).missing},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.test(&suite{open(t), t})
		})
	}
}
