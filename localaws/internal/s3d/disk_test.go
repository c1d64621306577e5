package s3d_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/localaws/internal/s3d"
)

// filesIn are the files below a directory, less those out of sight.
func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && path != dir && strings.HasPrefix(e.Name(), ".") {
			return filepath.SkipDir
		}
		if !e.IsDir() && path != filepath.Join(dir, ".lock") {
			rel, err := filepath.Rel(dir, path)
			names = append(names, filepath.ToSlash(rel))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestObjectsAreFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := newServer(t, s3d.Options{Dir: dir})
	put(t, server, "2026/11/22/orders-1.gz", "content", "X-Amz-Meta-Plan: p1")
	put(t, server, "2026/top", "other")
	want := []string{"bucket/2026/11/22/orders-1.gz", "bucket/2026/top"}
	if got := filesIn(t, dir); !slices.Equal(got, want) {
		t.Errorf("the files are %v, want %v", got, want)
	}
	content, err := os.ReadFile(filepath.Join(dir, "bucket/2026/11/22/orders-1.gz"))
	if err != nil || string(content) != "content" {
		t.Errorf("the file holds %q, %v; want content", content, err)
	}
	do(t, server, http.MethodDelete, path("2026/11/22/orders-1.gz"), nil)
	if _, err := os.Stat(filepath.Join(dir, "bucket/2026/11")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after deleting its only object the directory is there: %v", err)
	}
}

// TestRestart has keys of every kind, and a second server that finds them.
func TestRestart(t *testing.T) {
	t.Parallel()
	keys := []string{
		"plain", "in/a/directory.gz", "a", "a/b", "a/b/c", "x//empty segment", "folder/", "/leading", "../outside", "dots/./here",
		strings.Repeat("long", 100), "per%2Fcent", "back\\slash", "new\nline", "ünïcode",
	}
	dir := t.TempDir()
	first := newServer(t, s3d.Options{Dir: dir})
	for _, key := range keys {
		for _, content := range []string{"old", "content of " + key} {
			if status := put(t, first, key, content, "X-Amz-Meta-Key: of it", "Content-Encoding: gzip"); status != 200 {
				t.Fatalf("putting %q: status %d", key, status)
			}
		}
	}
	server := first
	for _, name := range []string{"the first", "the second"} {
		if name == "the second" {
			server = restart(t, first, dir)
		}
		for _, key := range keys {
			content, h := get(t, server, key)
			if content != "content of "+key || h.Get("X-Amz-Meta-Key") != "of it" || h.Get("Content-Encoding") != "gzip" {
				t.Errorf("%s server has %q with %v at %q", name, content, h, key)
			}
		}
		if got := len(list(t, server, "list-type=2")); got != len(keys) {
			t.Errorf("%s server lists %d keys, want %d", name, got, len(keys))
		}
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(dir), "outside")); err == nil {
		t.Error("a key with .. was written outside of the directory")
	}
	for _, key := range keys {
		do(t, server, http.MethodDelete, path(key), nil)
	}
	if left := filesIn(t, dir); len(left) > 0 {
		t.Errorf("after deleting everything there are files %v", left)
	}
	if left := list(t, restart(t, server, dir), "list-type=2"); len(left) > 0 {
		t.Errorf("after deleting everything a new server lists %v", left)
	}
}

// TestLeftovers has what a killed server may leave behind.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := newServer(t, s3d.Options{Dir: dir})
	put(t, first, "key", "content", "X-Amz-Meta-Plan: p1")
	spooled := filepath.Join(dir, ".tmp", "body-123")
	if err := os.WriteFile(spooled, []byte("half a bo"), 0o600); err != nil {
		t.Fatal(err)
	}
	metas, err := filepath.Glob(filepath.Join(dir, ".meta/bucket/*/*.json"))
	if err != nil || len(metas) != 1 {
		t.Fatalf("metadata files: %v, %v", metas, err)
	}
	// Of an overwrite that was killed between metadata and content.
	text, err := os.ReadFile(metas[0])
	if err != nil {
		t.Fatal(err)
	}
	name, _, _ := strings.Cut(filepath.Base(metas[0]), ".")
	if err := os.WriteFile(filepath.Join(filepath.Dir(metas[0]), name+".1.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	server := restart(t, first, dir)
	if _, err := os.Stat(spooled); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the half body is still there: %v", err)
	}
	if got := list(t, server, "list-type=2"); !slices.Equal(got, []string{"key"}) {
		t.Errorf("the keys are %v, want only key", got)
	}
	if content, h := get(t, server, "key"); content != "content" || h.Get("X-Amz-Meta-Plan") != "p1" {
		t.Errorf("the object holds %q with %v", content, h)
	}
	if metas, _ = filepath.Glob(filepath.Join(dir, ".meta/bucket/*/*.json")); len(metas) != 1 {
		t.Errorf("the metadata files are %v, want one", metas)
	}
}

func TestFilesByHand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := newServer(t, s3d.Options{Dir: dir})
	put(t, first, "edited", "content", "X-Amz-Meta-Plan: p1")
	put(t, first, "deleted", "content")
	for name, content := range map[string]string{"bucket/added/file": "by hand", "bucket/edited": "changed by hand", "bucket/.junk": "x"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "bucket/deleted")); err != nil {
		t.Fatal(err)
	}
	if code, _ := get(t, first, "deleted"); code != "NoSuchKey" {
		t.Errorf("the file deleted by hand gives %q, want NoSuchKey", code)
	}
	put(t, first, "added/file", "by the API")
	if content, err := os.ReadFile(filepath.Join(dir, "bucket/added/file")); err != nil || string(content) != "by hand" {
		t.Errorf("a file that was no object was overwritten: %q, %v", content, err)
	}
	second := restart(t, first, dir)
	if got := list(t, second, "list-type=2"); !slices.Equal(got, []string{"added/file", "edited"}) {
		t.Errorf("the keys are %v, want added/file and edited", got)
	}
	if content, h := get(t, second, "edited"); content != "changed by hand" || h.Get("X-Amz-Meta-Plan") != "" {
		t.Errorf("the edited file is %q with %v, want no metadata", content, h)
	}
}

// failing is a disk that is full after some bytes.
type failing struct {
	io.Writer

	left int
}

func (f *failing) Write(b []byte) (int, error) {
	if len(b) > f.left {
		n, _ := f.Writer.Write(b[:f.left])
		f.left = 0
		return n, syscall.ENOSPC
	}
	f.left -= len(b)
	return f.Writer.Write(b)
}

// TestFullDisk fails the write of a body at some byte, and of metadata.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := newServer(t, s3d.Options{Dir: dir, WriteLog: 10})
	put(t, server, "key", "old content", "X-Amz-Meta-Old: yes")
	body := strings.Repeat("new content ", 20_000)
	for _, capacity := range []int{0, 100_000, len(body) + 10} { // the last has room for the body, but not for its metadata
		left := capacity
		server.WrapWrites(func(w io.Writer) io.Writer {
			f := &failing{w, left}
			left -= len(body)
			return f
		})
		response := do(t, server, http.MethodPut, path("key"), strings.NewReader(body))
		if code := response.code(); response.status != http.StatusInternalServerError || code != "InternalError" {
			t.Errorf("room for %d bytes: status %d, code %q; want 500 InternalError", capacity, response.status, code)
		}
		if content, h := get(t, server, "key"); content != "old content" || h.Get("X-Amz-Meta-Old") != "yes" {
			t.Errorf("room for %d bytes: the object is now %.20q", capacity, content)
		}
		if spooled, _ := os.ReadDir(filepath.Join(dir, ".tmp")); len(spooled) > 0 {
			t.Errorf("room for %d bytes: left behind are %v", capacity, spooled)
		}
	}
	server.WrapWrites(func(w io.Writer) io.Writer { return w })
	if status := put(t, server, "key", body); status != 200 {
		t.Errorf("with room again: status %d", status)
	}
	if content, _ := get(t, restart(t, server, dir), "key"); content != body {
		t.Errorf("after a restart the object has %d bytes, want %d", len(content), len(body))
	}
	statuses := []int{}
	for _, w := range server.Writes() {
		statuses = append(statuses, w.Status)
	}
	if want := []int{200, 500, 500, 500, 200}; !slices.Equal(statuses, want) {
		t.Errorf("the log has statuses %v, want %v", statuses, want)
	}
}

// TestUnusableDirectory has a directory that cannot be one.
func TestUnusableDirectory(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s3d.New(s3d.Options{Dir: file}); err == nil {
		t.Error("New accepted a file as its directory")
	}
}

// interrupted is a client that has something done after the first bytes it gets.
type interrupted struct {
	*httptest.ResponseRecorder

	by func()
}

func (i *interrupted) Write(b []byte) (int, error) {
	n, err := i.ResponseRecorder.Write(b)
	if by := i.by; by != nil {
		i.by = nil
		by()
	}
	return n, err
}

// Who reads an object goes on with its bytes when it is replaced or deleted.
func TestReadWhileItChanges(t *testing.T) {
	t.Parallel()
	old := strings.Repeat("0123456789abcdef", 1<<16)
	for _, dir := range []string{"", t.TempDir()} {
		for change, then := range map[string]string{http.MethodPut: "new", http.MethodDelete: "NoSuchKey"} {
			server := newServer(t, s3d.Options{Dir: dir})
			put(t, server, "k", old)
			reading := &interrupted{httptest.NewRecorder(), func() {
				if r := do(t, server, change, path("k"), strings.NewReader("new")); r.status/100 != 2 {
					t.Errorf("%s while it is read: %+v", change, r)
				}
			}}
			server.ServeHTTP(reading, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/"+path("k"), nil))
			if got := reading.Body.String(); reading.by != nil || got != old {
				t.Errorf("%s, in %q: the reader got %d bytes, which are not the %d of the old object", change, dir, len(got), len(old))
			}
			if got, _ := get(t, server, "k"); got != then {
				t.Errorf("%s, in %q: then it is %.40q, want %q", change, dir, got, then)
			}
			_ = server.Close() // the directory is for the next
		}
	}
}

// TestSameInstant has overwrites at one instant: each content has a time of
// its own, which ties its metadata to it.
func TestSameInstant(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var times []time.Time
	synctest.Test(t, func(t *testing.T) {
		server := newServer(t, s3d.Options{Dir: dir})
		for _, content := range []string{"a", "b", "c"} {
			put(t, server, "key", content, "X-Amz-Meta-Content: "+content)
			info, err := os.Stat(filepath.Join(dir, "bucket/key"))
			if err != nil {
				t.Fatal(err)
			}
			times = append(times, info.ModTime())
		}
	})
	if !times[0].Before(times[1]) || !times[1].Before(times[2]) {
		t.Errorf("the modification times are %v, want each later than the one before", times)
	}
	if _, h := get(t, newServer(t, s3d.Options{Dir: dir}), "key"); h.Get("X-Amz-Meta-Content") != "c" {
		t.Errorf("the metadata is of %q, want that of the last", h.Get("X-Amz-Meta-Content"))
	}
}

func TestOverwriteLeavesNoMetadata(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := newServer(t, s3d.Options{Dir: dir})
	for range 3 {
		put(t, server, "key", "content")
	}
	if metas, _ := filepath.Glob(filepath.Join(dir, ".meta/bucket/*/*.json")); len(metas) != 1 {
		t.Errorf("after overwrites there is metadata %v, want one", metas)
	}
}

// TestConditionHolds has a conditional write that is slow between checking its
// condition and being in place, and another that comes in between.
func TestConditionHolds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		server := newServer(t, s3d.Options{Dir: dir})
		var files atomic.Int32
		release := make(chan struct{})
		server.WrapWrites(func(w io.Writer) io.Writer {
			if files.Add(1) == 2 { // the metadata of the first
				return gated{w, release}
			}
			return w
		})
		var first, second int
		go func() { first = put(t, server, "key", "first", "If-None-Match: *") }()
		synctest.Wait()
		go func() { second = put(t, server, "key", "second", "If-None-Match: *") }()
		synctest.Wait()
		close(release)
		synctest.Wait()
		if first != http.StatusOK || second != http.StatusPreconditionFailed {
			t.Errorf("the first has status %d, the second %d; want 200 and 412", first, second)
		}
		if content, _ := get(t, server, "key"); content != "first" {
			t.Errorf("the object is of the %s, want the first", content)
		}
	})
}

// gated writes when its gate opens.
type gated struct {
	io.Writer

	gate <-chan struct{}
}

func (g gated) Write(b []byte) (int, error) {
	<-g.gate
	return g.Writer.Write(b)
}
