package s3d

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gofrs/flock"
)

// What is beside the buckets; no bucket's name begins with a dot.
const (
	metaDir   = ".meta"
	hiddenDir = ".hidden"
	spoolDir  = ".tmp"
	lockFile  = ".lock"
)

// disk is a storage of plain files; doc.go says where they lie. Nothing that
// it finds leads it out of its directory, by name or by symbolic link.
type disk struct {
	root *os.Root
	lock *flock.Flock
	// wrap is called with each file that a body is written to, so that a test
	// can make writing fail.
	wrap func(io.Writer) io.Writer
	// lstat is root's, unless a test has a file system that ignores case.
	lstat func(name string) (fs.FileInfo, error)
	// folds is whether names that differ only in case, or in how a letter is
	// composed, are one file.
	folds  bool
	naming sync.Mutex // held where folds is, while a new name is chosen and made
}

type diskSpool struct {
	io.Writer

	disk *disk
	file *os.File
	name string
}

func (d *disk) spool() (spool, error) {
	name := filepath.Join(spoolDir, "body-"+newID()+newID())
	f, err := d.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening a spool file: %w", err)
	}
	return &diskSpool{Writer: d.wrap(f), disk: d, file: f, name: name}, nil
}

func (s *diskSpool) close() error { return s.file.Close() }

func (s *diskSpool) discard() {
	_ = s.file.Close()             // closing twice does no harm
	_ = s.disk.root.Remove(s.name) // what stays is removed at the next start
}

func (d *disk) join(parts []spool) (spool, error) {
	out, err := d.spool()
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		if err := d.appendSpool(out, p); err != nil {
			out.discard()
			return nil, err
		}
	}
	if err := out.close(); err != nil {
		out.discard()
		return nil, fmt.Errorf("closing the joined parts: %w", err)
	}
	return out, nil
}

func (d *disk) appendSpool(out io.Writer, part spool) error {
	p, ok := part.(*diskSpool)
	if !ok {
		return errors.New("the part is not on disk")
	}
	in, err := d.root.Open(p.name)
	if err != nil {
		return fmt.Errorf("reading a part: %w", err)
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, in.Close()); err != nil {
		return fmt.Errorf("joining the parts: %w", err)
	}
	return nil
}

func (d *disk) publish(bucket string, o, old *object, body spool) error {
	s, ok := body.(*diskSpool)
	if !ok {
		return errors.New("the body is not on disk")
	}
	if err := d.root.Chtimes(s.name, o.Modified, o.Modified); err != nil {
		return fmt.Errorf("dating an object: %w", err)
	}
	info, err := d.root.Lstat(s.name)
	if err != nil {
		return fmt.Errorf("dating an object: %w", err)
	}
	o.Modified = info.ModTime() // as exact as the file system keeps it
	if d.folds {
		d.naming.Lock()
		defer d.naming.Unlock()
	}
	o.Hidden = !d.canBeFile(bucket, o.Key, old)
	if err := d.writeMeta(bucket, o); err != nil {
		return err
	}
	if err := d.place(s.name, d.path(bucket, o)); err != nil {
		if old == nil || d.metaPath(bucket, o) != d.metaPath(bucket, old) {
			_ = d.root.Remove(d.metaPath(bucket, o)) // without its object it is ignored
		}
		return err
	}
	if old != nil && d.metaPath(bucket, o) != d.metaPath(bucket, old) {
		_ = d.root.Remove(d.metaPath(bucket, old)) // without its object it is ignored
	}
	return nil
}

// place renames a file, making the directories it is to be in. Another's
// deletion may prune these in between, hence the repetition.
func (d *disk) place(from, to string) error {
	var err error
	for range 3 {
		if err = d.root.MkdirAll(filepath.Dir(to), 0o750); err != nil {
			continue
		}
		if err = d.root.Rename(from, to); err == nil {
			return nil
		}
	}
	return fmt.Errorf("placing an object: %w", err)
}

// canBeFile reports whether an object may lie under its own key. A file that
// is there already, but is no object's, is not overwritten; and where case is
// ignored, a directory of another name is not entered.
func (d *disk) canBeFile(bucket, key string, old *object) bool {
	if old != nil {
		return !old.Hidden
	}
	if !isFileName(key) {
		return false
	}
	at := bucket
	segments := strings.Split(key, "/")
	for i, segment := range segments {
		parent := at
		at = filepath.Join(at, segment)
		info, err := d.lstat(at)
		if err != nil {
			return errors.Is(err, fs.ErrNotExist)
		}
		if i == len(segments)-1 || !info.IsDir() || !d.isName(parent, segment) {
			return false
		}
	}
	return false
}

// isName reports whether what a directory has under a name has that very name.
func (d *disk) isName(dir, name string) bool {
	if !d.folds {
		return true
	}
	entries, err := fs.ReadDir(d.root.FS(), filepath.ToSlash(dir))
	return err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == name })
}

func isFileName(key string) bool {
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "" || len(segment) > 255 || strings.ContainsAny(segment, "\x00\\") {
			return false
		}
	}
	return filepath.IsLocal(filepath.FromSlash(key)) && key == pathClean(key)
}

func pathClean(key string) string { return filepath.ToSlash(filepath.Clean(filepath.FromSlash(key))) }

func (d *disk) path(bucket string, o *object) string {
	if o.Hidden {
		return filepath.Join(hiddenDir, bucket, keyHash(o.Key))
	}
	return filepath.Join(bucket, filepath.FromSlash(o.Key))
}

// metaPath is the file of an object's metadata. The modification time in its
// name ties it to one content, so that the metadata of the old and of the new
// can be there at once.
func (d *disk) metaPath(bucket string, o *object) string {
	h := keyHash(o.Key)
	name := h[2:] + "." + strconv.FormatInt(o.Modified.UnixNano(), 10) + ".json"
	return filepath.Join(metaDir, bucket, h[:2], name)
}

func keyHash(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:16])
}

func (d *disk) writeMeta(bucket string, o *object) error {
	text, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("encoding metadata: %w", err)
	}
	s, err := d.spool()
	if err != nil {
		return err
	}
	f, _ := s.(*diskSpool)
	_, err = s.Write(text)
	if err = errors.Join(err, s.close()); err == nil {
		err = d.place(f.name, d.metaPath(bucket, o))
	}
	if err != nil {
		s.discard()
		return fmt.Errorf("writing metadata: %w", err)
	}
	return nil
}

func (d *disk) open(bucket string, o *object) (io.ReadSeekCloser, error) {
	f, err := d.root.Open(d.path(bucket, o))
	if err != nil {
		return nil, fmt.Errorf("opening an object: %w", err)
	}
	return f, nil
}

func (d *disk) remove(bucket string, o *object) error {
	path := d.path(bucket, o)
	if err := d.root.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("deleting an object: %w", err)
	}
	_ = d.root.Remove(d.metaPath(bucket, o)) // without its object it is ignored
	dir := filepath.Dir(path)
	for !o.Hidden && dir != bucket && d.root.Remove(dir) == nil { // it was empty
		dir = filepath.Dir(dir)
	}
	return nil
}

// addBucket makes a bucket's directory unless it is there.
func (d *disk) addBucket(name string) error {
	err := d.root.Mkdir(name, 0o750)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("creating a bucket's directory: %w", err)
	}
	info, err := d.lstat(name)
	if err != nil {
		return fmt.Errorf("creating a bucket's directory: %w", err)
	}
	if !info.IsDir() || !d.isName(".", name) {
		return refuse(http.StatusForbidden, "AccessDenied",
			"The bucket's directory cannot be %s: that is a file, a symbolic link, or another name's.", filepath.Join(d.root.Name(), name))
	}
	return nil
}

func (d *disk) removeBucket(name string) error {
	if err := d.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return refuse(http.StatusConflict, "BucketNotEmpty", "The bucket's directory has files that are not objects.")
	}
	for _, dir := range []string{metaDir, hiddenDir} {
		if err := d.root.RemoveAll(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("deleting a bucket's metadata: %w", err)
		}
	}
	return nil
}

// close leaves the directory to other processes.
func (d *disk) close() error { return errors.Join(d.lock.Close(), d.root.Close()) }
