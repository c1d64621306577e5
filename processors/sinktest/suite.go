package sinktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"
	"sync"
	"testing"

	"github.com/shardmill/shardmill/processors"
)

// suite is an empty store and what to say to it. Its methods fail the test if
// the answer is not the expected one.
type suite struct {
	Store

	t *testing.T
}

// key is that of most objects, as an archiver makes them.
const key = "logs/2016/02/25/13/orders-1-2016-02-25-13-00-00-5b2c0b1e-6f0a-4c57-a6ad-9d2c1c9f7a11"

// object makes one of Bucket, with a plan's metadata.
func (s *suite) object(key, plan string, body []byte) processors.Object {
	return processors.Object{
		Bucket: s.Bucket, Key: key, Body: io.NewSectionReader(bytes.NewReader(body), 0, int64(len(body))),
		ContentType: "application/octet-stream", ContentEncoding: "gzip",
		Metadata: map[string]string{processors.MetadataPlan: plan},
	}
}

func absent(o processors.Object) processors.Object { o.IfAbsent = true; return o }

// put stores an object.
func (s *suite) put(o processors.Object) {
	s.t.Helper()
	if err := s.Put(s.t.Context(), o); err != nil {
		s.t.Fatalf("Put(%s/%s): %v", o.Bucket, o.Key, err)
	}
}

// refuses checks that an object is not stored because the key has one.
func (s *suite) refuses(o processors.Object) {
	s.t.Helper()
	if err := s.Put(s.t.Context(), o); !errors.Is(err, processors.ErrExists) {
		s.t.Errorf("Put(%s/%s): %v, want ErrExists", o.Bucket, o.Key, err)
	}
}

// has checks that the store has an object like o, with that body.
func (s *suite) has(o processors.Object, body []byte) {
	s.t.Helper()
	metadata, exists, err := s.Head(s.t.Context(), o.Bucket, o.Key)
	if err != nil || !exists || !maps.Equal(metadata, o.Metadata) {
		s.t.Fatalf("Head(%s/%s): %v, %v, %v; want %v", o.Bucket, o.Key, metadata, exists, err, o.Metadata)
	}
	got := s.Read(s.t, o.Bucket, o.Key)
	if !bytes.Equal(got.Body, body) {
		s.t.Errorf("%s/%s has %d bytes that are not the %d put: %.40q", o.Bucket, o.Key, len(got.Body), len(body), got.Body)
	}
	if got.ContentType != o.ContentType || got.ContentEncoding != o.ContentEncoding {
		s.t.Errorf("%s/%s is %q encoded as %q, want %q and %q", o.Bucket, o.Key, got.ContentType, got.ContentEncoding, o.ContentType, o.ContentEncoding)
	}
}

// lacks checks that the store says that a key has no object.
func (s *suite) lacks(bucket, key string) {
	s.t.Helper()
	if metadata, exists, err := s.Head(s.t.Context(), bucket, key); exists || err != nil || len(metadata) > 0 {
		s.t.Errorf("Head(%s/%s): %v, %v, %v; want nothing", bucket, key, metadata, exists, err)
	}
}

// sized returns so many bytes, of which any two parts differ.
func sized(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

func (s *suite) roundTrip() {
	o := s.object(key, "plan-1", []byte("some records"))
	o.Metadata["another"] = "value with spaces"
	s.put(o)
	s.has(o, []byte("some records"))
}

func (s *suite) plain() {
	o := s.object(key, "plan-1", []byte("some records"))
	o.ContentType, o.ContentEncoding, o.Metadata = "text/plain", "", nil
	s.put(o)
	s.has(o, []byte("some records"))
}

// sizes are those about the ones from which on a store may go another way, too.
func (s *suite) sizes() {
	for _, n := range []int{0, 1, 5 << 20, 5<<20 + 1, 11 << 20} {
		body := sized(n)
		o := s.object(strconv.Itoa(n), "plan-1", body)
		o.IfAbsent = n%2 == 0
		s.put(o)
		s.has(o, body)
	}
}

// bodyFromItsStart has a body that was read before, by a try that failed.
func (s *suite) bodyFromItsStart() {
	for _, n := range []int{1000, 6 << 20} {
		o := s.object(fmt.Sprintf("read/%d", n), "plan-1", sized(n))
		if _, err := io.CopyN(io.Discard, o.Body, int64(n)/2); err != nil {
			s.t.Fatal(err)
		}
		s.put(o)
		s.has(o, sized(n))
	}
}

func (s *suite) keys() {
	names := []string{"a/b", "year=2016/x", "with space", "plus+percent%20", "ümläut/日本", "A/B"}
	if !s.OnFiles {
		names = append(names, "a", "a//b")
	}
	for _, name := range names {
		s.put(s.object(name, "plan of "+fmt.Sprintf("%x", name), []byte(name)))
	}
	for _, name := range names {
		s.has(s.object(name, "plan of "+fmt.Sprintf("%x", name), nil), []byte(name))
	}
}

func (s *suite) buckets() {
	s.put(s.object(key, "plan-1", []byte("one")))
	s.lacks(s.Other, key)
	o := absent(s.object(key, "plan-2", []byte("two")))
	o.Bucket = s.Other
	s.put(o)
	s.has(o, []byte("two"))
	s.has(s.object(key, "plan-1", nil), []byte("one"))
}

func (s *suite) many() {
	for i := range 50 {
		s.put(absent(s.object(strconv.Itoa(i), fmt.Sprint("plan-", i), fmt.Append(nil, "object ", i))))
	}
	for i := range 50 {
		s.has(s.object(strconv.Itoa(i), fmt.Sprint("plan-", i), nil), fmt.Append(nil, "object ", i))
	}
}

func (s *suite) absent() {
	s.lacks(s.Bucket, key)
	s.put(s.object(key+"2", "plan-1", nil))
	s.lacks(s.Bucket, key)
	s.lacks(s.Bucket, key[:len(key)-1])
}

func (s *suite) replaces() {
	s.put(s.object(key, "plan-1", []byte("the first, which is longer")))
	o := s.object(key, "plan-2", []byte("the second"))
	o.ContentType, o.ContentEncoding = "text/plain", ""
	s.put(o)
	s.has(o, []byte("the second"))
}

func (s *suite) ifAbsent() {
	o := absent(s.object(key, "plan-1", []byte("some records")))
	s.put(o)
	s.has(o, []byte("some records"))
}

func (s *suite) ifAbsentOfAnother() {
	first := s.object(key, "plan-1", []byte("the first"))
	s.put(first)
	for _, n := range []int{0, 10, 6 << 20} {
		s.refuses(absent(s.object(key, "plan-2", sized(n))))
		s.has(first, []byte("the first"))
	}
}

// ifAbsentAgain: that the same object is there already is for the archiver to
// find out, by its metadata.
func (s *suite) ifAbsentAgain() {
	o := absent(s.object(key, "plan-1", []byte("some records")))
	s.put(o)
	s.refuses(absent(s.object(key, "plan-1", []byte("some records"))))
	s.has(o, []byte("some records"))
}

func (s *suite) oneWins() {
	const puts = 16
	var all sync.WaitGroup
	errs := make([]error, puts)
	object := func(i int) processors.Object {
		return absent(s.object(key, fmt.Sprint("plan-", i), fmt.Append(nil, "object ", i)))
	}
	for i := range errs {
		all.Go(func() { errs[i] = s.Put(s.t.Context(), object(i)) })
	}
	all.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner < 0:
			winner = i
		case err == nil:
			s.t.Errorf("puts %d and %d both succeeded", winner, i)
		case !errors.Is(err, processors.ErrExists):
			s.t.Errorf("put %d: %v, want ErrExists", i, err)
		}
	}
	if winner < 0 {
		s.t.Fatal("no put succeeded")
	}
	s.has(object(winner), fmt.Append(nil, "object ", winner))
}

// contextDone: after such an error of Put the object may be there, but whole.
func (s *suite) contextDone() {
	ctx, cancel := context.WithCancel(s.t.Context())
	cancel()
	o := absent(s.object(key, "plan-1", []byte("some records")))
	if err := s.Put(ctx, o); err == nil || errors.Is(err, processors.ErrExists) {
		s.t.Errorf("Put: %v, want an error that says nothing of the key", err)
	}
	if _, exists, err := s.Head(ctx, s.Bucket, key); err == nil || exists {
		s.t.Errorf("Head: %v, %v; want an error, since nobody answered", exists, err)
	}
	if err := s.Get(ctx, s.Bucket, key, 0, 1, io.Discard); err == nil || errors.Is(err, processors.ErrNotFound) {
		s.t.Errorf("Get: %v, want an error that says nothing of the key", err)
	}
	if keys, err := s.List(ctx, s.Bucket, ""); err == nil {
		s.t.Errorf("List: %v, though nobody answered", keys)
	}
	if err := s.Delete(ctx, s.Bucket, key); err == nil {
		s.t.Error("Delete: no error, though nobody answered")
	}
	if err := s.Check(ctx, s.Bucket); err == nil {
		s.t.Error("Check: the bucket was not looked at, and can be used")
	}
	if _, exists, err := s.Head(s.t.Context(), s.Bucket, key); err != nil {
		s.t.Errorf("Head afterwards: %v", err)
	} else if exists {
		s.has(o, []byte("some records"))
	}
}

func (s *suite) checks() {
	for _, bucket := range []string{s.Bucket, s.Other} {
		if err := s.Check(s.t.Context(), bucket); err != nil {
			s.t.Errorf("Check(%s): %v", bucket, err)
		}
	}
}

func (s *suite) missing() {
	if s.Missing == "" {
		return
	}
	if err := s.Check(s.t.Context(), s.Missing); err == nil {
		s.t.Errorf("Check(%s): it can be used", s.Missing)
	}
	o := absent(s.object(key, "plan-1", []byte("some records")))
	o.Bucket = s.Missing
	if err := s.Delete(s.t.Context(), s.Missing, key); err == nil {
		s.t.Errorf("Delete in %s: no error", s.Missing)
	}
	if keys, err := s.List(s.t.Context(), s.Missing, ""); err == nil {
		s.t.Errorf("List of %s: %v", s.Missing, keys)
	}
	if err := s.Put(s.t.Context(), o); err == nil || errors.Is(err, processors.ErrExists) {
		s.t.Errorf("Put into %s: %v, want an error that says nothing of the key", s.Missing, err)
	}
}
