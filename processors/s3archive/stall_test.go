package s3archive_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/internal/deadline/deadlinetest"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/localaws"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/s3archive"
)

// A request that is never answered ends, though nobody gave the store a limit,
// and its error says so.
func TestNeverAnswered(t *testing.T) {
	t.Parallel()
	put := func(data []byte) func(context.Context, local) error {
		return func(ctx context.Context, l local) error { return l.store.Put(ctx, object("k", "plan-1", data)) }
	}
	head := func(ctx context.Context, l local) error {
		_, exists, err := l.store.Head(ctx, "bucket", "k")
		if exists {
			return errors.Join(err, errors.New("exists"))
		}
		return err
	}
	get := func(ctx context.Context, l local) error {
		if err := l.store.Get(ctx, "bucket", "k", 0, 1, io.Discard); !errors.Is(err, processors.ErrNotFound) {
			return err
		}
		return nil
	}
	for _, tt := range []struct {
		operation string
		call      func(context.Context, local) error
		ends      time.Duration
	}{
		{"PutObject", put(small()), 50 * time.Second},
		{"PutObject", put(large()[:4<<20]), 54 * time.Second},
		{"HeadObject", head, 50 * time.Second},
		{"GetObject", get, 50 * time.Second},
		{"GetObject", func(ctx context.Context, l local) error {
			if _, err := l.store.Read(ctx, "bucket", "k", 1); !errors.Is(err, processors.ErrNotFound) {
				return err
			}
			return nil
		}, 50 * time.Second},
		{"ListObjectsV2", func(ctx context.Context, l local) error { _, err := l.store.List(ctx, "bucket", "k"); return err }, 50 * time.Second},
		{"DeleteObject", func(ctx context.Context, l local) error { return l.store.Delete(ctx, "bucket", "k") }, 50 * time.Second},
		{"HeadBucket", func(ctx context.Context, l local) error { return l.store.Check(ctx, "bucket") }, 50 * time.Second},
		{"CreateMultipartUpload", put(large()), 50 * time.Second},
		{"UploadPart", put(large()), 55 * time.Second},
		{"CompleteMultipartUpload", put(large()), 60 * time.Second},
	} {
		t.Run(tt.operation, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := open(t, localaws.Options{})
				l.makeBucket(t)
				l.Faults().Add(localaws.Fault{Service: localaws.S3, Operation: tt.operation, Times: 1, Kind: localaws.Stall(0)})
				begun := time.Now()
				err := tt.call(t.Context(), l)
				if late, ok := errors.AsType[*deadline.Error](err); !ok || late.Body || time.Since(begun) != tt.ends {
					t.Errorf("ended after %v with %v; want %v", time.Since(begun), err, tt.ends)
				}
				if err == nil || !strings.HasPrefix(err.Error(), tt.operation+" bucket") || !strings.Contains(err.Error(), "no answer within ") {
					t.Errorf("the error is %q", err)
				}
				if err := tt.call(t.Context(), l); err != nil {
					t.Errorf("once it is answered: %v", err)
				}
			})
		})
	}
}

// An upload that fails ends soon, though its clean-up is never answered.
func TestCleanUpNeverAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := open(t, localaws.Options{})
		l.Faults().Add(localaws.Fault{Service: localaws.S3, Operation: "CompleteMultipartUpload", Kind: localaws.ServerError(500)})
		l.Faults().Add(localaws.Fault{Service: localaws.S3, Operation: "AbortMultipartUpload", Kind: localaws.Stall(0)})
		begun := time.Now()
		if err := l.store.Put(t.Context(), object("k", "plan-1", large())); err == nil || time.Since(begun) != 2*time.Second {
			t.Errorf("ended after %v with %v", time.Since(begun), err)
		}
	})
}

// wire answers all requests with one status and body, a byte every so often.
type wire struct {
	status int
	body   string
	every  time.Duration
}

// Do implements the SDK's HTTPClient.
func (w wire) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return nil, err
		}
	}
	body := w.body
	if r.Method == http.MethodHead {
		body = ""
	}
	return &http.Response{
		StatusCode: w.status, Request: r, ContentLength: -1, Header: http.Header{"Content-Type": {"application/xml"}},
		Body: io.NopCloser(&dripping{r.Context(), body, w.every}),
	}, nil
}

type dripping struct {
	ctx   context.Context //nolint:containedctx // the request's
	left  string
	every time.Duration
}

func (d *dripping) Read(p []byte) (int, error) {
	if d.left == "" {
		return 0, io.EOF
	}
	if d.every == 0 {
		n := copy(p, d.left)
		d.left = d.left[n:]
		return n, nil
	}
	select {
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	case <-time.After(d.every):
		p[0], d.left = d.left[0], d.left[1:]
		return 1, nil
	}
}

func storeOn(t *testing.T, d deadline.Doer) *s3archive.Store {
	t.Helper()
	store, err := s3archive.New(clientOf(d), s3archive.Options{PartBytes: partBytes})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func clientOf(d deadline.Doer) *s3.Client {
	return s3.New(s3.Options{
		Region: "us-east-1", HTTPClient: d, UsePathStyle: true, BaseEndpoint: aws.String("http://s3.invalid"),
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	})
}

// completing sends only the requests that complete an upload to another Doer.
type completing struct{ rest, complete deadline.Doer }

// Do implements the SDK's HTTPClient.
func (c completing) Do(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost && r.URL.Query().Has("uploadId") {
		return c.complete.Do(r)
	}
	return c.rest.Do(r)
}

const completed = `<CompleteMultipartUploadResult><Bucket>bucket</Bucket><Key>k</Key><ETag>e</ETag></CompleteMultipartUploadResult>`

// S3 sends blanks while it puts a large object together. That is no body that
// stopped coming, but it may not go on for ever.
func TestACompletionThatDrips(t *testing.T) {
	t.Parallel()
	rest := wire{200, `<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>`, 0}
	for _, tt := range []struct {
		blanks int
		ends   time.Duration
		late   bool
	}{{45, 45 * time.Second, false}, {1000, time.Minute, true}} {
		synctest.Test(t, func(t *testing.T) {
			slow := wire{200, completed, 0}
			slow.body, slow.every = strings.Repeat(" ", tt.blanks), time.Second
			d := completing{rest, dripsThen{slow, completed}}
			begun := time.Now()
			err := storeOn(t, d).Put(t.Context(), object("k", "plan-1", large()))
			_, late := errors.AsType[*deadline.Error](err)
			if late != tt.late || !late && err != nil || time.Since(begun) != tt.ends {
				t.Errorf("%d blanks: ended after %v with %v", tt.blanks, time.Since(begun), err)
			}
		})
	}
}

// dripsThen sends a body at once after one that drips.
type dripsThen struct {
	wire

	rest string
}

// Do implements the SDK's HTTPClient.
func (d dripsThen) Do(r *http.Request) (*http.Response, error) {
	resp, err := d.wire.Do(r)
	if err == nil {
		resp.Body = io.NopCloser(io.MultiReader(resp.Body, strings.NewReader(d.rest)))
	}
	return resp, err
}

// Whoever is refused is told so, and what to permit. A HEAD has no code.
func TestAccess(t *testing.T) {
	t.Parallel()
	code := func(code string) string { return "<Error><Code>" + code + "</Code><Message>refused</Message></Error>" }
	for _, tt := range []struct {
		name       string
		answer     wire
		denied     bool
		headDenied bool
	}{
		{"not permitted", wire{403, code("AccessDenied"), 0}, true, true},
		{"expired", wire{400, code("ExpiredToken"), 0}, true, false},
		{"a wrong signature", wire{403, code("SignatureDoesNotMatch"), 0}, true, true},
		{"a wrong clock", wire{403, code("RequestTimeTooSkewed"), 0}, true, true},
		{"an unknown key", wire{403, code("InvalidAccessKeyId"), 0}, true, true},
		{"refused for a reason of its own", wire{403, code("SomethingNew"), 0}, true, true},
		{"without a word", wire{403, "", 0}, true, true},
		{"without a word, as some stores say it", wire{401, "", 0}, true, true},
		{"a problem of the service", wire{500, code("InternalError"), 0}, false, false},
		{"no such bucket", wire{404, code("NoSuchBucket"), 0}, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			store := storeOn(t, tt.answer)
			err := store.Put(t.Context(), object("k", "plan-1", small()))
			if err == nil || errors.Is(err, processors.ErrAccessDenied) != tt.denied || errors.Is(err, kcl.ErrAccessDenied) != tt.denied {
				t.Errorf("Put = %v", err)
			}
			if tt.denied && !strings.Contains(err.Error(), "s3:PutObject") {
				t.Errorf("%q does not name what to permit", err)
			}
			_, exists, err := store.Head(t.Context(), "bucket", "k")
			if absent := tt.answer.status == http.StatusNotFound; exists || (err == nil) != absent || errors.Is(err, processors.ErrAccessDenied) != tt.headDenied {
				t.Errorf("Head = %v, %v", exists, err)
			}
			if tt.headDenied && !strings.Contains(err.Error(), "s3:GetObject and s3:ListBucket") {
				t.Errorf("%q does not name what to permit", err)
			}
			if err := store.Check(t.Context(), "bucket"); err == nil || errors.Is(err, processors.ErrAccessDenied) != tt.headDenied {
				t.Errorf("Check = %v", err)
			}
		})
	}
}

// Whatever client a Store is given, no answer is lost to a request's body that
// the SDK closed; see docs/smithy-go-body.md.
func TestNoAnswerIsLostToAClosedBody(t *testing.T) {
	t.Parallel()
	deadlinetest.LosesNoAnswer(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost && r.URL.Query().Has("uploadId") {
			_, _ = io.WriteString(w, completed)
			return true
		}
		_, _ = io.WriteString(w, `<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>`)
		return false
	}, func(t *testing.T, d deadline.Doer) error {
		t.Helper()
		_, err := clientOf(d).CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
			Bucket: aws.String("bucket"), Key: aws.String("k"), UploadId: aws.String("u"),
			MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: aws.String("e")}}},
		})
		return err
	}, func(t *testing.T, d deadline.Doer) error {
		t.Helper()
		s, err := s3archive.New(clientOf(d), s3archive.Options{PartBytes: partBytes})
		if err != nil {
			t.Fatal(err)
		}
		return s.Put(t.Context(), object("k", "plan-1", large()[:partBytes+1]))
	})
}
