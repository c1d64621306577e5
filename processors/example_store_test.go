package processors_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/processors"
)

// Archiving to a store of one's own: all that it must have is a put that refuses
// to replace, and metadata.
func ExampleObjectStore() {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	archiver, err := processors.New(processors.Config{
		DeliveryStreamName: "orders", Bucket: "archive",
		Hooks: processors.Hooks{Buffered: func(e processors.BufferedEvent) {
			if e.Records == 2 {
				stop() // what is buffered is delivered before Run returns
			}
		}},
	}, new(memoryStore))
	if err != nil {
		log.Fatal(err)
	}
	stream := kcltest.NewStream(1)
	stream.Put(0, "first\n", "second\n")
	c := kcl.Config{
		ApplicationName: "orders-archiver", StreamName: "orders", WorkerID: "worker-1",
		Source: stream, Leases: new(lease.Mem),
	}
	if err := archiver.Configure(&c); err != nil {
		log.Fatal(err)
	}
	w, err := kcl.New(c, archiver.Processor)
	if err != nil {
		log.Fatal(err)
	}
	if err := w.Run(ctx); err != nil {
		log.Fatal(err)
	}
	// Output: archive: "first\nsecond\n"
}

// memoryStore keeps objects in memory.
type memoryStore struct {
	mu       sync.Mutex
	metadata map[string]map[string]string // by bucket/key
	bodies   map[string][]byte
}

func (s *memoryStore) Put(_ context.Context, o processors.Object) error {
	body, err := io.ReadAll(o.Body)
	if err != nil {
		return fmt.Errorf("reading the body of %s: %w", o.Key, err)
	}
	s.mu.Lock() // the comparison and the write must be one step
	defer s.mu.Unlock()
	at := o.Bucket + "/" + o.Key
	if _, taken := s.metadata[at]; taken && o.IfAbsent {
		return processors.ErrExists
	}
	if s.metadata == nil {
		s.metadata, s.bodies = make(map[string]map[string]string), make(map[string][]byte)
	}
	s.metadata[at], s.bodies[at] = maps.Clone(o.Metadata), body
	fmt.Printf("%s: %q\n", o.Bucket, body)
	return nil
}

func (s *memoryStore) Head(_ context.Context, bucket, key string) (map[string]string, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.metadata[bucket+"/"+key]
	return m, ok, nil // false only if it is sure that there is none
}

// Get implements processors.ObjectStore.
func (s *memoryStore) Get(_ context.Context, bucket, key string, offset, length int64, w io.Writer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, ok := s.bodies[bucket+"/"+key]
	if !ok {
		return processors.ErrNotFound
	}
	if offset+length > int64(len(body)) {
		return processors.ErrRange
	}
	_, err := io.CopyN(w, io.NewSectionReader(bytes.NewReader(body), offset, length), length)
	return err //nolint:wrapcheck // the writer's
}

// List implements processors.ObjectStore.
func (s *memoryStore) List(_ context.Context, bucket, prefix string) (keys []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at := range s.bodies {
		if key, ok := strings.CutPrefix(at, bucket+"/"); ok && strings.HasPrefix(key, prefix) && len(keys) < 1000 {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// Delete implements processors.ObjectStore.
func (s *memoryStore) Delete(_ context.Context, bucket, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.bodies, bucket+"/"+key)
	delete(s.metadata, bucket+"/"+key)
	return nil
}

func (*memoryStore) Check(context.Context, string) error { return nil }
