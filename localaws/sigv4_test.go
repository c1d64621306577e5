package localaws_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/shardmill/shardmill/localaws"
)

// altered is an HTTP client that changes requests after they were signed.
type altered struct {
	next   aws.HTTPClient
	change func(*http.Request)
}

func (a altered) Do(r *http.Request) (*http.Response, error) {
	a.change(r)
	return a.next.Do(r)
}

// skewed signs as if it were another time.
type skewed struct {
	*v4.Signer

	by time.Duration
}

func (s skewed) SignHTTP(
	ctx context.Context, c aws.Credentials, r *http.Request, hash, service, region string, at time.Time, opts ...func(*v4.SignerOptions),
) error {
	return s.Signer.SignHTTP(ctx, c, r, hash, service, region, at.Add(s.by), opts...)
}

func as(key, secret string) func(*aws.Config) {
	return func(c *aws.Config) { c.Credentials = credentials.NewStaticCredentialsProvider(key, secret, "") }
}

func change(f func(*http.Request)) func(*aws.Config) {
	return func(c *aws.Config) { c.HTTPClient = altered{c.HTTPClient, f} }
}

// TestSignatures has each way to sign a request wrongly, and what each service
// answers.
func TestSignatures(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name     string
		change   func(*aws.Config)
		json, s3 string
		s3Status int
	}{
		{"a right signature is accepted", func(*aws.Config) {}, "", "", 0},
		{"a wrong secret is refused", as("local", "wrong"), "InvalidSignatureException", "SignatureDoesNotMatch", 403},
		{"an unknown key is refused", as("nobody", "local"), "UnrecognizedClientException", "InvalidAccessKeyId", 403},
		{
			"a request without signature is refused", change(func(r *http.Request) { r.Header.Del("Authorization") }),
			"MissingAuthenticationTokenException", "AccessDenied", 403,
		},
		{
			"another region is refused", func(c *aws.Config) { c.Region = "eu-west-1" },
			"InvalidSignatureException", "AuthorizationHeaderMalformed", 400,
		},
		{
			"a header that was changed is refused", change(func(r *http.Request) { r.Header.Set("Content-Type", "text/html") }),
			"InvalidSignatureException", "SignatureDoesNotMatch", 403,
		},
		{
			"an amz header that was added is refused", change(func(r *http.Request) { r.Header.Set("X-Amz-Meta-Added", "1") }),
			"InvalidSignatureException", "AccessDenied", 403,
		},
		{
			"a body that was changed is refused", change(func(r *http.Request) {
				text, _ := io.ReadAll(r.Body)
				text[0] ^= 1
				r.Body = io.NopCloser(bytes.NewReader(text))
			}),
			"InvalidSignatureException", "IncompleteBody", 400,
		},
		{
			"an older signature is refused", change(func(r *http.Request) { r.Header.Set("Authorization", "AWS local:bG9jYWw=") }),
			"IncompleteSignatureException", "InvalidRequest", 400,
		},
		{
			"an older signature in the query is refused", change(func(r *http.Request) {
				r.Header.Del("Authorization")
				r.URL.RawQuery = "AWSAccessKeyId=local&Signature=bG9jYWw%3D&Expires=2000000000"
			}),
			"IncompleteSignatureException", "InvalidRequest", 400,
		},
		{
			"a header that is not SigV4 is refused", change(func(r *http.Request) { r.Header.Set("Authorization", "Basic bG9jYWw=") }),
			"IncompleteSignatureException", "AuthorizationHeaderMalformed", 400,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			stack := newStack(t, localaws.Options{})
			cfg := once(stack.AWSConfig())
			row.change(&cfg)
			if got := codeOf(listStreams(t.Context(), cfg)); got != row.json {
				t.Errorf("Kinesis answered %q, want %q", got, row.json)
			}
			if got := codeOf(listTables(t.Context(), cfg)); got != row.json {
				t.Errorf("DynamoDB answered %q, want %q", got, row.json)
			}
			err := put(t.Context(), cfg, "key", "content")
			if codeOf(err) != row.s3 || statusOf(err) != row.s3Status {
				t.Errorf("S3 answered %v, want %s with %d", err, row.s3, row.s3Status)
			}
			if got, want := exists(t, stack.AWSConfig(), "key"), row.s3 == ""; got != want {
				t.Errorf("the object exists: %v, want %v", got, want)
			}
		})
	}
}

func TestClockSkew(t *testing.T) {
	t.Parallel()
	stack := newStack(t, localaws.Options{})
	cfg := once(stack.AWSConfig())
	for by, want := range map[time.Duration]string{
		14 * time.Minute: "", -14 * time.Minute: "",
		16 * time.Minute: "InvalidSignatureException", -16 * time.Minute: "InvalidSignatureException",
	} {
		signer := skewed{v4.NewSigner(), by}
		_, err := kinesis.NewFromConfig(cfg, func(o *kinesis.Options) { o.HTTPSignerV4 = signer }).
			ListStreams(t.Context(), &kinesis.ListStreamsInput{})
		if codeOf(err) != want {
			t.Errorf("Kinesis, %v off: got %v, want %q", by, err, want)
		}
		_, err = dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) { o.HTTPSignerV4 = signer }).
			ListTables(t.Context(), &dynamodb.ListTablesInput{})
		if codeOf(err) != want {
			t.Errorf("DynamoDB, %v off: got %v, want %q", by, err, want)
		}
	}
}

func TestSignaturesSkipped(t *testing.T) {
	t.Parallel()
	stack := newStack(t, localaws.Options{SkipSignatures: true})
	cfg := once(stack.AWSConfig())
	as("anyone", "anything")(&cfg)
	if err := listStreams(t.Context(), cfg); err != nil {
		t.Errorf("Kinesis: %v", err)
	}
	if err := put(t.Context(), cfg, "key", "content"); err != nil {
		t.Errorf("S3: %v", err)
	}
}

func TestOwnCredentials(t *testing.T) {
	t.Parallel()
	stack := newStack(t, localaws.Options{Credentials: map[string]string{"alice": "a", "bob": "b"}})
	cfg := once(stack.AWSConfig())
	for key, want := range map[string]string{"alice": "", "bob": "InvalidSignatureException", "local": "UnrecognizedClientException"} {
		as(key, "a")(&cfg)
		if err := listStreams(t.Context(), cfg); codeOf(err) != want {
			t.Errorf("%s: got %v, want %q", key, err, want)
		}
	}
	if environ := strings.Join(stack.Environ("http://here"), " "); !strings.Contains(environ, "AWS_ACCESS_KEY_ID=alice") {
		t.Errorf("the environment is %s, want one of alice", environ)
	}
}
