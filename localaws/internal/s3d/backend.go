package s3d

import (
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"slices"
	"strings"

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

// GetObject implements gofakes3.Backend.
func (b *backend) GetObject(name, key string, want *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	o, content, err := b.s.open(objectID{name, key})
	if err != nil {
		return nil, forGofakes3(err)
	}
	got := describe(o)
	got.Contents = content
	if got.Range, err = want.Range(o.Size); err != nil {
		_ = content.Close() // nothing was read
		return nil, err
	}
	if got.Range != nil {
		if _, err := content.Seek(got.Range.Start, io.SeekStart); err != nil {
			_ = content.Close() // nothing was read
			return nil, forGofakes3(err)
		}
		got.Contents = limited{io.LimitReader(content, got.Range.Length), content}
	}
	return got, nil
}

type limited struct {
	io.Reader
	io.Closer
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

// HeadObject implements gofakes3.Backend.
func (b *backend) HeadObject(name, key string) (*gofakes3.Object, error) {
	o := b.s.find(objectID{name, key})
	if o == nil {
		return nil, forGofakes3(noSuchKey())
	}
	return describe(o), nil
}

func describe(o *object) *gofakes3.Object {
	headers := maps.Clone(o.Headers)
	headers["Last-Modified"] = o.Modified.UTC().Format(http.TimeFormat)
	headers[etagHeader] = quote(o.ETag)
	sum, _ := hex.DecodeString(o.ETag) // of a multipart object it is not hex; etagHeader has it
	return &gofakes3.Object{
		Name: o.Key, Metadata: headers, Size: o.Size, Hash: sum,
		Contents: io.NopCloser(strings.NewReader("")),
	}
}

// DeleteObject implements gofakes3.Backend.
func (b *backend) DeleteObject(name, key string) (gofakes3.ObjectDeleteResult, error) {
	id := objectID{name, key}
	unlock := b.s.lock(id)
	defer unlock()
	o := b.s.find(id)
	if o == nil {
		return gofakes3.ObjectDeleteResult{}, nil
	}
	if err := b.s.storage.remove(name, o); err != nil {
		return gofakes3.ObjectDeleteResult{}, forGofakes3(err)
	}
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	if found := b.s.buckets[name]; found != nil {
		found.remove(key)
	}
	return gofakes3.ObjectDeleteResult{}, nil
}

// DeleteMulti implements gofakes3.Backend.
func (b *backend) DeleteMulti(name string, keys ...string) (gofakes3.MultiDeleteResult, error) {
	var result gofakes3.MultiDeleteResult
	for _, key := range keys {
		if _, err := b.DeleteObject(name, key); err != nil {
			failed := gofakes3.ErrorResultFromError(err)
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

// CopyObject implements gofakes3.Backend.
func (b *backend) CopyObject(
	fromBucket, fromKey, toBucket, toKey string, meta map[string]string,
) (gofakes3.CopyObjectResult, error) {
	o, err := b.s.copyObject(objectID{fromBucket, fromKey}, objectID{toBucket, toKey}, meta)
	if err != nil {
		return gofakes3.CopyObjectResult{}, forGofakes3(err)
	}
	return gofakes3.CopyObjectResult{ETag: quote(o.ETag), LastModified: gofakes3.NewContentTime(o.Modified)}, nil
}

// copyObject copies an object with its headers, or with those of the request
// if it says so.
func (s *Server) copyObject(from, to objectID, request map[string]string) (*object, error) {
	source, content, err := s.open(from)
	if err != nil {
		return nil, err
	}
	defer func() { _ = content.Close() }() // it was only read
	headers := source.Headers
	if request["X-Amz-Metadata-Directive"] == "REPLACE" {
		sent := make(http.Header)
		for name, value := range request {
			sent.Set(name, value)
		}
		if headers, err = objectHeaders(sent); err != nil {
			return nil, err
		}
	}
	received, etag, err := s.receive(content)
	if err != nil {
		return nil, err
	}
	if strings.Contains(source.ETag, "-") { // its checksum is of its parts
		headers = maps.Clone(headers)
		maps.DeleteFunc(headers, func(name, _ string) bool { return strings.HasPrefix(name, checksumHeader) })
	}
	o := &object{Key: to.key, Size: source.Size, ETag: etag, Headers: headers}
	if err := s.store(to.bucket, o, conditions{}, func() (spool, error) { return received, nil }); err != nil {
		received.discard()
		return nil, err
	}
	return o, nil
}
