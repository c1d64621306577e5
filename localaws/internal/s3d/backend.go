package s3d

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"

	"github.com/johannesboyne/gofakes3"
)

// backend is what gofakes3 serves.
type backend struct{ s *Server }

// ListBuckets implements gofakes3.Backend.
func (b *backend) ListBuckets() ([]gofakes3.BucketInfo, error) {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	infos := make([]gofakes3.BucketInfo, 0, len(b.s.buckets))
	for _, name := range slices.Sorted(maps.Keys(b.s.buckets)) {
		infos = append(infos, gofakes3.BucketInfo{
			Name: name, CreationDate: gofakes3.NewContentTime(b.s.buckets[name].created),
		})
	}
	return infos, nil
}

// ListBucket implements gofakes3.Backend.
func (b *backend) ListBucket(
	name string, prefix *gofakes3.Prefix, page gofakes3.ListBucketPage,
) (*gofakes3.ObjectList, error) {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	found := b.s.buckets[name]
	if found == nil {
		return nil, forGofakes3(noSuchBucket(name))
	}
	l := found.list(prefix.Prefix, prefix.Delimiter, page.Marker, int(page.MaxKeys))
	list := gofakes3.NewObjectList()
	for _, o := range l.objects {
		list.Add(&gofakes3.Content{
			Key: o.Key, Size: o.Size, ETag: quote(o.ETag), LastModified: gofakes3.NewContentTime(o.Modified),
		})
	}
	for _, p := range l.prefixes {
		list.AddPrefix(p)
	}
	list.IsTruncated, list.NextMarker = l.truncated, l.next
	return list, nil
}

// CreateBucket implements gofakes3.Backend.
func (b *backend) CreateBucket(name string) error {
	if err := checkBucketName(name); err != nil {
		return forGofakes3(err)
	}
	_, err := b.s.makeBucket(name)
	return forGofakes3(err)
}

// BucketExists implements gofakes3.Backend.
func (b *backend) BucketExists(name string) (bool, error) {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	return b.s.buckets[name] != nil, nil
}

// DeleteBucket implements gofakes3.Backend.
func (b *backend) DeleteBucket(name string) error {
	b.s.mu.Lock()
	found := b.s.buckets[name]
	if found == nil {
		b.s.mu.Unlock()
		return forGofakes3(noSuchBucket(name))
	}
	if len(found.keys) > 0 {
		b.s.mu.Unlock()
		return gofakes3.ErrBucketNotEmpty
	}
	delete(b.s.buckets, name)
	b.s.mu.Unlock()
	return forGofakes3(b.s.storage.removeBucket(name))
}

// ForceDeleteBucket implements gofakes3.Backend.
func (b *backend) ForceDeleteBucket(string) error { return gofakes3.ErrNotImplemented }

// GetObject implements gofakes3.Backend; the server answers these requests
// itself.
func (b *backend) GetObject(string, string, *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	return nil, gofakes3.ErrNotImplemented
}

// open returns an object and its content, which belong together: it waits for
// a write of the key to end.
func (s *Server) open(id objectID) (*object, io.ReadSeekCloser, error) {
	unlock := s.lock(id)
	defer unlock()
	o := s.find(id)
	if o == nil {
		return nil, nil, noSuchKey()
	}
	content, err := s.storage.open(id.bucket, o)
	if errors.Is(err, fs.ErrNotExist) { // deleted by hand
		s.mu.Lock()
		defer s.mu.Unlock()
		if b := s.buckets[id.bucket]; b != nil {
			b.remove(id.key)
		}
		return nil, nil, noSuchKey()
	}
	return o, content, err
}

// HeadObject implements gofakes3.Backend; the server answers these requests
// itself.
func (b *backend) HeadObject(string, string) (*gofakes3.Object, error) {
	return nil, gofakes3.ErrNotImplemented
}

// DeleteObject implements gofakes3.Backend; the server answers these requests
// itself.
func (b *backend) DeleteObject(string, string) (gofakes3.ObjectDeleteResult, error) {
	return gofakes3.ObjectDeleteResult{}, gofakes3.ErrNotImplemented
}

// DeleteMulti implements gofakes3.Backend.
func (b *backend) DeleteMulti(name string, keys ...string) (gofakes3.MultiDeleteResult, error) {
	var result gofakes3.MultiDeleteResult
	for _, key := range keys {
		if err := b.s.removeObject(objectID{name, key}, preconditions{}); err != nil {
			failed := gofakes3.ErrorResultFromError(forGofakes3(err))
			failed.Key = key
			result.Error = append(result.Error, failed)
			continue
		}
		result.Deleted = append(result.Deleted, gofakes3.ObjectID{Key: key})
	}
	return result, nil
}

// PutObject implements gofakes3.Backend for uploads by a browser's form; a
// PutObject itself does not come here.
func (b *backend) PutObject(
	string, string, map[string]string, io.Reader, int64, *gofakes3.PutConditions,
) (gofakes3.PutObjectResult, error) {
	return gofakes3.PutObjectResult{}, gofakes3.ErrNotImplemented
}

// CopyObject implements gofakes3.Backend; the server answers these requests
// itself.
func (b *backend) CopyObject(string, string, string, string, map[string]string) (gofakes3.CopyObjectResult, error) {
	return gofakes3.CopyObjectResult{}, gofakes3.ErrNotImplemented
}
