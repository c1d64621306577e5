package s3archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/internal/deadline/deadlinetest"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/localaws"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/s3archive"
)

const partBytes = 5 << 20

// local is an S3 in this process, a client of it, and a store on that.
type local struct {
	*localaws.Stack

	client *s3.Client
	store  *s3archive.Store
}

func open(t *testing.T, o localaws.Options) local {
	t.Helper()
	stack, err := localaws.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stack.Close)
	return local{stack, nil, nil}.connect(t, s3.NewFromConfig(stack.AWSConfig(), stack.S3Options))
}

// watched returns a client like l's, whose requests must each have a deadline.
func (l local) watched(t *testing.T) *s3.Client {
	t.Helper()
	return s3.New(l.client.Options(), func(o *s3.Options) { o.HTTPClient = deadlinetest.Bounded(t, o.HTTPClient) })
}

func (l local) connect(t *testing.T, client *s3.Client) local {
	t.Helper()
	l.client = client
	store, err := s3archive.New(l.watched(t), s3archive.Options{PartBytes: partBytes})
	if err != nil {
		t.Fatal(err)
	}
	l.store = store
	return l
}

// makeBucket makes the bucket, which only a put makes otherwise.
func (l local) makeBucket(t *testing.T) {
	t.Helper()
	if _, err := l.client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("bucket")}); err != nil {
		t.Fatal(err)
	}
}

// object makes one with a plan's metadata.
func object(key, planID string, data []byte) processors.Object {
	return processors.Object{
		Bucket: "bucket", Key: key, Body: io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data))),
		ContentType: "application/octet-stream", ContentEncoding: "gzip",
		Metadata: map[string]string{processors.MetadataPlan: planID}, IfAbsent: true,
	}
}

func (l local) get(t *testing.T, key string) ([]byte, *s3.GetObjectOutput) {
	t.Helper()
	out, err := l.client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	data, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatal(err)
	}
	return data, out
}

func (l local) ops() string {
	var ops []string
	for _, w := range l.Writes() {
		ops = append(ops, fmt.Sprintf("%s %d", w.Op, w.Status))
	}
	return strings.Join(ops, ", ")
}

func small() []byte { return []byte("some records") }

// large takes three parts. Nobody writes to it.
var large = sync.OnceValue(func() []byte {
	b := make([]byte, 2*partBytes+12_345)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
})

func TestPutAndHead(t *testing.T) {
	t.Parallel()
	const onePart = "CreateMultipartUpload 200, UploadPart 200, CompleteMultipartUpload 200"
	for _, row := range []struct {
		name      string
		data      []byte
		multipart bool
		ops       string
	}{
		{"an ordinary object is one PutObject", small(), false, "PutObject 200"},
		{"an object without bytes", nil, false, "PutObject 200"},
		{"just the part size", large()[:partBytes], false, "PutObject 200"},
		{"a large one in parts", large(), false, "CreateMultipartUpload 200, UploadPart 200, UploadPart 200, UploadPart 200, CompleteMultipartUpload 200"},
		{"one that asks for it", small(), true, onePart},
		{"one without bytes that asks for it", nil, true, onePart},
		{"just the part size, that asks for it", large()[:partBytes], true, onePart},
	} {
		for _, transport := range []string{"https", "plain http"} {
			t.Run(row.name+", "+transport, func(t *testing.T) {
				t.Parallel()
				l := open(t, localaws.Options{})
				if transport == "plain http" {
					server := httptest.NewServer(l.Stack)
					t.Cleanup(server.Close)
					cfg := l.AWSConfig()
					cfg.BaseEndpoint, cfg.HTTPClient = &server.URL, server.Client()
					l = l.connect(t, s3.NewFromConfig(cfg, l.S3Options))
				}
				if _, exists, err := l.store.Head(t.Context(), "bucket", "k"); exists || err != nil {
					t.Fatalf("before: exists %v, error %v", exists, err)
				}
				o := object("k", "plan-1", row.data)
				o.Multipart = row.multipart
				if err := l.store.Put(t.Context(), o); err != nil {
					t.Fatal(err)
				}
				data, out := l.get(t, "k")
				if !bytes.Equal(data, row.data) || aws.ToString(out.ContentType) != "application/octet-stream" || aws.ToString(out.ContentEncoding) != "gzip" {
					t.Errorf("got %d bytes, want %d; %s, %s", len(data), len(row.data), aws.ToString(out.ContentType), aws.ToString(out.ContentEncoding))
				}
				metadata, exists, err := l.store.Head(t.Context(), "bucket", "k")
				if metadata[processors.MetadataPlan] != "plan-1" || !exists || err != nil {
					t.Errorf("after: metadata %v, exists %v, error %v", metadata, exists, err)
				}
				if got := l.ops(); got != row.ops {
					t.Errorf("did %s; want %s", got, row.ops)
				}
			})
		}
	}
}

func TestARefusedPutLeavesNoUpload(t *testing.T) {
	t.Parallel()
	inParts := func(o processors.Object) processors.Object { o.Multipart = true; return o }
	for name, o := range map[string]processors.Object{
		"one put": object("k", "second", small()), "parts": object("k", "second", large()), "one part": inParts(object("k", "second", small())),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := open(t, localaws.Options{})
			if err := l.store.Put(t.Context(), object("k", "first", []byte("first"))); err != nil {
				t.Fatal(err)
			}
			if err := l.store.Put(t.Context(), o); !errors.Is(err, processors.ErrExists) {
				t.Errorf("error %v, want ErrExists", err)
			}
			l.noUploads(t)
		})
	}
}

func (l local) noUploads(t *testing.T) {
	t.Helper()
	out, err := l.client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: aws.String("bucket")})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Uploads) > 0 {
		t.Errorf("%d uploads left", len(out.Uploads))
	}
}

// TestOneTry: whatever goes wrong, the request that makes an object visible is
// sent once, since the archiver has to ask for trust before another; and it is
// not taken for a refusal by the condition.
func TestOneTry(t *testing.T) {
	t.Parallel()
	kinds := map[string]localaws.Kind{
		"throttled": localaws.Throttle(), "500": localaws.ServerError(500), "503": localaws.ServerError(503),
		"answer lost": localaws.LostAnswer(), "connection refused": localaws.Refuse(),
	}
	for name, kind := range kinds {
		for operation, data := range map[string][]byte{"PutObject": small(), "CompleteMultipartUpload": large()} {
			t.Run(operation+" "+name, func(t *testing.T) {
				t.Parallel()
				l := open(t, localaws.Options{})
				l.makeBucket(t)
				f := l.Faults().Add(localaws.Fault{Service: localaws.S3, Operation: operation, Kind: kind})
				err := l.store.Put(t.Context(), object("k", "plan-1", data))
				if err == nil || errors.Is(err, processors.ErrExists) {
					t.Fatalf("error %v", err)
				}
				if f.Hits() != 1 {
					t.Errorf("%d tries", f.Hits())
				}
				f.Remove()
				l.noUploads(t)
				again := l.store.Put(t.Context(), object("k", "plan-1", data))
				if want := name == "answer lost"; errors.Is(again, processors.ErrExists) != want || !want && again != nil {
					t.Errorf("the second put: %v", again)
				}
				if metadata, exists, err := l.store.Head(t.Context(), "bucket", "k"); metadata[processors.MetadataPlan] != "plan-1" || !exists || err != nil {
					t.Errorf("metadata %v, exists %v, error %v", metadata, exists, err)
				}
				if got, _ := l.get(t, "k"); !bytes.Equal(got, data) {
					t.Errorf("%d bytes, want %d", len(got), len(data))
				}
			})
		}
	}
}

// TestPartsAreRepeated by the SDK: they have no effect that anyone sees.
func TestPartsAreRepeated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := open(t, localaws.Options{})
		l.Faults().Add(localaws.Fault{Service: localaws.S3, Operation: "UploadPart", After: 1, Times: 1, Kind: localaws.ServerError(503)})
		if err := l.store.Put(t.Context(), object("k", "plan-1", large())); err != nil {
			t.Fatal(err)
		}
		if got, _ := l.get(t, "k"); !bytes.Equal(got, large()) {
			t.Errorf("%d bytes", len(got))
		}
	})
}

func TestAPartThatCannotBeUploaded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := open(t, localaws.Options{})
		l.Faults().Add(localaws.Fault{Service: localaws.S3, Operation: "UploadPart", After: 1, Kind: localaws.Refuse()})
		if err := l.store.Put(t.Context(), object("k", "plan-1", large())); err == nil || errors.Is(err, processors.ErrExists) {
			t.Fatalf("error %v", err)
		}
		if _, exists, err := l.store.Head(t.Context(), "bucket", "k"); exists || err != nil {
			t.Errorf("exists %v, error %v", exists, err)
		}
		l.noUploads(t)
	})
}

// TestALatePut: a put that was given up lands after another one: it changes
// nothing, and its upload is gone.
func TestALatePut(t *testing.T) {
	t.Parallel()
	for operation, data := range map[string][]byte{"PutObject": small(), "CompleteMultipartUpload": large()} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := open(t, localaws.Options{})
				stall := l.Faults().Add(localaws.Fault{Service: localaws.S3, Operation: operation, Times: 1, Kind: localaws.Stall(0)})
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				err := l.store.Put(ctx, object("k", "plan-1", data))
				if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, processors.ErrExists) {
					t.Fatalf("error %v", err)
				}
				if err := l.store.Put(t.Context(), object("k", "plan-1", []byte("redone"))); err != nil {
					t.Fatal(err)
				}
				stall.Release()
				synctest.Wait()
				if got, _ := l.get(t, "k"); string(got) != "redone" {
					t.Errorf("%d bytes, want those of the redo", len(got))
				}
				l.noUploads(t)
			})
		})
	}
}

// S3 does not say whether it is the object or the bucket that is not there.
func TestHeadInABucketThatIsMissing(t *testing.T) {
	t.Parallel()
	l := open(t, localaws.Options{StrictBuckets: true})
	if _, exists, err := l.store.Head(t.Context(), "bucket", "k"); exists || err != nil {
		t.Errorf("Head: exists %v, error %v", exists, err)
	}
}

func TestHeadThatFails(t *testing.T) {
	t.Parallel()
	l := open(t, localaws.Options{})
	f := l.Faults().Add(localaws.Fault{Service: localaws.S3, Operation: "HeadObject", Kind: localaws.ServerError(503)})
	if _, exists, err := l.store.Head(t.Context(), "bucket", "k"); exists || err == nil {
		t.Errorf("exists %v, error %v", exists, err)
	}
	if f.Hits() != 1 {
		t.Errorf("%d tries", f.Hits())
	}
}

// What a bucket refuses is told with what to do.
func TestRemedies(t *testing.T) {
	t.Parallel()
	answer := func(code string, status int, header http.Header) error {
		return &smithy.OperationError{ServiceID: "S3", OperationName: "X", Err: &awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status, Header: header}}, Err: &smithy.GenericAPIError{Code: code},
		}}}
	}
	milan := http.Header{"X-Amz-Bucket-Region": {"eu-south-1"}}
	const region = "the bucket is in region eu-south-1, and the client's endpoint is of another: use an endpoint of that region, or none of your own; or name a bucket of the client's: "
	for _, row := range []struct {
		name   string
		err    error
		put    string
		check  string
		denied bool
	}{
		{"another region", answer("PermanentRedirect", 301, milan), region, region, false},
		{"another region for now", answer("TemporaryRedirect", 307, milan), region, region, false},
		{"a fault, and a region that is none", answer("InternalError", 500, milan), "", "", false},
		{"another region, as the signature tells", answer("AuthorizationHeaderMalformed", 400, milan), region, region, false},
		{
			"credentials that are too old, and a region", answer("ExpiredToken", 400, milan),
			"access denied: s3:PutObject was called with expired credentials, or by a machine whose clock is wrong: renew them, or set it; or correct the bucket's name if it is somebody else's: ",
			"access denied: s3:ListBucket was called with expired credentials, or by a machine whose clock is wrong: renew them, or set it; or correct the bucket's name if it is somebody else's: ", true,
		},
		{
			"somebody else's", answer("AccessDenied", 403, milan),
			"access denied: permit s3:PutObject; or correct the bucket's name if it is somebody else's: ", "access denied: permit s3:ListBucket; or correct the bucket's name if it is somebody else's: ", true,
		},
		{
			"none", answer("NoSuchBucket", 404, nil),
			"there is no such bucket: create it, or correct its name: ", "there is no such bucket: create it, or correct its name: ", false,
		},
		{"none, without a code", answer("NotFound", 404, nil), "", "there is no such bucket: create it, or correct its name: ", false},
		{"another fault", answer("InvalidRequest", 400, nil), "", "", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			store, err := s3archive.New(answers{err: row.err}, s3archive.Options{})
			if err != nil {
				t.Fatal(err)
			}
			put, check := store.Put(t.Context(), object("k", "plan-1", small())), store.Check(t.Context(), "bucket")
			for _, got := range []struct {
				err  error
				want string
			}{{put, "PutObject bucket/k: " + row.put}, {check, "HeadBucket bucket: " + row.check}} {
				if !strings.HasPrefix(got.err.Error(), got.want+"operation error S3: X") || errors.Is(got.err, processors.ErrAccessDenied) != row.denied {
					t.Errorf("got  %v\nwant %s", got.err, got.want)
				}
			}
		})
	}
}

// answers is an API whose calls fail in a given way.
type answers struct {
	s3archive.API

	err error
}

func (a answers) PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	return nil, a.err
}

func (a answers) HeadBucket(context.Context, *s3.HeadBucketInput, ...func(*s3.Options)) (*s3.HeadBucketOutput, error) {
	return nil, a.err
}

func TestClasses(t *testing.T) {
	t.Parallel()
	for code, exists := range map[string]bool{
		"PreconditionFailed": true, "ConditionalRequestConflict": false, "NoSuchBucket": false, "AccessDenied": false, "InternalError": false,
	} {
		store, err := s3archive.New(answers{err: &smithy.GenericAPIError{Code: code}}, s3archive.Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = store.Put(t.Context(), object("k", "plan-1", small()))
		if errors.Is(err, processors.ErrExists) != exists || err == nil || !strings.Contains(err.Error(), "bucket/k") {
			t.Errorf("%s: error %v", code, err)
		}
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	if _, err := s3archive.New(nil, s3archive.Options{PartBytes: 1}); err == nil ||
		!strings.Contains(err.Error(), "api") || !strings.Contains(err.Error(), "PartBytes 1") {
		t.Errorf("error %v", err)
	}
}

// writer is a lease row.
type writer struct {
	at      checkpoint.Position
	pending *checkpoint.Prepared
}

func (w *writer) Checkpoint(_ context.Context, at checkpoint.Position) error {
	w.at, w.pending = at, nil
	return nil
}

func (w *writer) Prepare(_ context.Context, p checkpoint.Prepared) error {
	w.pending = &p
	return nil
}

// TestArchiver: a shard's records through an archiver, the SDK and S3, with
// puts that fail in every way.
func TestArchiver(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]localaws.Kind{
		"throttled": localaws.Throttle(), "503": localaws.ServerError(503), "answer lost": localaws.LostAnswer(),
		"refused": localaws.Refuse(), "stalled": localaws.Stall(3 * time.Minute),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := open(t, localaws.Options{})
				var found, puts int
				archiver, err := processors.New(processors.Config{
					DeliveryStreamName: "orders", Bucket: "bucket",
					Hooks: processors.Hooks{Delivered: func(e processors.DeliveredEvent) {
						puts += e.Puts
						if e.Found {
							found++
						}
					}},
				}, l.store)
				if err != nil {
					t.Fatal(err)
				}
				p := archiver.Processor(kcl.ShardInfo{StreamName: "clicks", Table: "app", ShardID: "shardId-000000000000"})
				row := &writer{at: checkpoint.Sentinel(checkpoint.TrimHorizon)}
				cp := checkpoint.New(row, row.at, false)
				in := kcl.InitializationInput{Checkpoint: row.at, Checkpointer: cp, CheckTrust: func() error { return nil }}
				if err := p.Initialize(t.Context(), in); err != nil {
					t.Fatal(err)
				}
				l.Faults().Add(localaws.Fault{Service: localaws.S3, Operation: "PutObject", After: 1, Times: 1, Kind: kind})
				r := kcl.Record{SequenceNumber: "1", Data: large()[:2*partBytes], ApproximateArrivalTimestamp: time.Now()}
				for _, n := range []string{"1", "2", "3"} {
					r.SequenceNumber, r.Data = n, r.Data[:partBytes]
					cp.Processed(r.Position())
					if err := p.ProcessRecords(t.Context(), kcl.ProcessRecordsInput{Records: []kcl.Record{r}, Checkpointer: cp}); err != nil {
						t.Fatal(err)
					}
				}
				if err := p.ProcessRecords(t.Context(), kcl.ProcessRecordsInput{Checkpointer: cp, Pressure: true}); err != nil {
					t.Fatal(err)
				}
				if row.at.SequenceNumber != "3" || row.pending != nil {
					t.Errorf("row %+v", row)
				}
				stored := map[string]bool{}
				for _, w := range l.Writes() {
					if w.Status == 200 && w.Op == "PutObject" {
						stored[w.Key] = true
					}
				}
				if len(stored) != 3 {
					t.Errorf("%d objects, want 3: %s", len(stored), l.ops())
				}
				if puts != 4 {
					t.Errorf("%d tries, want 4", puts)
				}
				if want := name == "answer lost"; (found == 1) != want {
					t.Errorf("%d objects were found there", found)
				}
			})
		})
	}
}
