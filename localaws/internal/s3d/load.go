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
	"path/filepath"
	"strings"
)

// openDisk makes a directory ready and removes what a former run left half
// done.
func openDisk(root string, wrap func(io.Writer) io.Writer) (*disk, error) {
	d := &disk{root: root, wrap: wrap}
	if err := os.RemoveAll(filepath.Join(root, spoolDir)); err != nil {
		return nil, fmt.Errorf("cleaning up the object directory: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(root, spoolDir), 0o750); err != nil {
		return nil, fmt.Errorf("making the object directory: %w", err)
	}
	return d, nil
}

// load reads what there is.
func (d *disk) load() (map[string]*bucket, error) {
	entries, err := os.ReadDir(d.root)
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

func (d *disk) loadBucket(name string) (map[string]*object, error) {
	objects := make(map[string]*object)
	err := walkFiles(filepath.Join(d.root, metaDir, name), func(path string, _ fs.FileInfo) error {
		o, err := d.readMeta(name, path)
		if err != nil {
			return err
		}
		if o == nil {
			return os.Remove(path)
		}
		objects[o.Key] = o
		return nil
	})
	if err != nil {
		return nil, err
	}
	top := filepath.Join(d.root, name)
	err = walkFiles(top, func(path string, info fs.FileInfo) error {
		rel, err := filepath.Rel(top, path)
		if err != nil {
			return err
		}
		key := filepath.ToSlash(rel)
		if objects[key] != nil || strings.HasPrefix(filepath.Base(path), ".") {
			return nil
		}
		o, err := adopt(key, path, info)
		objects[key] = o
		return err
	})
	return objects, err
}

// walkFiles calls f for every regular file below a directory; one that is not
// there has none.
func walkFiles(top string, f func(path string, info fs.FileInfo) error) error {
	err := filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		return f(path, info)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// readMeta reads the object that a metadata file describes; nil if the file it
// describes is not there or is another content.
func (d *disk) readMeta(bucket, path string) (*object, error) {
	text, err := os.ReadFile(path) //nolint:gosec // a path below the directory the user named
	if err != nil {
		return nil, err
	}
	o := new(object)
	decoded := json.Unmarshal(text, o)
	if decoded == nil && d.metaPath(bucket, o) == path && d.holds(bucket, o) {
		return o, nil
	}
	return nil, nil //nolint:nilnil // there is no such object
}

// holds reports whether an object's content is where it should be.
func (d *disk) holds(bucket string, o *object) bool {
	info, err := os.Stat(d.path(bucket, o))
	return err == nil && info.Size() == o.Size && info.ModTime().Equal(o.Modified)
}

// adopt makes an object of a file that has no metadata.
func adopt(key, path string, info fs.FileInfo) (*object, error) {
	f, err := os.Open(path) //nolint:gosec // a path below the directory the user named
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
