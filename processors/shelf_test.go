package processors_test

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/sinktest"
)

// shelf is an object store in memory that keeps the order of the puts. It has
// every bucket.
type shelf struct {
	fail func() error  // asked before each put, unless nil
	slow time.Duration // what a put takes

	mu      sync.Mutex
	objects []shelved

	running map[string]int // puts, by what their first word says before a dot
	twice   bool           // two of a kind ran at once
}

// shelved is an object that was put, and its bytes.
type shelved struct {
	processors.Object

	body []byte
}

// enter notes that a put runs; leave that it has ended.
func (s *shelf) enter(body []byte) (leave func()) {
	kind, _, _ := strings.Cut(string(body), ".")
	count := func(n int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.running == nil {
			s.running = make(map[string]int)
		}
		s.running[kind] += n
		s.twice = s.twice || s.running[kind] > 1
	}
	count(1)
	return func() { count(-1) }
}

func (s *shelf) Put(ctx context.Context, o processors.Object) error {
	body, err := io.ReadAll(io.NewSectionReader(o.Body, 0, o.Body.Size()))
	if err != nil {
		return err
	}
	leave := s.enter(body)
	defer leave()
	time.Sleep(s.slow)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		if err := s.fail(); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	switch there := s.find(o.Bucket, o.Key); {
	case there == nil:
		s.objects = append(s.objects, shelved{o, body})
	case o.IfAbsent:
		return processors.ErrExists
	default:
		*there = shelved{o, body}
	}
	return nil
}

// find returns the object that a key has, nil if there is none.
func (s *shelf) find(bucket, key string) *shelved {
	for i, o := range s.objects {
		if o.Bucket == bucket && o.Key == key {
			return &s.objects[i]
		}
	}
	return nil
}

func (s *shelf) Head(ctx context.Context, bucket, key string) (map[string]string, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.find(bucket, key); o != nil && ctx.Err() == nil {
		return o.Metadata, true, nil
	}
	return nil, false, ctx.Err()
}

// Get implements ObjectStore.
func (s *shelf) Get(ctx context.Context, bucket, key string, offset, length int64, w io.Writer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.find(bucket, key)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case o == nil:
		return processors.ErrNotFound
	}
	if offset+length > int64(len(o.body)) {
		return processors.ErrRange
	}
	_, err := io.Copy(w, io.NewSectionReader(bytes.NewReader(o.body), offset, length))
	return err
}

// List implements ObjectStore.
func (s *shelf) List(ctx context.Context, bucket, prefix string) (keys []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.objects {
		if o.Bucket == bucket && strings.HasPrefix(o.Key, prefix) && len(keys) < 1000 {
			keys = append(keys, o.Key)
		}
	}
	return keys, ctx.Err()
}

// Delete implements ObjectStore.
func (s *shelf) Delete(ctx context.Context, bucket, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	s.objects = slices.DeleteFunc(s.objects, func(o shelved) bool { return o.Bucket == bucket && o.Key == key })
	return nil
}

func (*shelf) Check(ctx context.Context, _ string) error { return ctx.Err() }

// words returns what is in the objects, in the order of the puts.
func (s *shelf) words() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all strings.Builder
	for _, o := range s.objects {
		all.Write(o.body)
	}
	return strings.Fields(all.String())
}

// What tests deliver to is a store as any other.
func TestShelfConforms(t *testing.T) {
	t.Parallel()
	sinktest.Run(t, func(testing.TB) sinktest.Store {
		s := new(shelf)
		return sinktest.Store{ObjectStore: s, Bucket: "bucket", Other: "other", Read: func(tb testing.TB, bucket, key string) sinktest.Stored {
			tb.Helper()
			s.mu.Lock()
			defer s.mu.Unlock()
			o := s.find(bucket, key)
			if o == nil {
				tb.Fatalf("%s/%s has no object", bucket, key)
			}
			return sinktest.Stored{Body: o.body, ContentType: o.ContentType, ContentEncoding: o.ContentEncoding}
		}}
	})
}
