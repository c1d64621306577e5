package localaws_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/localaws"
)

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
		send := func(come int) *io.PipeWriter {
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
			return sender
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
		if err := listStreams(ctx, cfg); err != nil || time.Since(begun) != 0 {
			t.Errorf("the one that may go on without room: %v after %v, want an answer at once", err, time.Since(begun))
		}
		beyond := send(1)
		begun = time.Now()
		if err := listStreams(ctx, cfg); codeOf(err) != "ServiceUnavailableException" || statusOf(err) != 503 || time.Since(begun) != 10*time.Second {
			t.Errorf("without room: %v after %v, want 503 after 10s", err, time.Since(begun))
		}
		begun = time.Now()
		time.AfterFunc(time.Second, func() { _ = beyond.CloseWithError(io.ErrUnexpectedEOF) })
		if err := listStreams(ctx, cfg); err != nil || time.Since(begun) > 2*time.Second {
			t.Errorf("after the other one that went on without room: %v after %v, want an answer after a second", err, time.Since(begun))
		}
		cancel()
		synctest.Wait()
		if err := listStreams(t.Context(), cfg); err != nil {
			t.Errorf("with room again: %v", err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		defer cancel()
		refused := send(1 << 20)
		send(1)
		if _, err := refused.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(11 * time.Second)
		if err := listStreams(t.Context(), cfg); err != nil {
			t.Errorf("after a body was refused that may yet come: %v", err)
		}
	})
}

// Bodies that have come in part, and take all the room, all come to their end.
func TestBodiesDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stack := newStack(t, localaws.Options{SkipSignatures: true})
		localaws.LimitBodies(stack, 1<<20)
		cfg := once(stack.AWSConfig())
		var wg sync.WaitGroup
		var senders []*io.PipeWriter
		for range 4 {
			body, sender := io.Pipe()
			senders = append(senders, sender)
			wg.Go(func() {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://localaws.internal/", body)
				if err != nil {
					t.Error(err)
					return
				}
				r.Header.Set("X-Amz-Target", "Kinesis_20131202.PutRecords")
				response, err := cfg.HTTPClient.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				if _ = response.Body.Close(); response.StatusCode != http.StatusBadRequest { // spaces are no request
					t.Errorf("status %d", response.StatusCode)
				}
			})
		}
		half, all := bytes.Repeat([]byte(" "), 350<<10), make(chan struct{})
		begun := time.Now()
		for _, s := range senders {
			wg.Go(func() {
				_, _ = s.Write(half)
				<-all
				_, _ = s.Write(half)
				_ = s.Close()
			})
		}
		synctest.Wait()
		close(all)
		wg.Wait()
		if took := time.Since(begun); took >= 10*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}
