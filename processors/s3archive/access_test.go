package s3archive_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/localaws"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/s3archive"
)

const key = "arn:aws:kms:us-east-1:123456789012:key/1"

// seen keeps what it lets through, as text.
type seen struct {
	s3.HTTPClient

	mu       sync.Mutex
	requests []string
}

// Do implements the SDK's HTTPClient.
func (s *seen) Do(r *http.Request) (*http.Response, error) {
	resp, err := s.HTTPClient.Do(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "/")
		s.requests = append(s.requests, fmt.Sprintf("%s %s %s acl=%s %d", r.Method, r.URL.Host, strings.Split(scope, "/")[1], r.Header.Get("X-Amz-Acl"), resp.StatusCode))
	}
	return resp, err
}

// all returns what it kept, and forgets it.
func (s *seen) all() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := strings.Join(s.requests, ", ")
	s.requests = nil
	return text
}

// told returns a store like l's whose requests are seen, and what it logs.
func (l local) told(t *testing.T) (*s3archive.Store, *seen, *observer.ObservedLogs) {
	t.Helper()
	s := &seen{HTTPClient: l.client.Options().HTTPClient}
	core, logs := observer.New(zap.InfoLevel)
	client := s3.New(l.client.Options(), func(o *s3.Options) { o.HTTPClient = s })
	store, err := s3archive.New(client, s3archive.Options{PartBytes: partBytes, Logger: zap.New(core)})
	if err != nil {
		t.Fatal(err)
	}
	return store, s, logs
}

// Whatever is put with a key is encrypted with it, and what is put without one as
// the bucket says.
func TestEncryption(t *testing.T) {
	t.Parallel()
	for name, data := range map[string][]byte{"whole": small(), "in parts": large()} {
		for _, arn := range []string{"", key} {
			t.Run(name+" "+arn, func(t *testing.T) {
				t.Parallel()
				l := open(t, localaws.Options{})
				o := object("k", "plan-1", data)
				o.AWSKMSKeyARN = arn
				if err := l.store.Put(t.Context(), o); err != nil {
					t.Fatal(err)
				}
				out, err := l.client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &o.Bucket, Key: &o.Key})
				if err != nil || aws.ToString(out.SSEKMSKeyId) != arn || (out.ServerSideEncryption == "aws:kms") != (arn != "") {
					t.Errorf("encrypted %q with %q, %v", out.ServerSideEncryption, aws.ToString(out.SSEKMSKeyId), err)
				}
			})
		}
	}
}

// What the key's service refuses is told with what to do, of whichever request.
func TestRemediesOfKeys(t *testing.T) {
	t.Parallel()
	refused := func(action string) string {
		return "User: arn:aws:sts::123456789012:assumed-role/r/s is not authorized to perform: " + action + " on resource: " + key + " because no identity-based policy allows it"
	}
	for _, row := range []struct {
		status        int
		code, message string
		want          string
		denied        bool
	}{
		{400, "KMS.DisabledException", "", "access denied: the key that encrypts the object is disabled: enable it, or name another key: ", true},
		{400, "KMS.NotFoundException", "", "access denied: there is no such key in the bucket's region: correct its ARN, or name a key of that region: ", true},
		{400, "KMS.KMSInvalidStateException", "", "access denied: the key that encrypts the object cannot be used in its state, such as before its deletion: cancel that, or name another key: ", true},
		{400, "KMS.InvalidStateException", "", "access denied: the key that encrypts the object cannot be used in its state, such as before its deletion: cancel that, or name another key: ", true},
		{400, "KMS.AccessDeniedException", "", "access denied: permit kms:GenerateDataKey and kms:Decrypt on the key, and in the key's own policy if it is another account's: ", true},
		{503, "KMS.ThrottlingException", "", "operation error", false},
		{403, "AccessDenied", refused("kms:GenerateDataKey"), "access denied: permit kms:GenerateDataKey on the key, and in the key's own policy if it is another account's: ", true},
		{403, "AccessDenied", refused("kms:Decrypt"), "access denied: permit kms:Decrypt on the key, and in the key's own policy if it is another account's: ", true},
	} {
		t.Run(row.code+" "+row.want, func(t *testing.T) {
			t.Parallel()
			w := &seen{HTTPClient: wire{row.status, "<Error><Code>" + row.code + "</Code><Message>" + row.message + "</Message></Error>", 0}}
			store := storeOn(t, w)
			for operation, err := range map[string]error{
				"PutObject": store.Put(t.Context(), object("k", "plan-1", small())), "CreateMultipartUpload": store.Put(t.Context(), object("k", "plan-1", large()[:partBytes+1])),
				"GetObject": store.Get(t.Context(), "bucket", "k", 0, 1, io.Discard),
			} {
				if want := operation + " bucket/k: " + row.want; err == nil || !strings.HasPrefix(err.Error(), want) || errors.Is(err, processors.ErrAccessDenied) != row.denied {
					t.Errorf("got %v\nwant %s", err, want)
				}
			}
			for r := range strings.SplitSeq(w.all(), ", ") {
				if !strings.HasPrefix(r, "GET ") && !strings.Contains(r, " acl=bucket-owner-full-control ") {
					t.Errorf("%s: repeated without an ACL, though it was the key that was refused", r)
				}
			}
		})
	}
}

// The owner of a bucket has all rights to what is put there, unless the bucket takes
// no ACLs, or giving any is not permitted: then the put is repeated at once, and
// later ones go without, for an hour.
func TestACL(t *testing.T) {
	t.Parallel()
	const with, without = "PUT localaws.internal us-east-1 acl=bucket-owner-full-control ", "PUT localaws.internal us-east-1 acl= "
	all := []string{"s3:PutObject", "s3:PutObjectAcl"}
	for _, row := range []struct {
		name          string
		bucket        localaws.Bucket
		actions       []string // nil: all
		first, second string
		told          string
		fails         bool
	}{
		{"it goes", localaws.Bucket{}, all, with + "200", with + "200", "", false},
		{"a bucket that takes none", localaws.Bucket{RefuseACLs: true}, all, with + "400, " + without + "200", without + "200", "the bucket takes no ACLs", false},
		{"it may not be given", localaws.Bucket{}, all[:1], with + "403, " + without + "200", without + "200", "s3:PutObjectAcl is not permitted", false},
		{"nothing may be put", localaws.Bucket{}, []string{"s3:PutObjectAcl"}, with + "403, " + without + "403", with + "403, " + without + "403", "", true},
		{"nothing may be put by the bucket's policy", localaws.Bucket{RequireKMS: true}, all, with + "403, " + without + "403", with + "403, " + without + "403", "", true},
		{"the policy stands behind the ACL", localaws.Bucket{RequireKMS: true}, all[:1], with + "403, " + without + "403", with + "403, " + without + "403", "", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := open(t, localaws.Options{})
				if err := l.SetBucket("bucket", row.bucket); err != nil {
					t.Fatal(err)
				}
				l.Permit(localaws.DefaultAccessKeyID, row.actions...)
				store, requests, logs := l.told(t)
				put := func(name, want string) {
					t.Helper()
					err := store.Put(t.Context(), object(name, "plan-1", small()))
					if got := requests.all(); got != want || (err != nil) != row.fails {
						t.Errorf("%v\ngot  %s\nwant %s", err, got, want)
					}
				}
				put("1", row.first)
				put("2", row.second)
				if told := logs.Len(); (told == 1) != (row.told != "") || told > 1 || told == 1 && !strings.Contains(logs.All()[0].Message, row.told) {
					t.Errorf("told %v, want %q once", logs.All(), row.told)
				}
				time.Sleep(time.Hour)
				put("3", row.first)
			})
		})
	}
}

// A policy may demand the ACL that a bucket did not take before: it is tried again
// as soon as a put without it is refused.
func TestACLThatIsDemandedLater(t *testing.T) {
	t.Parallel()
	l := open(t, localaws.Options{})
	if err := l.SetBucket("bucket", localaws.Bucket{RefuseACLs: true}); err != nil {
		t.Fatal(err)
	}
	store, requests, _ := l.told(t)
	if err := store.Put(t.Context(), object("1", "plan-1", large())); err != nil {
		t.Fatal(err)
	}
	if err := l.SetBucket("bucket", localaws.Bucket{}); err != nil {
		t.Fatal(err)
	}
	f := l.Faults().Add(localaws.Fault{Service: localaws.S3, Operation: "PutObject", Kind: localaws.Error(403, "AccessDenied"), Times: 1})
	if err := store.Put(t.Context(), object("2", "plan-1", small())); !errors.Is(err, processors.ErrAccessDenied) || f.Hits() != 1 {
		t.Fatalf("Put: %v", err)
	}
	requests.all()
	if err := store.Put(t.Context(), object("2", "plan-1", small())); err != nil || !strings.Contains(requests.all(), "acl=bucket-owner-full-control 200") {
		t.Errorf("the ACL was not tried again: %v", err)
	}
}

// A store that has no ACLs is one to archive to.
func TestAStoreWithoutACLs(t *testing.T) {
	t.Parallel()
	l := open(t, localaws.Options{})
	l.Faults().Add(localaws.Fault{Service: localaws.S3, Kind: localaws.Error(501, "NotImplemented"), Match: func(r *http.Request, _ []byte) bool { return r.Header.Get("X-Amz-Acl") != "" }})
	for name, data := range map[string][]byte{"whole": small(), "parts": large()} {
		if err := l.store.Put(t.Context(), object(name, "plan-1", data)); err != nil {
			t.Error(err)
		}
	}
}

// A bucket in another region is found by the answer, for every call, and remembered.
func TestAnotherRegion(t *testing.T) {
	t.Parallel()
	calls := map[string]func(t *testing.T, s *s3archive.Store) error{
		"Put": func(t *testing.T, s *s3archive.Store) error {
			t.Helper()
			return s.Put(t.Context(), object("new", "plan-2", small()))
		},
		"Put of parts": func(t *testing.T, s *s3archive.Store) error {
			t.Helper()
			return s.Put(t.Context(), object("new", "plan-2", large()))
		},
		"Check":  func(t *testing.T, s *s3archive.Store) error { t.Helper(); return s.Check(t.Context(), "bucket") },
		"Delete": func(t *testing.T, s *s3archive.Store) error { t.Helper(); return s.Delete(t.Context(), "bucket", "k") },
		"Get of a range": func(t *testing.T, s *s3archive.Store) error {
			t.Helper()
			return s.Get(t.Context(), "bucket", "k", 1, 2, io.Discard)
		},
		"Read": func(t *testing.T, s *s3archive.Store) error {
			t.Helper()
			_, err := s.Read(t.Context(), "bucket", "k", 100)
			return err
		},
		"Head": func(t *testing.T, s *s3archive.Store) error {
			t.Helper()
			metadata, exists, err := s.Head(t.Context(), "bucket", "k")
			if !exists || metadata[processors.MetadataPlan] != "plan-1" {
				t.Errorf("exists %v, metadata %v", exists, metadata)
			}
			return err
		},
		"List": func(t *testing.T, s *s3archive.Store) error {
			t.Helper()
			keys, err := s.List(t.Context(), "bucket", "")
			if !slices.Equal(keys, []string{"k"}) {
				t.Errorf("keys %v", keys)
			}
			return err
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := open(t, localaws.Options{})
			if err := l.SetBucket("bucket", localaws.Bucket{Region: "eu-west-1"}); err != nil {
				t.Fatal(err)
			}
			if err := l.store.Put(t.Context(), object("k", "plan-1", small())); err != nil {
				t.Fatal(err)
			}
			store, requests, logs := l.told(t)
			if err := call(t, store); err != nil {
				t.Fatal(err)
			}
			got := strings.Split(requests.all(), ", ")
			if !strings.Contains(got[0], " us-east-1 ") || !strings.HasSuffix(got[0], " 301") || len(got) < 2 {
				t.Errorf("requests %q, want the first to be sent elsewhere", got)
			}
			for _, r := range got[1:] {
				if !strings.Contains(r, " localaws.internal eu-west-1 ") || strings.HasSuffix(r, " 301") {
					t.Errorf("request %q, want it to go to eu-west-1", r)
				}
			}
			if store.Region("bucket") != "eu-west-1" || store.Region("other") != "" || logs.Len() != 1 || logs.All()[0].ContextMap()["region"] != "eu-west-1" {
				t.Errorf("region %q, told %v", store.Region("bucket"), logs.All())
			}
		})
	}
}

// S3's own hosts are of one region each. It says in several ways that a bucket is
// elsewhere; that it is not where it was is one of them.
func TestHostsOfRegions(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]struct {
		wire
		header bool
	}{
		"a redirect for good":     {wire{301, "<Error><Code>PermanentRedirect</Code></Error>", 0}, true},
		"a redirect for now":      {wire{307, "<Error><Code>TemporaryRedirect</Code></Error>", 0}, true},
		"a wrong signature":       {wire{400, "<Error><Code>AuthorizationHeaderMalformed</Code></Error>", 0}, true},
		"a wrong signature's say": {wire{400, "<Error><Code>AuthorizationHeaderMalformed</Code><Message>The authorization header is malformed; the region 'X' is wrong; expecting 'REGION'</Message></Error>", 0}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hosts := &regions{answer: answer.wire, header: answer.header, at: "eu-south-1"}
			requests := &seen{HTTPClient: hosts}
			client := s3.New(s3.Options{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""), HTTPClient: requests})
			store, err := s3archive.New(client, s3archive.Options{})
			if err != nil {
				t.Fatal(err)
			}
			put := func(want string) {
				t.Helper()
				err := store.Put(t.Context(), object("k", "plan-1", small()))
				if got := requests.all(); err != nil || got != want {
					t.Errorf("%v\ngot  %s\nwant %s", err, got, want)
				}
			}
			to := func(region string, status int) string {
				return fmt.Sprintf("PUT bucket.s3.%s.amazonaws.com %s acl=bucket-owner-full-control %d", region, region, status)
			}
			put(to("us-east-1", answer.status) + ", " + to("eu-south-1", 200))
			put(to("eu-south-1", 200))
			hosts.at = "ap-northeast-1"
			put(to("eu-south-1", answer.status) + ", " + to("ap-northeast-1", 200))
			hosts.at = "us-east-1"
			put(to("ap-northeast-1", answer.status) + ", " + to("us-east-1", 200))
		})
	}
}

// regions is S3 with a bucket in one region. Other regions' hosts answer as one of
// its ways is.
type regions struct {
	answer wire
	header bool
	at     string
}

// Do implements the SDK's HTTPClient.
func (s *regions) Do(r *http.Request) (*http.Response, error) {
	if strings.Contains(r.URL.Host, ".s3."+s.at+".") {
		return wire{200, "", 0}.Do(r)
	}
	answer := s.answer
	answer.body = strings.Replace(answer.body, "REGION", s.at, 1)
	resp, err := answer.Do(r)
	if s.header {
		resp.Header = http.Header{"X-Amz-Bucket-Region": {s.at}}
	}
	return resp, err
}

// That the bucket is where the request went is nothing to repeat it for.
func TestTheSameRegion(t *testing.T) {
	t.Parallel()
	requests := &seen{HTTPClient: &regions{answer: wire{400, "<Error><Code>InvalidRequest</Code></Error>", 0}, header: true, at: "us-east-1"}}
	store := storeOn(t, requests)
	if err := store.Check(t.Context(), "bucket"); err == nil || strings.Contains(err.Error(), "region") {
		t.Errorf("Check: %v", err)
	}
	if got := requests.all(); strings.Contains(got, ", ") {
		t.Errorf("repeated: %s", got)
	}
}

// However many buckets there are, a Store stays small.
func TestManyBuckets(t *testing.T) {
	t.Parallel()
	store, err := s3archive.New(milan{}, s3archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	known := 0
	for i := range 1001 {
		if err := store.Check(t.Context(), fmt.Sprint("bucket-", i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 1001 {
		if store.Region(fmt.Sprint("bucket-", i)) != "" {
			known++
		}
	}
	if known > 1000 || store.Region("bucket-1000") != "eu-south-1" {
		t.Errorf("%d buckets are known; the last is in %q", known, store.Region("bucket-1000"))
	}
}

// milan is an API whose buckets are all in one region.
type milan struct{ s3archive.API }

func (milan) HeadBucket(_ context.Context, _ *s3.HeadBucketInput, options ...func(*s3.Options)) (*s3.HeadBucketOutput, error) {
	o := s3.Options{Region: "us-east-1"}
	for _, option := range options {
		option(&o)
	}
	if o.Region != "eu-south-1" {
		return nil, &awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusMovedPermanently, Header: http.Header{"X-Amz-Bucket-Region": {"eu-south-1"}}}},
			Err:      errors.New("moved"),
		}}
	}
	return &s3.HeadBucketOutput{}, nil
}
