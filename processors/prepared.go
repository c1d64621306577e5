package processors

import (
	"fmt"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// PreparedCut is what the prepared checkpoint of a lease row says of the cut that
// an archiver had begun to deliver.
type PreparedCut struct {
	Bucket, Key string // of its object; of its bundle, if it may have several; of its marker, if Announced
	First, Last checkpoint.ExtendedSequenceNumber
	Records     int64

	// Announced says that all of it is in the store, and that it is committed when its
	// marker is gone: see CommitOnLoad.
	Announced bool

	// Objects are those of the bundle, if the plan has room for them.
	Objects []PreparedObject
}

// PreparedObject is where an object of a cut goes that may have several.
type PreparedObject struct{ Bucket, Key string }

// ReadPrepared reads the state of a prepared checkpoint, for those who look at
// lease rows: nothing says that the cut will be finished. An error tells why the
// state is not of an archiver of this version, or is damaged.
func ReadPrepared(state []byte) (PreparedCut, error) {
	p, err := exactlyonce.Decode(state)
	if err != nil {
		return PreparedCut{}, fmt.Errorf("reading the state of a prepared checkpoint: %w", err)
	}
	all := p.Targets()
	cut := PreparedCut{Bucket: all[0].Bucket, Key: all[0].Key, First: p.First, Last: p.Last, Records: p.Records, Announced: p.Awaits != nil}
	for _, o := range all[1:] {
		cut.Objects = append(cut.Objects, PreparedObject(o))
	}
	return cut, nil
}
