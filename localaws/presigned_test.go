package localaws_test

import (
	"encoding/xml"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/shardmill/shardmill/localaws"
)

// TestPresigned has URLs that carry their signature.
func TestPresigned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stack := newStack(t, localaws.Options{})
		cfg := once(stack.AWSConfig())
		presign := s3.NewPresignClient(s3.NewFromConfig(cfg), func(o *s3.PresignOptions) { o.Expires = time.Minute })
		putting, err := presign.PresignPutObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String("bucket"), Key: aws.String("a key+"), Metadata: map[string]string{"plan": "p1"}, ContentType: aws.String("text/x"),
		})
		if err != nil {
			t.Fatal(err)
		}
		getting, err := presign.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String("a key+")})
		if err != nil {
			t.Fatal(err)
		}
		send := func(method, url string, header http.Header, body string) (status int, code, answer string) {
			r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header = header.Clone()
			response, err := cfg.HTTPClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			text, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			var refusal struct{ Code string }
			if response.StatusCode >= 400 && xml.Unmarshal(text, &refusal) != nil {
				t.Errorf("the answer is %s", text)
			}
			return response.StatusCode, refusal.Code, string(text)
		}
		if status, code, _ := send(putting.Method, putting.URL, putting.SignedHeader, "content"); status != 200 {
			t.Fatalf("putting: %d %s at %s", status, code, putting.URL)
		}
		head, err := s3.NewFromConfig(cfg).HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("bucket"), Key: aws.String("a key+")})
		if err != nil || head.Metadata["plan"] != "p1" || aws.ToString(head.ContentType) != "text/x" {
			t.Errorf("the object is %+v, %v; want its metadata", head, err)
		}
		if status, _, got := send(getting.Method, getting.URL, nil, ""); status != 200 || got != "content" {
			t.Errorf("getting: %d %s", status, got)
		}
		for _, row := range []struct {
			name, url string
			header    http.Header
			status    int
			code      string
		}{
			{"another key", strings.Replace(getting.URL, "key", "kex", 1), nil, 403, "SignatureDoesNotMatch"},
			{"a longer time", strings.Replace(getting.URL, "Expires=60", "Expires=600", 1), nil, 403, "SignatureDoesNotMatch"},
			{"a time too long", strings.Replace(getting.URL, "Expires=60", "Expires=604801", 1), nil, 400, "AuthorizationQueryParametersError"},
			{"no time", strings.Replace(getting.URL, "Expires=60", "Expires=", 1), nil, 400, "AuthorizationQueryParametersError"},
			{"a scope of a year", strings.Replace(getting.URL, "%2F20000101%2F", "%2F2000%2F", 1), nil, 400, "AuthorizationQueryParametersError"},
			{"no signature", getting.URL[:strings.Index(getting.URL, "&X-Amz-Signature")], nil, 400, "AuthorizationQueryParametersError"},
			{"a header that was not signed", getting.URL, http.Header{"X-Amz-Meta-A": {"b"}}, 403, "AccessDenied"},
			{"two signatures", getting.URL, http.Header{"Authorization": {"AWS4-HMAC-SHA256 x"}}, 400, "InvalidArgument"},
		} {
			if status, code, _ := send(http.MethodGet, row.url, row.header, ""); status != row.status || code != row.code {
				t.Errorf("%s: %d %s, want %d %s", row.name, status, code, row.status, row.code)
			}
		}
		time.Sleep(61 * time.Second)
		if status, code, answer := send(getting.Method, getting.URL, nil, ""); status != 403 || code != "AccessDenied" || !strings.Contains(answer, "expired") {
			t.Errorf("after its time: %d %s", status, answer)
		}
		if exists(t, cfg, "a kex+") {
			t.Error("a refused URL took effect")
		}
	})
}
