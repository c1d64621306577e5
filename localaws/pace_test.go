package localaws_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/localaws"
)

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
