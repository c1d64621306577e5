package localrun

import (
	"fmt"
	"io"
	"time"
)

// Summary is the result of a run. Its JSON form is what --json prints; the
// names stay.
type Summary struct {
	Records      int64         `json:"records"`       // put
	Bytes        int64         `json:"bytes"`         // put
	Objects      int64         `json:"objects"`       // of this run
	ObjectBytes  int64         `json:"object_bytes"`  // of the objects, compressed
	Ratio        float64       `json:"ratio"`         // bytes by object_bytes; 0 if there are none
	Seconds      float64       `json:"seconds"`       // from the start to the end of the verification
	Shards       int           `json:"shards"`        // at the start
	Reshards     int           `json:"reshards"`      // splits and merges
	Workers      []WorkerShare `json:"workers"`       // by worker
	Verified     bool          `json:"verified"`      // each record is in exactly one object
	Interrupted  bool          `json:"interrupted"`   // putting was stopped early
	Directory    string        `json:"directory"`     // that has the objects as files
	MegabytesSec float64       `json:"megabytes_sec"` // bytes by seconds, in units of 10^6

	// Of a run with documents, whose objects are those of documents that failed.
	Destination string  `json:"destination,omitempty"`
	Engine      string  `json:"engine,omitempty"`
	Documents   int64   `json:"documents,omitempty"` // in the indices
	Requests    int64   `json:"requests,omitempty"`  // to the cluster
	Failed      int64   `json:"failed,omitempty"`    // lines of error objects
	NotJSON     int64   `json:"not_json,omitempty"`  // of these, records that are no JSON objects
	Indices     []Index `json:"indices,omitempty"`

	// Of a run with Redshift, whose objects are those that are staged.
	Rows      int64 `json:"rows,omitempty"`       // in the table
	Loads     int   `json:"loads,omitempty"`      // COPYs that were committed
	NotLoaded int64 `json:"not_loaded,omitempty"` // records in objects that manifests name as not loaded
}

// WorkerShare is what one worker archived.
type WorkerShare struct {
	Records int64 `json:"records"`
	Bytes   int64 `json:"bytes"`
	Objects int64 `json:"objects"`
}

func (j *job) summary(objects, objectBytes int64) Summary {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := Summary{
		Records: j.put.Records, Bytes: j.putBytes, Objects: objects, ObjectBytes: objectBytes,
		Seconds: time.Since(j.began).Seconds(), Shards: j.o.Shards, Reshards: j.reshards,
		Workers: j.workers, Verified: true, Directory: j.o.Dir + "/" + bucket,
	}
	if objectBytes > 0 && j.index == nil {
		s.Ratio = float64(s.Bytes) / float64(objectBytes)
	}
	s.MegabytesSec = float64(s.Bytes) / 1e6 / s.Seconds
	return s
}

// Print writes the summary for people.
func (s Summary) Print(w io.Writer) {
	p := func(format string, a ...any) { _, _ = fmt.Fprintf(w, format+"\n", a...) }
	p("records    %d", s.Records)
	p("bytes      %d", s.Bytes)
	redshift := s.Destination == string(ToRedshift)
	switch {
	case redshift:
		s.printLoads(p)
	case s.Destination != "":
		s.printDocuments(p)
	default:
		p("objects    %d in %s", s.Objects, s.Directory)
		p("compressed %d bytes, ratio %.2f", s.ObjectBytes, s.Ratio)
	}
	p("seconds    %.1f (%.1f MB/s)", s.Seconds, s.MegabytesSec)
	for i, worker := range s.Workers {
		share := 0.0
		if s.Records > 0 {
			share = 100 * float64(worker.Records) / float64(s.Records)
		}
		if s.Destination != "" && !redshift {
			p("worker-%d   %d records, %.0f %%", i+1, worker.Records, share)
			continue
		}
		p("worker-%d   %d records in %d objects, %.0f %%", i+1, worker.Records, worker.Objects, share)
	}
	p("reshards   %d", s.Reshards)
	if s.Interrupted {
		p("interrupted: only a part of the input was put")
	}
	switch {
	case redshift:
		p("%s", s.verdictOfLoads())
	case s.Destination != "":
		p("%s", s.verdictOfDocuments())
	case s.Verified:
		p("verified: every record that was put is in exactly one object")
	default:
		p("NOT VERIFIED: the objects do not hold each record exactly once")
	}
}
