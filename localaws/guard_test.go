package localaws_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/shardmill/shardmill/localaws"
)

// knock sends a request without a body, changed by change, and returns its
// status and what the answer says of the error.
func knock(t *testing.T, stack *localaws.Stack, method, target string, change func(*http.Request)) (status int, answer string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader("{}"))
	r.Host = "127.0.0.1:4566"
	change(r)
	w := httptest.NewRecorder()
	stack.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// TestHostsThatCall has the names by which the stack may be called, and others,
// which a page could have had resolve to this machine.
func TestHostsThatCall(t *testing.T) {
	t.Parallel()
	stack := newStack(t, localaws.Options{SkipSignatures: true, Control: true, Hosts: []string{"Shardmill.", "aws.test"}})
	for host, want := range map[string]bool{
		"127.0.0.1": true, "127.0.0.1:4566": true, "[::1]:4566": true, "[::1]": true, "10.1.2.3:80": true, "[fe80::1%25eth0]:1": true,
		"localhost": true, "LOCALHOST:4566": true, "bucket.localhost:4566": true, "a.b.localhost": true, "localhost.:1": true,
		"shardmill:4566": true, "bucket.aws.test": true,
		"": false, "evil.example": false, "evil.example:4566": false, "localhost.evil.example": false, "notlocalhost": false,
		"127.0.0.1.evil.example": false, "test": false, "evilaws.test": false, "localaws.internal": false, "1.2.3": false,
	} {
		for _, row := range []struct{ target, header, value, code string }{
			{"/bucket/key", "X-Other", "", "<Code>AccessDenied</Code>"},
			{"/", "X-Amz-Target", "Kinesis_20131202.ListStreams", `"__type":"AccessDeniedException"`},
			{"/", "X-Amz-Target", "DynamoDB_20120810.ListTables", `#AccessDeniedException"`},
			{"/_localaws/faults", "X-Other", "", `{"error":"The host`},
		} {
			status, answer := knock(t, stack, http.MethodPost, row.target, func(r *http.Request) {
				r.Host = host
				r.Header.Set(row.header, row.value)
			})
			refused := status == http.StatusForbidden && strings.Contains(answer, "The host ") && strings.Contains(answer, row.code)
			if refused == want {
				t.Errorf("host %q, %s %s: %d %s; want it taken: %v", host, row.target, row.value, status, answer, want)
			}
		}
	}
}

// TestPagesThatCall has what browsers send for pages of here and elsewhere.
func TestPagesThatCall(t *testing.T) {
	t.Parallel()
	stack := newStack(t, localaws.Options{SkipSignatures: true, Control: true})
	for _, row := range []struct {
		name, method, origin, site string
		want                       bool
	}{
		{"no browser", http.MethodPost, "", "", true},
		{"the same origin", http.MethodPost, "http://127.0.0.1:4566", "same-origin", true},
		{"an address typed by a person", http.MethodGet, "", "none", true},
		{"a page elsewhere", http.MethodPost, "http://evil.example", "", false},
		{"a page elsewhere reads", http.MethodGet, "http://evil.example", "", false},
		{"a page on another port", http.MethodPost, "http://127.0.0.1:80", "", false},
		{"a page without an origin", http.MethodPost, "null", "", false},
		{"an image in a page elsewhere", http.MethodGet, "", "cross-site", false},
		{"a page of a neighbour", http.MethodGet, "", "same-site", false},
	} {
		for _, target := range []string{"/_localaws/faults", "/bucket/key"} {
			status, answer := knock(t, stack, row.method, target, func(r *http.Request) {
				for name, value := range map[string]string{"Origin": row.origin, "Sec-Fetch-Site": row.site} {
					if value != "" {
						r.Header.Set(name, value)
					}
				}
			})
			if got := status != http.StatusForbidden; got != row.want {
				t.Errorf("%s, %s: %d %s; want it taken: %v", row.name, target, status, answer, row.want)
			}
		}
	}
}

// TestControlTakesJSON has what a form of a page can send without asking.
func TestControlTakesJSON(t *testing.T) {
	t.Parallel()
	stack := newStack(t, localaws.Options{Control: true})
	for kind, want := range map[string]int{
		"": 415, "text/plain": 415, "application/x-www-form-urlencoded": 415, "application/jsonx": 415,
		"application/json": 400, "application/json; charset=utf-8": 400,
	} {
		status, answer := knock(t, stack, http.MethodPost, "/_localaws/faults", func(r *http.Request) { r.Header.Set("Content-Type", kind) })
		if status != want {
			t.Errorf("content type %q: %d %s, want %d", kind, status, answer, want)
		}
	}
}

// zeros is a body of many bytes that no one has in memory.
type zeros struct{ left int }

func (z *zeros) Read(b []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := min(len(b), z.left)
	z.left -= n
	return n, nil
}

// TestRefusedBodies has large bodies of requests that are refused for what
// their headers say: they must not come into memory. It is not parallel, so
// that what it counts is its own.
func TestRefusedBodies(t *testing.T) { //nolint:paralleltest // see above
	stack := newStack(t, localaws.Options{})
	now := time.Now().UTC()
	signed := func(key, region string, at time.Time) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("X-Amz-Date", at.Format("20060102T150405Z"))
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+key+"/"+at.Format("20060102")+"/"+region+
				"/kinesis/aws4_request, SignedHeaders=host;x-amz-date, Signature=00")
		}
	}
	for _, row := range []struct {
		name, code string
		length     int64
		change     func(*http.Request)
	}{
		{"unsigned", "MissingAuthenticationTokenException", 20 << 20, func(*http.Request) {}},
		{"another key", "UnrecognizedClientException", 20 << 20, signed("nobody", "us-east-1", now)},
		{"another region", "InvalidSignatureException", 20 << 20, signed("local", "eu-west-1", now)},
		{"an old date", "InvalidSignatureException", 20 << 20, signed("local", "us-east-1", now.Add(-time.Hour))},
		{"larger than any", "RequestEntityTooLargeException", 40 << 20, signed("local", "us-east-1", now)},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1/", &zeros{int(row.length)})
		r.ContentLength = row.length
		r.Header.Set("X-Amz-Target", "Kinesis_20131202.PutRecords")
		row.change(r)
		w := httptest.NewRecorder()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		stack.ServeHTTP(w, r)
		runtime.ReadMemStats(&after)
		if taken := after.TotalAlloc - before.TotalAlloc; taken > 4<<20 {
			t.Errorf("%s: %d bytes of memory were taken", row.name, taken)
		}
		var answer struct {
			Type string `json:"__type"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Type != row.code {
			t.Errorf("%s: answered %s, %v; want %s", row.name, w.Body, err, row.code)
		}
	}
}

// TestRoomForBodies has a body that took all the room there is, many that
// announced themselves and did not come, and one more request.
func TestRoomForBodies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stack := newStack(t, localaws.Options{SkipSignatures: true})
		localaws.LimitBodies(stack, 1<<20)
		cfg := once(stack.AWSConfig())
		ctx, cancel := context.WithCancel(t.Context())
		send := func(come int) {
			body, sender := io.Pipe()
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://localaws.internal/", body)
			if err != nil {
				t.Fatal(err)
			}
			r.ContentLength = 32 << 20
			r.Header.Set("X-Amz-Target", "Kinesis_20131202.PutRecords")
			go func() {
				if response, err := cfg.HTTPClient.Do(r); err == nil {
					_ = response.Body.Close()
				}
			}()
			if _, err := sender.Write(make([]byte, come)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		begun := time.Now()
		for range 50 {
			send(0)
		}
		if err := listStreams(ctx, cfg); err != nil || time.Since(begun) != 0 {
			t.Errorf("beside clients that send nothing: %v after %v, want an answer at once", err, time.Since(begun))
		}
		send(1 << 20)
		begun = time.Now()
		if err := listStreams(ctx, cfg); codeOf(err) != "ServiceUnavailableException" || statusOf(err) != 503 || time.Since(begun) != 10*time.Second {
			t.Errorf("without room: %v after %v, want 503 after 10s", err, time.Since(begun))
		}
		cancel()
		synctest.Wait()
		if err := listStreams(t.Context(), cfg); err != nil {
			t.Errorf("with room again: %v", err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		defer cancel()
		send(1<<20 + 1)
		time.Sleep(10 * time.Second)
		if err := listStreams(t.Context(), cfg); err != nil {
			t.Errorf("after a body was refused that may yet come: %v", err)
		}
	})
}

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

// slowly reads as a body that comes in pieces, with a pause before each.
type slowly struct {
	pause time.Duration
	piece []byte
	times int
}

func (s *slowly) Read(b []byte) (int, error) {
	if s.times == 0 {
		return 0, io.EOF
	}
	s.times--
	time.Sleep(s.pause)
	return copy(b, s.piece), nil
}

// TestSlowBodies has bodies that come over a connection, at several rates.
func TestSlowBodies(t *testing.T) {
	t.Parallel()
	kilobyte := bytes.Repeat([]byte("x"), 1<<10)
	for _, row := range []struct {
		name string
		body slowly
		fast int           // bytes that come at once, before that
		ends time.Duration // of a body that is not waited for; 0: it is
	}{
		{"5 KiB a second, for long", slowly{200 * time.Millisecond, kilobyte, 5 * 600}, 0, 0},
		{"a pause of 29 seconds", slowly{29 * time.Second, kilobyte[:10], 1}, 0, 0},
		{"2 KiB a second", slowly{500 * time.Millisecond, kilobyte, 1000}, 0, time.Minute},
		{"nothing any more", slowly{10 * time.Minute, kilobyte, 1}, 0, 30 * time.Second},
		{"nothing any more after much", slowly{10 * time.Minute, kilobyte, 1}, 1 << 20, 30 * time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				stack := newStack(t, localaws.Options{SkipSignatures: true})
				conn, done := dial(t, stack)
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://127.0.0.1/bucket/key",
					io.MultiReader(&zeros{row.fast}, &row.body))
				if err != nil {
					t.Fatal(err)
				}
				r.ContentLength = int64(row.fast + len(row.body.piece)*row.body.times)
				begun := time.Now()
				var writing sync.WaitGroup
				writing.Go(func() { _ = r.Write(conn) })
				status := readStatus(conn)
				took := time.Since(begun)
				if want := row.ends == 0; (status == 200) != want || exists(t, stack.AWSConfig(), "key") != want {
					t.Errorf("status %d after %v; want the object: %v", status, took, want)
				}
				// The buffers on the way decide by how little it is earlier.
				if row.ends != 0 && (took > row.ends || took < row.ends-2*time.Second) {
					t.Errorf("it ended after %v, want %v", took, row.ends)
				}
				conn.Close()
				done()
				writing.Wait()
			})
		})
	}
}

// deadlines is a connection's answer that tells how long a read may take.
type deadlines struct {
	http.ResponseWriter

	read time.Duration
}

func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.read = time.Until(t)
	return nil
}

// TestSlowServer reads a body late. What the server takes its time for is not
// its client's.
func TestSlowServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "http://127.0.0.1/", &slowly{10 * time.Second, []byte("x"), 3})
		conn := new(deadlines)
		body := localaws.Pace(conn, r)
		for i, want := range []time.Duration{30 * time.Second, 20 * time.Second, 10 * time.Second} {
			time.Sleep(time.Hour)
			begun := time.Now()
			if n, err := body.Read(make([]byte, 1)); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			if got := conn.read.Round(time.Second); got != want || time.Since(begun) != 10*time.Second {
				t.Errorf("read %d may take %v and took %v, want %v and 10s", i, got, time.Since(begun), want)
			}
		}
	})
}

// TestLongLatency has requests over a connection that a fault keeps for longer
// than a body may pause.
func TestLongLatency(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, method, path, target, body string }{
		{"Kinesis", http.MethodPost, "/", "Kinesis_20131202.ListStreams", "{}"},
		{"DynamoDB", http.MethodPost, "/", "DynamoDB_20120810.ListTables", "{}"},
		{"S3, with a body", http.MethodPut, "/bucket/key", "", strings.Repeat("content ", 100_000)},
		{"S3, without", http.MethodGet, "/", "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				stack := newStack(t, localaws.Options{SkipSignatures: true})
				stack.Faults().Add(localaws.Fault{Kind: localaws.Latency(5 * time.Minute)})
				conn, done := dial(t, stack)
				r, err := http.NewRequestWithContext(t.Context(), row.method, "http://127.0.0.1"+row.path, strings.NewReader(row.body))
				if err != nil {
					t.Fatal(err)
				}
				if row.target != "" {
					r.Header.Set("X-Amz-Target", row.target)
				}
				begun := time.Now()
				var writing sync.WaitGroup
				writing.Go(func() { _ = r.Write(conn) })
				if status := readStatus(conn); status != 200 || time.Since(begun) != 5*time.Minute {
					t.Errorf("status %d after %v, want 200 after 5m", status, time.Since(begun))
				}
				conn.Close()
				done()
				writing.Wait()
			})
		})
	}
}

// TestIdleConnections has one connection that pauses between two requests, for
// less and for longer than it may.
func TestIdleConnections(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		pause  time.Duration
		status int // of the second request
	}{{2*time.Minute + 59*time.Second, 200}, {3*time.Minute + time.Second, 0}} {
		synctest.Test(t, func(t *testing.T) {
			conn, done := dial(t, newStack(t, localaws.Options{SkipSignatures: true}))
			send := func() int {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/", http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				if err := r.Write(conn); err != nil {
					return 0
				}
				return readStatus(conn)
			}
			if status := send(); status != 200 {
				t.Errorf("the first request: %d", status)
			}
			time.Sleep(row.pause)
			if status := send(); status != row.status {
				t.Errorf("the second request after %v: %d, want %d", row.pause, status, row.status)
			}
			conn.Close()
			done()
		})
	}
}
