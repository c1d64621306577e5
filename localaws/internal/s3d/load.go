package s3d

import (
	"crypto/md5" //nolint:gosec // S3's ETag is MD5
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/gofrs/flock"
)

// ErrInUse is New's error for a directory that another server has open.
var ErrInUse = errors.New("another process serves its objects")

// openDisk makes a directory ready and removes what a former run left half
// done. It is this process's until close, or the process's end.
func openDisk(dir string, wrap func(io.Writer) io.Writer) (*disk, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("making the object directory: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the object directory: %w", err)
	}
	d := &disk{root: root, wrap: wrap, lstat: root.Lstat, lock: flock.New(filepath.Join(dir, lockFile))}
	if err := d.prepare(); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func (d *disk) prepare() error {
	if info, err := d.root.Lstat(lockFile); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", filepath.Join(d.root.Name(), lockFile))
	}
	locked, err := d.lock.TryLock()
	if err != nil {
		return fmt.Errorf("locking the object directory: %w", err)
	}
	if !locked {
		return fmt.Errorf("%s: %w", d.root.Name(), ErrInUse)
	}
	if err := d.root.RemoveAll(spoolDir); err != nil {
		return fmt.Errorf("cleaning up the object directory: %w", err)
	}
	if err := d.root.MkdirAll(spoolDir, 0o750); err != nil {
		return fmt.Errorf("making the object directory: %w", err)
	}
	return d.probe()
}

// probe finds out whether the file system keeps names apart that differ in
// case, or in whether an accent is a character of its own.
func (d *disk) probe() error {
	const name, cased, composed = "probe-\u00e9", "PROBE-\u00e9", "probe-e\u0301"
	at := func(name string) string { return filepath.Join(spoolDir, name) }
	if err := d.root.WriteFile(at(name), nil, 0o600); err != nil {
		return fmt.Errorf("writing to the object directory: %w", err)
	}
	for _, other := range []string{cased, composed} {
		if _, err := d.lstat(at(other)); err == nil {
			d.folds = true
		}
	}
	if err := d.root.Remove(at(name)); err != nil {
		return fmt.Errorf("writing to the object directory: %w", err)
	}
	return nil
}

// load reads what there is.
func (d *disk) load() (map[string]*bucket, error) {
	entries, err := fs.ReadDir(d.root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("reading the object directory: %w", err)
	}
	buckets := make(map[string]*bucket)
	for _, e := range entries {
		if !e.IsDir() || checkBucketName(e.Name()) != nil {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, fmt.Errorf("reading the object directory: %w", err)
		}
		objects, err := d.loadBucket(e.Name())
		if err != nil {
			return nil, fmt.Errorf("reading the objects of bucket %s: %w", e.Name(), err)
		}
		b := newBucket(info.ModTime())
		b.load(objects)
		buckets[e.Name()] = b
	}
	return buckets, nil
}

// loadBucket believes metadata only of a file that lies where the object's key
// says, by its real name.
func (d *disk) loadBucket(name string) (map[string]*object, error) {
	files, err := d.files(name)
	if err != nil {
		return nil, err
	}
	hidden, err := d.files(path.Join(hiddenDir, name))
	if err != nil {
		return nil, err
	}
	objects := make(map[string]*object)
	described, err := d.files(path.Join(metaDir, name))
	if err != nil {
		return nil, err
	}
	for rel, info := range described {
		file := path.Join(metaDir, name, rel)
		o, err := d.readMeta(file, info)
		if err != nil {
			return nil, err
		}
		if o == nil || filepath.ToSlash(d.metaPath(name, o)) != file || !o.isIn(files, hidden) {
			if err := d.root.Remove(file); err != nil {
				return nil, err
			}
			continue
		}
		objects[o.Key] = o
	}
	for key, info := range files {
		if objects[key] != nil || strings.HasPrefix(path.Base(key), ".") || checkKey(key) != nil {
			continue
		}
		if objects[key], err = d.adopt(key, path.Join(name, key), info); err != nil {
			return nil, err
		}
	}
	return objects, nil
}

// files are the regular files below a directory, by their path in it; one that
// is not there has none. What is not named in UTF-8 is left out.
func (d *disk) files(top string) (map[string]fs.FileInfo, error) {
	found := make(map[string]fs.FileInfo)
	err := fs.WalkDir(d.root.FS(), top, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && !utf8.ValidString(name) {
			return fs.SkipDir
		}
		if !e.Type().IsRegular() || !utf8.ValidString(name) {
			return nil
		}
		found[strings.TrimPrefix(name, top+"/")], err = e.Info()
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return found, nil
	}
	return found, err
}

// maxMetaBytes is more than the metadata of any object takes.
const maxMetaBytes = 1 << 20

// readMeta reads the object that a metadata file describes; nil if it
// describes none that this server could have stored.
func (d *disk) readMeta(file string, info fs.FileInfo) (*object, error) {
	if info.Size() > maxMetaBytes {
		return nil, nil //nolint:nilnil // there is no such object
	}
	text, err := d.root.ReadFile(file)
	if err != nil {
		return nil, err
	}
	o := new(object)
	if json.Unmarshal(text, o) == nil && o.isPlausible() {
		return o, nil
	}
	return nil, nil //nolint:nilnil // see above
}

// isPlausible reports whether a server could have made an object so.
func (o *object) isPlausible() bool {
	etag, parts, _ := strings.Cut(o.ETag, "-")
	ok := checkKey(o.Key) == nil && len(etag) == hex.EncodedLen(md5.Size) && isDigits(etag, "0123456789abcdef") && isDigits(parts, "0123456789")
	rest := o.Size
	for _, p := range o.Parts {
		ok = ok && p.Size >= 0 && p.Size <= rest
		rest -= p.Size
	}
	ok = ok && (rest == 0 || len(o.Parts) == 0)
	for name, value := range o.Headers {
		ok = ok && isKept(name) && !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
	}
	return ok
}

func isDigits(s, digits string) bool { return strings.Trim(s, digits) == "" }

// isIn reports whether an object's content is among a bucket's files, or among
// those out of sight.
func (o *object) isIn(files, hidden map[string]fs.FileInfo) bool {
	info := files[o.Key]
	if o.Hidden {
		info = hidden[keyHash(o.Key)]
	}
	return info != nil && info.Size() == o.Size && info.ModTime().Equal(o.Modified)
}

// adopt makes an object of a file that has no metadata.
func (d *disk) adopt(key, file string, info fs.FileInfo) (*object, error) {
	f, err := d.root.Open(file)
	if err != nil {
		return nil, err
	}
	sum := md5.New() //nolint:gosec // see the import
	_, err = io.Copy(sum, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return &object{
		Key: key, Size: info.Size(), Modified: info.ModTime(), ETag: hex.EncodeToString(sum.Sum(nil)),
		Headers: map[string]string{"Content-Type": "binary/octet-stream"},
	}, nil
}
