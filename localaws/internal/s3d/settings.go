package s3d

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Settings say how a bucket differs from one that was just made. They are lost
// with the bucket, and when the server ends.
type Settings struct {
	// Region is where the bucket is: a request that is signed for another one is
	// answered with 301, and keys of others do not encrypt its objects. "" is the
	// server's.
	Region string

	// RefuseACLs refuses each header of an ACL with AccessControlListNotSupported.
	// Otherwise bucket-owner-full-control is accepted: the owner owns all objects.
	RefuseACLs bool

	// RequireKMS is a policy that denies each object that is not to be encrypted
	// with a key (aws:kms).
	RequireKMS bool

	// Versioned has ListObjectVersions tell what each key had since then: each put
	// adds a version, and each delete a marker. Only the current one can be read.
	Versioned bool
}

// SetBucket makes a bucket be so from the next request on; one that is not there
// is made.
func (s *Server) SetBucket(name string, settings Settings) error {
	if err := checkBucketName(name); err != nil {
		return err
	}
	if _, err := s.makeBucket(name); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[name]
	if b == nil {
		return noSuchBucket(name)
	}
	b.settings = settings
	return nil
}

// Region returns the region of a bucket, or the server's.
func (s *Server) Region(bucket string) string {
	if region := s.settings(bucket).Region; region != "" {
		return region
	}
	return s.options.Region
}

func (s *Server) settings(bucket string) Settings {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.buckets[bucket]; b != nil {
		return b.settings
	}
	return Settings{}
}

// checkRegion answers as S3 does in another region than the bucket's.
func (s *Server) checkRegion(a *answer, r *http.Request, call Call) error {
	signed, region := callerOf(r).Region, s.Region(call.Bucket)
	if signed == "" || call.Bucket == "" || signed == region {
		return nil
	}
	a.Header().Set("X-Amz-Bucket-Region", region)
	return refuse(http.StatusMovedPermanently, "PermanentRedirect",
		"The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.")
}

// Headers of encryption.
const (
	encryptionHeader = "X-Amz-Server-Side-Encryption"
	keyHeader        = "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"
)

// isEncrypted reports whether headers are of what a key encrypts.
func isEncrypted(h http.Header) bool { return h.Get(encryptionHeader) == "aws:kms" }

// checkEncryption judges what a request that makes an object says of its
// encryption. Nothing is encrypted here: an object only tells that it would be.
func (s *Server) checkEncryption(call Call, h http.Header) error {
	if call.Operation != "PutObject" && call.Operation != "CreateMultipartUpload" && call.Operation != "CopyObject" {
		return nil
	}
	key := h.Get(keyHeader)
	switch {
	case s.settings(call.Bucket).RequireKMS && !isEncrypted(h):
		return notPermitted("s3:PutObject", call, "with an explicit deny in a resource-based policy")
	case isEncrypted(h) != (key != ""):
		return notImplemented("one of the headers " + strings.ToLower(encryptionHeader) + ": aws:kms and " + strings.ToLower(keyHeader) + " without the other")
	case key == "":
		return nil
	}
	parts := strings.SplitN(key, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "kms" {
		return notImplemented("keys that are named by something else than their ARN (" + strings.ToLower(keyHeader) + ": " + key + ")")
	}
	if region := parts[3]; region != s.Region(call.Bucket) {
		return refuse(http.StatusBadRequest, "KMS.NotFoundException", "Invalid arn %s", region)
	}
	return nil
}

// version is what a key had.
type version struct {
	object *object // of a marker of a deletion, only its key and time
	id     string
	marker bool
}

// remember notes what a key has now, if the bucket keeps versions.
func (b *bucket) remember(o *object, marker bool) {
	if b.settings.Versioned {
		b.versions = append(b.versions, version{o, newID(), marker})
	}
}

// history returns what there is, newest first; without versions what there is now.
func (b *bucket) history() []version {
	var all []version
	noted := make(map[string]bool)
	for _, v := range slices.Backward(b.versions) {
		noted[v.object.Key] = true
		all = append(all, v)
	}
	for _, key := range b.keys {
		if !noted[key] {
			all = append(all, version{b.objects[key], "null", false})
		}
	}
	return all
}

func deleted(key string, at time.Time) *object { return &object{Key: key, Modified: at} }

func notPermitted(action string, call Call, why string) error {
	return refuse(http.StatusForbidden, "AccessDenied", "User: %s is not authorized to perform: %s on resource: %q %s",
		"arn:aws:iam::000000000000:user/local", action, fmt.Sprintf("arn:aws:s3:::%s/%s", call.Bucket, call.Key), why)
}
