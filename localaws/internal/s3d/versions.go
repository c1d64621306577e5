package s3d

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strings"
)

type listVersionsResult struct {
	XMLName      xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListVersionsResult"`
	Name         string
	Prefix       string
	MaxKeys      int
	IsTruncated  bool
	EncodingType string          `xml:",omitempty"`
	Version      []listedVersion // newest first of each key
	DeleteMarker []listedMarker
}

type listedMarker struct {
	Key          string
	VersionID    string `xml:"VersionId"`
	IsLatest     bool
	LastModified string
}

type listedVersion struct {
	listedMarker

	ETag         string
	Size         int64
	StorageClass string
}

// listVersions serves ListObjectVersions, in one page.
func (s *Server) listVersions(a *answer, r *http.Request, call Call) error {
	q := r.URL.Query()
	for _, name := range []string{"delimiter", "key-marker", "version-id-marker"} {
		if q.Get(name) != "" {
			return notImplemented("the parameter " + name + " of ListObjectVersions")
		}
	}
	result := listVersionsResult{Name: call.Bucket, Prefix: q.Get("prefix"), MaxKeys: maxListed, EncodingType: q.Get("encoding-type")}
	s.mu.Lock()
	found := s.buckets[call.Bucket]
	if found == nil {
		s.mu.Unlock()
		return noSuchBucket(call.Bucket)
	}
	all := found.history()
	s.mu.Unlock()
	all = slices.DeleteFunc(all, func(v version) bool { return !strings.HasPrefix(v.object.Key, result.Prefix) })
	slices.SortStableFunc(all, func(v, w version) int { return strings.Compare(v.object.Key, w.object.Key) })
	if len(all) > maxListed {
		return notImplemented("more than a page of ListObjectVersions")
	}
	result.fill(all)
	writeXML(a, http.StatusOK, result)
	return nil
}

func (l *listVersionsResult) fill(all []version) {
	for i, v := range all {
		key := v.object.Key
		isLatest := i == 0 || all[i-1].object.Key != key
		if l.EncodingType == "url" {
			key = encodeName(key)
		}
		m := listedMarker{Key: key, VersionID: v.id, IsLatest: isLatest, LastModified: xmlTime(v.object.Modified)}
		if v.marker {
			l.DeleteMarker = append(l.DeleteMarker, m)
			continue
		}
		l.Version = append(l.Version, listedVersion{m, quote(v.object.ETag), v.object.Size, "STANDARD"})
	}
}
