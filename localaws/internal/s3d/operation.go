package s3d

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Call is what a request asks for, as S3 names it.
type Call struct {
	Operation string // such as "PutObject"; "" if this server does not have it
	Bucket    string
	Key       string
}

// Parse says what a request asks for. It understands path-style requests, and
// virtual-host-style ones whose Host is a bucket, a dot and one of
// Options.HostSuffixes.
func (s *Server) Parse(r *http.Request) Call {
	path := strings.TrimPrefix(r.URL.Path, "/")
	c := Call{Bucket: s.hostBucket(r.Host), Key: path}
	if c.Bucket == "" {
		c.Bucket, c.Key, _ = strings.Cut(path, "/")
	}
	q := r.URL.Query()
	switch {
	case hasUnknownSubresource(q):
	case c.Bucket == "":
		c.Operation = pick(r.Method, map[string]string{http.MethodGet: "ListBuckets"})
	case c.Key == "":
		c.Operation = bucketOperation(r.Method, q)
	default:
		c.Operation = objectOperation(r, q)
	}
	return c
}

func pick(method string, names map[string]string) string { return names[method] }

func bucketOperation(method string, q url.Values) string {
	switch {
	case q.Has("uploads"):
		return pick(method, map[string]string{http.MethodGet: "ListMultipartUploads"})
	case q.Has("versions"):
		return pick(method, map[string]string{http.MethodGet: "ListObjectVersions"})
	case q.Has("location"):
		return pick(method, map[string]string{http.MethodGet: "GetBucketLocation"})
	case q.Has("delete"):
		return pick(method, map[string]string{http.MethodPost: "DeleteObjects"})
	case method == http.MethodGet && q.Get("list-type") == "2":
		return "ListObjectsV2"
	}
	return pick(method, map[string]string{
		http.MethodGet: "ListObjects", http.MethodPut: "CreateBucket",
		http.MethodHead: "HeadBucket", http.MethodDelete: "DeleteBucket",
	})
}

func objectOperation(r *http.Request, q url.Values) string {
	isCopy := r.Header.Get("X-Amz-Copy-Source") != ""
	switch {
	case q.Has("versions"): // of a bucket alone
		return ""
	case q.Has("uploadId"):
		if isCopy {
			return pick(r.Method, map[string]string{http.MethodPut: "UploadPartCopy"})
		}
		return pick(r.Method, map[string]string{
			http.MethodGet: "ListParts", http.MethodPut: "UploadPart",
			http.MethodPost: "CompleteMultipartUpload", http.MethodDelete: "AbortMultipartUpload",
		})
	case q.Has("uploads"):
		return pick(r.Method, map[string]string{http.MethodPost: "CreateMultipartUpload"})
	case isCopy:
		return pick(r.Method, map[string]string{http.MethodPut: "CopyObject"})
	}
	return pick(r.Method, map[string]string{
		http.MethodGet: "GetObject", http.MethodHead: "HeadObject",
		http.MethodPut: "PutObject", http.MethodDelete: "DeleteObject",
	})
}

// hasUnknownSubresource reports whether a query names a subresource that this
// server does not have. Without the check a PutObjectTagging would be taken
// for a PutObject and overwrite the object with its tags.
func hasUnknownSubresource(q url.Values) bool {
	return slices.ContainsFunc([]string{
		"accelerate", "acl", "analytics", "attributes", "cors", "encryption", "intelligent-tiering",
		"inventory", "legal-hold", "lifecycle", "logging", "metrics", "notification", "object-lock",
		"ownershipControls", "policy", "policyStatus", "publicAccessBlock", "replication",
		"requestPayment", "restore", "retention", "select", "session", "tagging", "torrent",
		"versionId", "versioning", "website",
	}, q.Has)
}

// hostBucket is the bucket named by a virtual-host-style Host, or "".
func (s *Server) hostBucket(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if slices.Contains(s.options.HostSuffixes, host) {
		return ""
	}
	for _, suffix := range s.options.HostSuffixes {
		if bucket, ok := strings.CutSuffix(host, "."+suffix); ok {
			return bucket
		}
	}
	return ""
}
