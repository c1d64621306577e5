package s3d

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Directories beside the buckets; no bucket's name begins with a dot.
const (
	metaDir   = ".meta"
	hiddenDir = ".hidden"
	spoolDir  = ".tmp"
)

// disk is a storage of plain files; doc.go says where they lie.
type disk struct {
	root string
	// wrap is called with each file that a body is written to, so that a test
	// can make writing fail.
	wrap func(io.Writer) io.Writer
}

type diskSpool struct {
	io.Writer
	file *os.File
}

func (d *disk) spool() (spool, error) {
	f, err := os.CreateTemp(filepath.Join(d.root, spoolDir), "body-*")
	if err != nil {
		return nil, fmt.Errorf("opening a spool file: %w", err)
	}
	if err := f.Chmod(0o644); err != nil { // as a person would have made it
		return nil, errors.Join(fmt.Errorf("opening a spool file: %w", err), f.Close())
	}
	return &diskSpool{Writer: d.wrap(f), file: f}, nil
}

func (s *diskSpool) close() error { return s.file.Close() }

func (s *diskSpool) discard() {
	_ = s.file.Close()           // closing twice does no harm
	_ = os.Remove(s.file.Name()) // what stays is removed at the next start
}

func (d *disk) join(parts []spool) (spool, error) {
	out, err := d.spool()
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		if err := appendSpool(out, p); err != nil {
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

func appendSpool(out io.Writer, part spool) error {
	p, ok := part.(*diskSpool)
	if !ok {
		return errors.New("the part is not on disk")
	}
	in, err := os.Open(p.file.Name())
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
	path := s.file.Name()
	if err := os.Chtimes(path, o.Modified, o.Modified); err != nil {
		return fmt.Errorf("dating an object: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("dating an object: %w", err)
	}
	o.Modified = info.ModTime() // as exact as the file system keeps it
	o.Hidden = !d.canBeFile(bucket, o.Key, old)
	if err := d.writeMeta(bucket, o); err != nil {
		return err
	}
	if err := place(path, d.path(bucket, o)); err != nil {
		if old == nil || d.metaPath(bucket, o) != d.metaPath(bucket, old) {
			_ = os.Remove(d.metaPath(bucket, o)) // without its object it is ignored
		}
		return err
	}
	if old != nil && d.metaPath(bucket, o) != d.metaPath(bucket, old) {
		_ = os.Remove(d.metaPath(bucket, old)) // without its object it is ignored
	}
	return nil
}

// place renames a file, making the directories it is to be in. Another's
// deletion may prune these in between, hence the repetition.
func place(from, to string) error {
	var err error
	for range 3 {
		if err = os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
			continue
		}
		if err = os.Rename(from, to); err == nil {
			return nil
		}
	}
	return fmt.Errorf("placing an object: %w", err)
}

// canBeFile reports whether an object may lie under its own key. A file that
// is there already, but is no object's, is not overwritten: where case is
// ignored it may be another key's.
func (d *disk) canBeFile(bucket, key string, old *object) bool {
	if old != nil {
		return !old.Hidden
	}
	if !isFileName(key) {
		return false
	}
	at := filepath.Join(d.root, bucket)
	segments := strings.Split(key, "/")
	for i, segment := range segments {
		at = filepath.Join(at, segment)
		info, err := os.Lstat(at)
		if err != nil {
			return errors.Is(err, fs.ErrNotExist)
		}
		if i < len(segments)-1 && !info.IsDir() {
			return false
		}
	}
	return false
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
		return filepath.Join(d.root, hiddenDir, bucket, keyHash(o.Key))
	}
	return filepath.Join(d.root, bucket, filepath.FromSlash(o.Key))
}

// metaPath is the file of an object's metadata. The modification time in its
// name ties it to one content, so that the metadata of the old and of the new
// can be there at once.
func (d *disk) metaPath(bucket string, o *object) string {
	h := keyHash(o.Key)
	name := h[2:] + "." + strconv.FormatInt(o.Modified.UnixNano(), 10) + ".json"
	return filepath.Join(d.root, metaDir, bucket, h[:2], name)
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
		err = place(f.file.Name(), d.metaPath(bucket, o))
	}
	if err != nil {
		s.discard()
		return fmt.Errorf("writing metadata: %w", err)
	}
	return nil
}

func (d *disk) open(bucket string, o *object) (io.ReadSeekCloser, error) {
	f, err := os.Open(d.path(bucket, o))
	if err != nil {
		return nil, fmt.Errorf("opening an object: %w", err)
	}
	return f, nil
}

func (d *disk) remove(bucket string, o *object) error {
	path := d.path(bucket, o)
	if err := removeFile(path); err != nil {
		return fmt.Errorf("deleting an object: %w", err)
	}
	_ = os.Remove(d.metaPath(bucket, o)) // without its object it is ignored
	top := filepath.Join(d.root, bucket)
	dir := filepath.Dir(path)
	for !o.Hidden && dir != top && os.Remove(dir) == nil { // it was empty
		dir = filepath.Dir(dir)
	}
	return nil
}

// removeFile deletes a file; one that is not there is no error.
func removeFile(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (d *disk) addBucket(name string) error {
	if err := os.MkdirAll(filepath.Join(d.root, name), 0o750); err != nil {
		return fmt.Errorf("creating a bucket's directory: %w", err)
	}
	return nil
}

func (d *disk) removeBucket(name string) error {
	if err := os.Remove(filepath.Join(d.root, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return apiErrorf(409, "BucketNotEmpty", "The bucket's directory has files that are not objects.")
	}
	for _, dir := range []string{metaDir, hiddenDir} {
		if err := os.RemoveAll(filepath.Join(d.root, dir, name)); err != nil {
			return fmt.Errorf("deleting a bucket's metadata: %w", err)
		}
	}
	return nil
}
