package sinktest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/shardmill/shardmill/processors"
)

func (s *suite) parts() {
	body := sized(3 << 20)
	s.put(s.object(key, "plan-1", body))
	s.put(s.object(key+"2", "plan-1", nil))
	for _, part := range [][2]int{{0, len(body)}, {0, 1}, {len(body) - 1, 1}, {1000, 2 << 20}, {0, 0}} {
		var got bytes.Buffer
		err := s.Get(s.t.Context(), s.Bucket, key, int64(part[0]), int64(part[1]), &got)
		if want := body[part[0] : part[0]+part[1]]; err != nil || !bytes.Equal(got.Bytes(), want) {
			s.t.Errorf("Get of %d bytes from %d on: %d bytes, %v", part[1], part[0], got.Len(), err)
		}
	}
	var got bytes.Buffer
	err := s.Get(s.t.Context(), s.Bucket, key, int64(len(body)-10), 20, &got)
	if !errors.Is(err, processors.ErrRange) || !bytes.HasPrefix(body[len(body)-10:], got.Bytes()) {
		s.t.Errorf("Get beyond the end: %d bytes, %v", got.Len(), err)
	}
	if err := s.Get(s.t.Context(), s.Bucket, key, int64(len(body)), 1, io.Discard); !errors.Is(err, processors.ErrRange) {
		s.t.Errorf("Get behind the end: %v, want ErrRange", err)
	}
	if err := s.Get(s.t.Context(), s.Bucket, key, 0, 10, failing{}); err == nil || errors.Is(err, processors.ErrNotFound) {
		s.t.Errorf("Get into a writer that fails: %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("the writer fails") }

func (s *suite) partsOfNothing() {
	s.put(s.object(key+"2", "plan-1", []byte("some records")))
	for _, bucket := range []string{s.Bucket, s.Other} {
		if err := s.Get(s.t.Context(), bucket, key, 0, 10, io.Discard); !errors.Is(err, processors.ErrNotFound) {
			s.t.Errorf("Get(%s/%s): %v, want ErrNotFound", bucket, key, err)
		}
	}
}

// listed checks what is listed.
func (s *suite) listed(bucket, prefix string, want ...string) {
	s.t.Helper()
	keys, err := s.List(s.t.Context(), bucket, prefix)
	slices.Sort(keys)
	if err != nil || !slices.Equal(keys, want) {
		s.t.Errorf("List(%s, %q): %q, %v; want %q", bucket, prefix, keys, err, want)
	}
}

func (s *suite) lists() {
	names := []string{"a/1", "a/2 with space", "a/ümläut+%20", "ab/3", "b/4"}
	if !s.OnFiles {
		names = append(names, "a")
	}
	for _, name := range names {
		s.put(s.object(name, "plan-1", nil))
	}
	s.listed(s.Bucket, "a/", "a/1", "a/2 with space", "a/ümläut+%20")
	s.listed(s.Bucket, "a/1", "a/1")
	s.listed(s.Bucket, "c/")
	s.listed(s.Other, "a/")
}

// listsMany: none is listed twice, and if there are some, some are.
func (s *suite) listsMany() {
	for i := range 1010 {
		s.put(s.object(fmt.Sprintf("many/%d", i), "plan-1", nil))
	}
	keys, err := s.List(s.t.Context(), s.Bucket, "many/")
	if err != nil || len(keys) == 0 || len(keys) > 1000 {
		s.t.Fatalf("List: %d keys, %v; want 1-1000", len(keys), err)
	}
	slices.Sort(keys)
	if len(slices.Compact(slices.Clone(keys))) != len(keys) || slices.ContainsFunc(keys, func(k string) bool { return !strings.HasPrefix(k, "many/") }) {
		s.t.Errorf("List: %d keys, some twice, or not below many/", len(keys))
	}
}

func (s *suite) deletes() {
	one, two := s.object(key, "plan-1", []byte("one")), s.object(key+"2", "plan-2", []byte("two"))
	s.put(one)
	s.put(two)
	for range 2 { // the second time there is nothing to delete
		if err := s.Delete(s.t.Context(), s.Bucket, key); err != nil {
			s.t.Fatalf("Delete: %v", err)
		}
		s.lacks(s.Bucket, key)
	}
	s.has(two, []byte("two"))
	s.put(absent(one))
	s.has(one, []byte("one"))
}
