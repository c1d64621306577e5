package s3d

import (
	"net/http"
	"slices"
	"strings"
)

// checkHeaders refuses, by name, a header that asks for what this server would
// not do: an object without the encryption that its client asked for is not
// what it put.
func (s *Server) checkHeaders(call Call, h http.Header) error {
	for name, values := range h {
		value := strings.Join(values, ",")
		switch {
		case !strings.HasPrefix(name, "X-Amz-"):
		case name == "X-Amz-Acl" || strings.HasPrefix(name, "X-Amz-Grant-"):
			// As new buckets do, in which the owner owns all objects.
			if name != "X-Amz-Acl" || value != "bucket-owner-full-control" || s.settings(call.Bucket).RefuseACLs {
				return refuse(http.StatusBadRequest, "AccessControlListNotSupported",
					"The bucket does not allow ACLs (%s: %s)", strings.ToLower(name), value)
			}
		case name == "X-Amz-Expected-Bucket-Owner" || name == copySource+"Expected-Bucket-Owner":
			if value != s.options.Account {
				return refuse(http.StatusForbidden, "AccessDenied",
					"The owner of the buckets is account %s (%s: %s)", s.options.Account, strings.ToLower(name), value)
			}
		case !isUnderstood(call.Operation, name, value):
			return notImplemented("the header " + strings.ToLower(name) + ": " + value + " of " + call.Operation)
		}
	}
	return nil
}

// isUnderstood reports whether a header of S3's own has the effect that it
// should have on an operation, or asks for what is so in any case.
func isUnderstood(operation, name, value string) bool {
	if only, ok := map[string]string{
		"X-Amz-Bucket-Object-Lock-Enabled":                "false",
		"X-Amz-Object-Ownership":                          "BucketOwnerEnforced",
		"X-Amz-Server-Side-Encryption-Bucket-Key-Enabled": "false",
		"X-Amz-Storage-Class":                             "STANDARD",
		"X-Amz-Tagging-Directive":                         "COPY",
	}[name]; ok {
		return strings.EqualFold(value, only)
	}
	switch {
	case strings.HasPrefix(name, "X-Amz-Meta-"):
		return true
	case strings.HasPrefix(name, checksumHeader):
		return !slices.Contains([]string{"CopyObject", "UploadPartCopy"}, operation)
	case name == "X-Amz-Te": // an offer to read more than the body, which S3 need not take up
		return true
	case name == encryptionHeader:
		return value == "AES256" || value == "aws:kms" && operation != "CopyObject"
	case name == keyHeader: // see checkEncryption
		return operation == "PutObject" || operation == "CreateMultipartUpload"
	case name == objectSize:
		return operation == "CompleteMultipartUpload"
	case strings.HasPrefix(name, copySource):
		return !strings.Contains(name, "Encryption") && slices.Contains([]string{"CopyObject", "UploadPartCopy"}, operation)
	}
	return slices.Contains([]string{
		"X-Amz-Content-Sha256", "X-Amz-Copy-Source", "X-Amz-Date", "X-Amz-Decoded-Content-Length", "X-Amz-Metadata-Directive",
		"X-Amz-Optional-Object-Attributes", "X-Amz-Request-Payer", "X-Amz-Sdk-Checksum-Algorithm", "X-Amz-Security-Token",
		"X-Amz-Trailer", "X-Amz-User-Agent", "X-Amz-Website-Redirect-Location",
	}, name)
}
