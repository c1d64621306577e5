package processors

import (
	"errors"
	"fmt"
	"time"
)

// BufferingHints say when an object is complete: at the first of the two. Both
// must be given, or none.
type BufferingHints struct {
	// SizeInMBs is the size in MiB, before compression: 1-128, default 5. The
	// record that reaches it is the last of the object. While a shard is behind by more
	// than the cut's interval it grows with that, to at most four times and 128 MiB:
	// fewer, larger objects until the shard has caught up. That Firehose does so is
	// documented, these numbers are ours.
	SizeInMBs int

	// IntervalInSeconds is the time since the object's first record came in:
	// 1-900, default 300. Below 60 objects are put by multipart upload
	// (Object.Multipart), as Firehose does; those of a backup never are.
	IntervalInSeconds int

	// ZeroBuffering is Firehose's IntervalInSeconds 0, in place of another interval:
	// an object is complete at the end of each call of ProcessRecords that brought
	// records. Firehose promises "within seconds"; a call a cut is ours.
	ZeroBuffering bool

	// BeyondFirehose allows more than Firehose does: SizeInMBs up to [MaxSizeInMBs]
	// and IntervalInSeconds up to [MaxIntervalInSeconds]. It also puts the objects of
	// short intervals at once, as those of long ones, and allows a backup such intervals.
	BeyondFirehose bool
}

// IsMultipart reports whether also small objects are put by multipart upload, as
// Firehose does with short intervals.
func (h BufferingHints) IsMultipart() bool {
	return h.interval() < multipartBelow && !h.BeyondFirehose
}

// Limits of BufferingHints with BeyondFirehose.
const (
	// MaxSizeInMBs is 1 GiB. Each shard needs twice as much disk, compressed, as
	// the next cut fills while one is put; a cut of several objects needs as much beside,
	// not compressed. And what was prepared by a worker that died is read again before
	// anything else of the shard, at Kinesis' 2 MB/s a shard for nine minutes. With a
	// backup or stages the cut ends when what all of its objects need has come to as much.
	MaxSizeInMBs = 1024

	// MaxIntervalInSeconds is 12 hours: half of the shortest retention period of a
	// stream. When a worker dies late in an interval, there is as much time to read
	// its records again before they expire.
	MaxIntervalInSeconds = 43_200
)

// multipartBelow is the shortest interval with which Firehose puts an object at once.
const multipartBelow = time.Minute

func (h BufferingHints) withDefaults() BufferingHints {
	if h.SizeInMBs == 0 && h.IntervalInSeconds == 0 && !h.ZeroBuffering {
		h.SizeInMBs, h.IntervalInSeconds = 5, 300
	}
	return h
}

// interval is 0 for zero buffering.
func (h BufferingHints) interval() time.Duration {
	return time.Duration(h.IntervalInSeconds) * time.Second
}

func (h BufferingHints) check(field string) error {
	if (h.SizeInMBs == 0) != (h.IntervalInSeconds == 0 && !h.ZeroBuffering) {
		return wrong(field, h, "give both or none; with ZeroBuffering the interval is 0")
	}
	maxSize, maxInterval, more := 128, 900, "; set BeyondFirehose for more"
	if h.BeyondFirehose {
		maxSize, maxInterval, more = MaxSizeInMBs, MaxIntervalInSeconds, ""
	}
	var errs []error
	if h.SizeInMBs < 1 || h.SizeInMBs > maxSize {
		errs = append(errs, wrong(field+".SizeInMBs", h.SizeInMBs, fmt.Sprintf("must be 1-%d%s", maxSize, more)))
	}
	switch {
	case h.ZeroBuffering && h.IntervalInSeconds != 0:
		errs = append(errs, wrong(field+".IntervalInSeconds", h.IntervalInSeconds, "must be 0 with ZeroBuffering, or remove that"))
	case !h.ZeroBuffering && (h.IntervalInSeconds < 1 || h.IntervalInSeconds > maxInterval):
		errs = append(errs, wrong(field+".IntervalInSeconds", h.IntervalInSeconds, fmt.Sprintf("must be 1-%d%s; for Firehose's 0 set ZeroBuffering", maxInterval, more)))
	}
	return errors.Join(errs...)
}
