package s3d

import (
	"cmp"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/johannesboyne/gofakes3"
)

// ListMultipartUploads implements gofakes3.MultipartBackend. It does not roll
// keys up at a delimiter.
func (b *backend) ListMultipartUploads(
	name string, marker *gofakes3.UploadListMarker, prefix gofakes3.Prefix, limit int64,
) (*gofakes3.ListMultipartUploadsResult, error) {
	result := &gofakes3.ListMultipartUploadsResult{Bucket: name, Prefix: prefix.Prefix, MaxUploads: limit}
	after := ""
	if marker != nil {
		result.KeyMarker, result.UploadIDMarker = marker.Object, marker.UploadID
		after = marker.Object
	}
	for _, u := range b.s.openUploads(name, prefix.Prefix) {
		if u.key < after || (u.key == after && marker != nil && u.id <= string(marker.UploadID)) {
			continue
		}
		if u.key == after && marker != nil && marker.UploadID == "" {
			continue
		}
		if int64(len(result.Uploads)) == limit {
			last := result.Uploads[limit-1]
			result.IsTruncated, result.NextKeyMarker, result.NextUploadIDMarker = true, last.Key, last.UploadID
			break
		}
		result.Uploads = append(result.Uploads, gofakes3.ListMultipartUploadItem{
			Key: u.key, UploadID: gofakes3.UploadID(u.id), StorageClass: gofakes3.StorageStandard,
			Initiated: gofakes3.NewContentTime(u.begun),
		})
	}
	return result, nil
}

// openUploads are a bucket's uploads by key and id.
func (s *Server) openUploads(bucket, prefix string) []*upload {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*upload
	for _, u := range s.uploads {
		if u.bucket == bucket && strings.HasPrefix(u.key, prefix) {
			list = append(list, u)
		}
	}
	slices.SortFunc(list, func(a, b *upload) int {
		return cmp.Or(strings.Compare(a.key, b.key), strings.Compare(a.id, b.id))
	})
	return list
}

// ListParts implements gofakes3.MultipartBackend.
func (b *backend) ListParts(
	name, key string, id gofakes3.UploadID, marker int, limit int64,
) (*gofakes3.ListMultipartUploadPartsResult, error) {
	_, parts, err := b.s.findUpload(name, key, string(id))
	if err != nil {
		return nil, forGofakes3(err)
	}
	result := &gofakes3.ListMultipartUploadPartsResult{
		Bucket: name, Key: key, UploadID: id, StorageClass: gofakes3.StorageStandard,
		PartNumberMarker: marker, MaxParts: limit,
	}
	for _, number := range slices.Sorted(maps.Keys(parts)) {
		if number <= marker {
			continue
		}
		if int64(len(result.Parts)) == limit {
			result.IsTruncated = true
			break
		}
		p := parts[number]
		result.NextPartNumberMarker = number
		result.Parts = append(result.Parts, gofakes3.ListMultipartUploadPartItem{
			PartNumber: number, Size: p.size, ETag: quote(p.etag), LastModified: gofakes3.NewContentTime(p.received),
		})
	}
	return result, nil
}

// AbortMultipartUpload implements gofakes3.MultipartBackend.
func (b *backend) AbortMultipartUpload(name, key string, id gofakes3.UploadID) error {
	u, _, err := b.s.findUpload(name, key, string(id))
	if err != nil {
		return forGofakes3(err)
	}
	b.s.dropUpload(u)
	return nil
}

// CreateMultipartUpload implements gofakes3.MultipartBackend; the server
// answers these requests itself.
func (b *backend) CreateMultipartUpload(string, string, map[string]string) (gofakes3.UploadID, error) {
	return "", gofakes3.ErrNotImplemented
}

// UploadPart implements gofakes3.MultipartBackend; the server answers these
// requests itself.
func (b *backend) UploadPart(string, string, gofakes3.UploadID, int, int64, io.Reader) (string, error) {
	return "", gofakes3.ErrNotImplemented
}

// CompleteMultipartUpload implements gofakes3.MultipartBackend; the server
// answers these requests itself.
func (b *backend) CompleteMultipartUpload(
	string, string, gofakes3.UploadID, *gofakes3.CompleteMultipartUploadRequest,
) (gofakes3.VersionID, string, error) {
	return "", "", gofakes3.ErrNotImplemented
}
