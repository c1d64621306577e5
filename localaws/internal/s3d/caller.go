package s3d

import (
	"context"
	"net/http"
)

// Caller is who signed a request.
type Caller struct {
	Region string // for which; "" if it does not matter
	// May reports whether an action, such as "s3:PutObject", is permitted; nil
	// permits all.
	May func(action string) bool
}

type callerKey struct{}

// WithCaller returns a request of a caller.
func WithCaller(r *http.Request, c Caller) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), callerKey{}, c))
}

func callerOf(r *http.Request) Caller {
	c, _ := r.Context().Value(callerKey{}).(Caller)
	return c
}

// checkPermits refuses what the caller may not do.
func (s *Server) checkPermits(r *http.Request, call Call) error {
	may := callerOf(r).May
	if may == nil {
		return nil
	}
	for _, action := range s.actions(r, call) {
		if !may(action) {
			return notPermitted(action, call, "because no identity-based policy allows the "+action+" action")
		}
	}
	return nil
}

// actions are those that a request needs to be permitted.
// Source: Amazon S3 user guide, "Required permissions for Amazon S3 API operations".
func (s *Server) actions(r *http.Request, call Call) []string {
	switch call.Operation {
	case "ListBuckets":
		return []string{"s3:ListAllMyBuckets"}
	case "HeadBucket", "ListObjects", "ListObjectsV2":
		return []string{"s3:ListBucket"}
	case "ListObjectVersions":
		return []string{"s3:ListBucketVersions"}
	case "ListMultipartUploads":
		return []string{"s3:ListBucketMultipartUploads"}
	case "ListParts":
		return []string{"s3:ListMultipartUploadParts"}
	case "DeleteObjects":
		return []string{"s3:DeleteObject"}
	case "CopyObject", "UploadPartCopy":
		return []string{"s3:GetObject", "s3:PutObject"}
	case "GetObject", "HeadObject":
		return s.readActions(call)
	case "PutObject", "CreateMultipartUpload":
		return putActions(r.Header)
	case "UploadPart", "CompleteMultipartUpload":
		return s.partActions(r, call)
	default: // CreateBucket, DeleteBucket, GetBucketLocation, DeleteObject, AbortMultipartUpload
		return []string{"s3:" + call.Operation}
	}
}

// readActions has s3:ListBucket for an object that is not there: who may not list
// is not told that.
func (s *Server) readActions(call Call) []string {
	all := []string{"s3:GetObject"}
	switch o := s.find(objectID{call.Bucket, call.Key}); {
	case o == nil:
		all = append(all, "s3:ListBucket")
	case o.Headers[keyHeader] != "" && call.Operation == "GetObject":
		all = append(all, "kms:Decrypt")
	}
	return all
}

func putActions(h http.Header) []string {
	all := []string{"s3:PutObject"}
	if h.Get("X-Amz-Acl") != "" {
		all = append(all, "s3:PutObjectAcl")
	}
	if isEncrypted(h) {
		all = append(all, "kms:GenerateDataKey")
	}
	return all
}

func (s *Server) partActions(r *http.Request, call Call) []string {
	all := []string{"s3:PutObject"}
	u, _, err := s.findUpload(call.Bucket, call.Key, r.URL.Query().Get("uploadId"))
	if err == nil && u.headers[keyHeader] != "" {
		all = append(all, "kms:Decrypt")
	}
	return all
}
