package s3archive_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/localaws"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
	"github.com/shardmill/shardmill/processors/s3archive"
)

var _ redshiftarchive.Store = (*s3archive.Store)(nil)

// An object is read whole, or the error says why it is not.
func TestRead(t *testing.T) {
	t.Parallel()
	l := open(t, localaws.Options{})
	l.makeBucket(t)
	for name, data := range map[string][]byte{"none": nil, "some": small(), "ümläut+%20": []byte("x"), "many": large()} {
		o := object(name, "plan-1", data)
		o.ContentEncoding = "gzip" // it is not undone
		if err := l.store.Put(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		for _, more := range []int64{0, 1, 1 << 20} {
			if got, err := l.store.Read(t.Context(), "bucket", name, int64(len(data))+more); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s: %d bytes, %v; want %d", name, len(got), err, len(data))
			}
		}
		if got, err := l.store.Read(t.Context(), "bucket", name, int64(len(data))-1); !errors.Is(err, processors.ErrRange) || got != nil {
			t.Errorf("%s is larger than it may be: %d bytes, %v", name, len(got), err)
		}
	}
	for _, key := range []string{"som", "some/", "other"} {
		if _, err := l.store.Read(t.Context(), "bucket", key, 100); !errors.Is(err, processors.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", key, err)
		}
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.store.Read(done, "bucket", "other", 100); err == nil || errors.Is(err, processors.ErrNotFound) {
		t.Errorf("when nobody answered: %v", err)
	}
	for code, want := range map[string]error{"AccessDenied": processors.ErrAccessDenied, "InternalError": nil} {
		status := map[string]int{"AccessDenied": 403, "InternalError": 500}[code]
		f := l.Faults().Add(localaws.Fault{Service: localaws.S3, Operation: "GetObject", Kind: localaws.Error(status, code), Times: 1})
		_, err := l.store.Read(t.Context(), "bucket", "some", 100)
		if err == nil || errors.Is(err, processors.ErrAccessDenied) != (want != nil) || errors.Is(err, processors.ErrNotFound) || errors.Is(err, processors.ErrRange) || f.Hits() != 1 {
			t.Errorf("%s: %v after %d requests", code, err, f.Hits())
		}
	}
}

// An answer that stops coming ends, and one that is cut is an error.
func TestReadOfAnAnswerThatStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := storeOn(t, wire{200, string(make([]byte, 1000)), time.Second})
		begun := time.Now()
		_, err := store.Read(t.Context(), "bucket", "k", 1000)
		if late, ok := errors.AsType[*deadline.Error](err); !ok || !late.Body || time.Since(begun) > time.Minute {
			t.Errorf("ended after %v with %v", time.Since(begun), err)
		}
	})
}
