package s3d_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shardmill/shardmill/localaws/internal/s3d"
)

// metaFile is the only metadata file of a directory's bucket.
func metaFile(t *testing.T, dir string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, ".meta/bucket/*/*.json"))
	if err != nil || len(found) != 1 {
		t.Fatalf("metadata files: %v, %v; want one", found, err)
	}
	return found[0]
}

// TestPlantedMetadata has metadata that someone put into the directory, which
// says that an object is a file outside of it.
func TestPlantedMetadata(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"../../outside", "../.meta/secret", "a/../../../outside", strings.Repeat("k", 1025)} {
		t.Run(fmt.Sprintf("%.20s", key), func(t *testing.T) {
			t.Parallel()
			parent := t.TempDir()
			dir := filepath.Join(parent, "data")
			outside := filepath.Join(parent, "outside")
			// A key that has to be hidden, so that the server itself names the
			// file.
			first := newServer(t, s3d.Options{Dir: dir})
			if len(key) <= 1024 {
				put(t, first, key, "content")
			} else {
				put(t, first, key[:1024], "content")
			}
			meta := metaFile(t, dir)
			text, err := os.ReadFile(meta)
			if err != nil {
				t.Fatal(err)
			}
			planted := strings.Replace(string(text), `,"hidden":true`, "", 1)
			if len(key) > 1024 {
				planted = strings.Replace(string(text), key[:1024], key, 1)
			}
			if planted == string(text) {
				t.Fatalf("nothing was planted in %s", text)
			}
			if err := os.WriteFile(meta, []byte(planted), 0o600); err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(meta)
			if err != nil {
				t.Fatal(err)
			}
			for _, victim := range []string{outside, filepath.Join(dir, ".meta/secret")} {
				if err := os.WriteFile(victim, []byte("content"), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Chtimes(victim, info.ModTime(), modified(t, meta)); err != nil {
					t.Fatal(err)
				}
			}
			server := restart(t, first, dir)
			if got := list(t, server, "list-type=2"); len(got) > 0 {
				t.Errorf("the objects are %.80q, want none", got)
			}
			if len(key) <= 1024 {
				put(t, server, key, "overwritten")
				do(t, server, http.MethodDelete, path(key), nil)
			}
			for _, victim := range []string{outside, filepath.Join(dir, ".meta/secret")} {
				if content, err := os.ReadFile(victim); err != nil || string(content) != "content" {
					t.Errorf("%s holds %q, %v; want what it held", victim, content, err)
				}
			}
		})
	}
}

// modified is the time in a metadata file's name.
func modified(t *testing.T, meta string) time.Time {
	t.Helper()
	var nanos int64
	_, rest, _ := strings.Cut(filepath.Base(meta), ".")
	if _, err := fmt.Sscanf(rest, "%d.json", &nanos); err != nil {
		t.Fatal(err)
	}
	return time.Unix(0, nanos)
}

// TestPlantedHeaders has metadata whose headers are no object's.
func TestPlantedHeaders(t *testing.T) {
	t.Parallel()
	for _, change := range []struct{ old, planted string }{
		{`"X-Amz-Meta-Plan":"p1"`, `"Location":"http://elsewhere"`},
		{`"X-Amz-Meta-Plan":"p1"`, `"X-Amz-Meta-Plan":"p1\r\nLocation: x"`},
		{`"etag":"`, `"etag":"<x>`},
		{`"etag":"`, `"parts":[{"number":1,"size":8},{"number":2,"size":-1}],"etag":"`},
		{`"etag":"`, `"parts":[{"size":9223372036854775807},{"size":9223372036854775807},{"size":9}],"etag":"`},
		{`"etag":"`, `"parts":[{"number":1,"size":6}],"etag":"`},
	} {
		dir := t.TempDir()
		first := newServer(t, s3d.Options{Dir: dir})
		put(t, first, "key", "content", "X-Amz-Meta-Plan: p1")
		meta := metaFile(t, dir)
		text, err := os.ReadFile(meta)
		if err != nil || !strings.Contains(string(text), change.old) {
			t.Fatalf("the metadata is %s, %v", text, err)
		}
		if err := os.WriteFile(meta, []byte(strings.Replace(string(text), change.old, change.planted, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		content, h := get(t, restart(t, first, dir), "key")
		if content != "content" || h.Get("Location") != "" || h.Get("X-Amz-Meta-Plan") != "" || strings.Contains(h.Get("ETag"), "<") {
			t.Errorf("with %s the object is %q with %v, want the file without metadata", change.planted, content, h)
		}
	}
}

// TestLinks has symbolic links, at each place, to a directory outside.
func TestLinks(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, link string
		inside     bool
		key        string
		status     int
	}{
		{"a bucket is a link out", "bucket", false, "key", 403},
		{"a bucket is a link to another bucket", "bucket", true, "key", 403},
		{"a directory of keys is a link", "bucket/dir", false, "dir/key", 200},
		{"a file is a link", "bucket/key", false, "key", 200},
		{"the metadata is a link", ".meta", false, "key", 500},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dir, target := t.TempDir(), t.TempDir()
			if row.inside {
				target = filepath.Join(dir, "other")
			}
			for _, made := range []string{target, filepath.Dir(filepath.Join(dir, row.link))} {
				if err := os.MkdirAll(made, 0o750); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Symlink(target, filepath.Join(dir, row.link)); err != nil {
				t.Fatal(err)
			}
			server := newServer(t, s3d.Options{Dir: dir})
			if status := put(t, server, row.key, "content"); status != row.status {
				t.Errorf("putting: status %d, want %d", status, row.status)
			}
			if content, _ := get(t, server, row.key); (content == "content") != (row.status == 200) {
				t.Errorf("the object is %q", content)
			}
			if left := filesIn(t, target); len(left) > 0 {
				t.Errorf("through the link were written %v", left)
			}
		})
	}
}

// TestLinkIsPut has a directory replaced by a link after its objects are known.
func TestLinkIsPut(t *testing.T) {
	t.Parallel()
	dir, target := t.TempDir(), t.TempDir()
	server := newServer(t, s3d.Options{Dir: dir})
	put(t, server, "dir/key", "content")
	secret := filepath.Join(target, "key")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	linked := filepath.Join(dir, "bucket/dir")
	if err := errors.Join(os.RemoveAll(linked), os.Symlink(target, linked)); err != nil {
		t.Fatal(err)
	}
	if content, _ := get(t, server, "dir/key"); content == "secret" {
		t.Error("a file outside was read")
	}
	if status := put(t, server, "dir/key", "new"); status != http.StatusInternalServerError {
		t.Errorf("putting: status %d, want 500", status)
	}
	do(t, server, http.MethodDelete, path("dir/key"), nil)
	if content, err := os.ReadFile(secret); err != nil || string(content) != "secret" {
		t.Errorf("the file outside holds %q, %v", content, err)
	}
}

// TestIgnoredCase has keys that differ in case, on a file system that does not
// keep such names apart.
func TestIgnoredCase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := newServer(t, s3d.Options{Dir: dir})
	if !first.IgnoreCase() {
		t.Fatal("the server did not find out that case is ignored")
	}
	keys := []string{"Dir/a", "dir/A", "dir/b", "file", "FILE"}
	for _, key := range keys {
		if status := put(t, first, key, "content of "+key, "X-Amz-Meta-Key: "+key); status != 200 {
			t.Fatalf("putting %s: status %d", key, status)
		}
	}
	want := []string{"bucket/Dir/a", "bucket/file"}
	if got := filesIn(t, dir); !slices.Equal(got, want) {
		t.Errorf("the files are %v, want %v: others would be the same", got, want)
	}
	server := restart(t, first, dir)
	if got := list(t, server, "list-type=2"); len(got) != len(keys) {
		t.Errorf("after a restart the keys are %v, want %v", got, keys)
	}
	for _, key := range keys {
		if content, h := get(t, server, key); content != "content of "+key || h.Get("X-Amz-Meta-Key") != key {
			t.Errorf("after a restart %s holds %q with %v", key, content, h)
		}
	}
}

// TestRealNames has metadata of an object whose file has another name by now,
// as one has that was written where case is ignored.
func TestRealNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := newServer(t, s3d.Options{Dir: dir})
	put(t, first, "dir/b", "content", "X-Amz-Meta-Plan: p1")
	if err := os.Rename(filepath.Join(dir, "bucket/dir"), filepath.Join(dir, "bucket/Dir")); err != nil {
		t.Fatal(err)
	}
	if got := list(t, restart(t, first, dir), "list-type=2"); !slices.Equal(got, []string{"Dir/b"}) {
		t.Errorf("the keys are %v, want Dir/b", got)
	}
}

// TestDirectoryInUse has two servers that want one directory.
func TestDirectoryInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := newServer(t, s3d.Options{Dir: dir})
	put(t, first, "key", "content")
	spooled := filepath.Join(dir, ".tmp", "body-1")
	if err := os.WriteFile(spooled, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s3d.New(s3d.Options{Dir: dir}); !errors.Is(err, s3d.ErrInUse) || !strings.Contains(err.Error(), dir) {
		t.Errorf("a second server got %v, want ErrInUse with the directory", err)
	}
	if _, err := os.Stat(spooled); err != nil {
		t.Errorf("the second server emptied the first's spool: %v", err)
	}
	if content, _ := get(t, restart(t, first, dir), "key"); content != "content" {
		t.Errorf("after the first has closed the object is %q", content)
	}
}

// TestLockIsALink has the lock file lead elsewhere.
func TestLockIsALink(t *testing.T) {
	t.Parallel()
	dir, target := t.TempDir(), filepath.Join(t.TempDir(), "made")
	if err := os.Symlink(target, filepath.Join(dir, ".lock")); err != nil {
		t.Fatal(err)
	}
	if server, err := s3d.New(s3d.Options{Dir: dir}); err == nil {
		t.Error("New accepted a lock file that is a link", server.Close())
	}
	if _, err := os.Lstat(target); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what the link leads to was made: %v", err)
	}
}
