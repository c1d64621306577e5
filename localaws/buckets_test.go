package localaws_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/shardmill/shardmill/localaws"
)

const someKey = "arn:aws:kms:us-east-1:000000000000:key/1"

func putting(key string, changes ...func(*s3.PutObjectInput)) *s3.PutObjectInput {
	in := &s3.PutObjectInput{Bucket: aws.String("archive"), Key: &key, Body: strings.NewReader("content")}
	for _, change := range changes {
		change(in)
	}
	return in
}

func withKey(arn string) func(*s3.PutObjectInput) {
	return func(in *s3.PutObjectInput) {
		in.ServerSideEncryption, in.SSEKMSKeyId = types.ServerSideEncryptionAwsKms, &arn
	}
}

func withACL(in *s3.PutObjectInput) { in.ACL = types.ObjectCannedACLBucketOwnerFullControl }

// TestBuckets: each setting refuses what it is to, and nothing else.
func TestBuckets(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		bucket localaws.Bucket
		in     *s3.PutObjectInput
		code   string
	}{
		"ACLs":                        {localaws.Bucket{}, putting("k", withACL), ""},
		"no ACLs":                     {localaws.Bucket{RefuseACLs: true}, putting("k", withACL), "AccessControlListNotSupported"},
		"no ACLs, and none":           {localaws.Bucket{RefuseACLs: true}, putting("k"), ""},
		"encryption":                  {localaws.Bucket{}, putting("k", withKey(someKey)), ""},
		"encryption required":         {localaws.Bucket{RequireKMS: true}, putting("k", withKey(someKey)), ""},
		"encryption required, absent": {localaws.Bucket{RequireKMS: true}, putting("k"), "AccessDenied"},
		"another region's key":        {localaws.Bucket{}, putting("k", withKey("arn:aws:kms:eu-west-1:000000000000:key/1")), "KMS.NotFoundException"},
		"a key by its name":           {localaws.Bucket{}, putting("k", withKey("alias/a")), "NotImplemented"},
		"another region":              {localaws.Bucket{Region: "eu-west-1"}, putting("k"), "PermanentRedirect"},
		"the stack's region":          {localaws.Bucket{Region: "us-east-1"}, putting("k"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stack := newStack(t, localaws.Options{})
			if err := stack.SetBucket("archive", row.bucket); err != nil {
				t.Fatal(err)
			}
			client := s3.NewFromConfig(quick(stack.AWSConfig()))
			_, err := client.PutObject(t.Context(), row.in)
			if codeOf(err) != row.code || (err == nil) != (row.code == "") {
				t.Errorf("put: %v, want %s", err, row.code)
			}
			head, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: row.in.Bucket, Key: row.in.Key})
			if (err == nil) != (row.code == "") {
				t.Fatalf("head: %v", err)
			}
			if err == nil && (head.ServerSideEncryption != row.in.ServerSideEncryption || aws.ToString(head.SSEKMSKeyId) != aws.ToString(row.in.SSEKMSKeyId)) {
				t.Errorf("encrypted %q with %q", head.ServerSideEncryption, aws.ToString(head.SSEKMSKeyId))
			}
		})
	}
	if err := newStack(t, localaws.Options{}).SetBucket("B", localaws.Bucket{}); err == nil {
		t.Error("a bucket was made that S3 would not make")
	}
}

// TestABucketInAnotherRegion is used by who signs for it, and tells others.
func TestABucketInAnotherRegion(t *testing.T) {
	t.Parallel()
	stack := newStack(t, localaws.Options{})
	if err := stack.SetBucket("archive", localaws.Bucket{Region: "eu-west-1"}); err != nil {
		t.Fatal(err)
	}
	client := s3.NewFromConfig(quick(stack.AWSConfig()))
	in := func(region string) func(*s3.Options) { return func(o *s3.Options) { o.Region = region } }
	if _, err := client.PutObject(t.Context(), putting("k"), in("eu-west-1")); err != nil {
		t.Error(err)
	}
	if _, err := client.PutObject(t.Context(), putting("k"), in("eu-south-1")); codeOf(err) != "AuthorizationHeaderMalformed" || !strings.Contains(err.Error(), "expecting 'eu-west-1'") {
		t.Errorf("signed for a third region: %v", err)
	}
	_, err := client.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("archive")})
	if statusOf(err) != http.StatusMovedPermanently {
		t.Errorf("signed for the stack's: %v", err)
	}
	out, err := client.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("archive")}, in("eu-west-1"))
	if err != nil || aws.ToString(out.BucketRegion) != "eu-west-1" {
		t.Errorf("%+v, %v", out, err)
	}
}

// TestPermit: each call needs what S3 says, and no more.
func TestPermit(t *testing.T) {
	t.Parallel()
	bucket, key := aws.String("archive"), aws.String("k")
	large := strings.Repeat("x", 5<<20)
	for name, row := range map[string]struct {
		needs []string
		call  func(t *testing.T, c *s3.Client) error
	}{
		"PutObject": {[]string{"s3:PutObject"}, func(t *testing.T, c *s3.Client) error {
			t.Helper()
			_, err := c.PutObject(t.Context(), putting("new"))
			return err
		}},
		"PutObject, an ACL and a key": {[]string{"s3:PutObject", "s3:PutObjectAcl", "kms:GenerateDataKey"}, func(t *testing.T, c *s3.Client) error {
			t.Helper()
			_, err := c.PutObject(t.Context(), putting("new", withACL, withKey(someKey)))
			return err
		}},
		"GetObject": {[]string{"s3:GetObject"}, func(t *testing.T, c *s3.Client) error {
			t.Helper()
			_, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: key})
			return err
		}},
		"GetObject with a key": {[]string{"s3:GetObject", "kms:Decrypt"}, func(t *testing.T, c *s3.Client) error {
			t.Helper()
			_, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: aws.String("secret")})
			return err
		}},
		"HeadObject with a key": {[]string{"s3:GetObject"}, func(t *testing.T, c *s3.Client) error {
			t.Helper()
			_, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: bucket, Key: aws.String("secret")})
			return err
		}},
		"HeadObject of none": {[]string{"s3:GetObject", "s3:ListBucket"}, func(t *testing.T, c *s3.Client) error {
			t.Helper()
			_, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: bucket, Key: aws.String("none")})
			if codeOf(err) == "NotFound" {
				return nil
			}
			return err
		}},
		"HeadBucket": {[]string{"s3:ListBucket"}, func(t *testing.T, c *s3.Client) error {
			t.Helper()
			_, err := c.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: bucket})
			return err
		}},
		"DeleteObject": {[]string{"s3:DeleteObject"}, func(t *testing.T, c *s3.Client) error {
			t.Helper()
			_, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: key})
			return err
		}},
		"an upload with a key": {[]string{"s3:PutObject", "kms:GenerateDataKey", "kms:Decrypt"}, func(t *testing.T, c *s3.Client) error {
			t.Helper()
			up, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
				Bucket: bucket, Key: key, ServerSideEncryption: types.ServerSideEncryptionAwsKms, SSEKMSKeyId: aws.String(someKey),
			})
			if err != nil {
				return err
			}
			_, err = c.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: bucket, Key: key, UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader(large)})
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stack := newStack(t, localaws.Options{Credentials: map[string]string{"a": "a", "z": "z"}})
			cfg := quick(stack.AWSConfig()) // of a
			all := cfg
			as("z", "z")(&all)
			z := s3.NewFromConfig(all)
			for _, in := range []*s3.PutObjectInput{putting("k"), putting("secret", withKey(someKey))} {
				if _, err := z.PutObject(t.Context(), in); err != nil {
					t.Fatal(err)
				}
			}
			client := s3.NewFromConfig(cfg)
			for _, missing := range row.needs {
				stack.Permit("a", slices.DeleteFunc(slices.Clone(row.needs), func(action string) bool { return action == missing })...)
				err := row.call(t, client)
				if code := codeOf(err); code != "AccessDenied" && code != "Forbidden" || code == "AccessDenied" && !strings.Contains(err.Error(), "not authorized to perform: "+missing) {
					t.Errorf("without %s: %v", missing, err)
				}
			}
			stack.Permit("a", row.needs...)
			if err := row.call(t, client); err != nil {
				t.Errorf("with %v: %v", row.needs, err)
			}
		})
	}
}

// TestVersions: each put of a key adds a version, each delete a marker.
func TestVersions(t *testing.T) {
	t.Parallel()
	stack := newStack(t, localaws.Options{})
	client := s3.NewFromConfig(quick(stack.AWSConfig()))
	put := func(key string) {
		t.Helper()
		if _, err := client.PutObject(t.Context(), putting(key)); err != nil {
			t.Fatal(err)
		}
	}
	put("a")
	if err := stack.SetBucket("archive", localaws.Bucket{Versioned: true}); err != nil {
		t.Fatal(err)
	}
	put("b/1")
	put("b/1")
	if _, err := client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("archive"), Key: aws.String("b/1")}); err != nil {
		t.Fatal(err)
	}
	list := func(prefix string) string {
		t.Helper()
		out, err := client.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: aws.String("archive"), Prefix: &prefix})
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, v := range out.Versions {
			all = append(all, fmt.Sprintf("%s %v %d", aws.ToString(v.Key), aws.ToBool(v.IsLatest), aws.ToInt64(v.Size)))
		}
		for _, m := range out.DeleteMarkers {
			all = append(all, fmt.Sprintf("%s deleted %v", aws.ToString(m.Key), aws.ToBool(m.IsLatest)))
		}
		return strings.Join(all, ", ")
	}
	if got, want := list(""), "a true 7, b/1 false 7, b/1 false 7, b/1 deleted true"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	put("b/1")
	if got, want := list("b/"), "b/1 true 7, b/1 false 7, b/1 false 7, b/1 deleted false"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
