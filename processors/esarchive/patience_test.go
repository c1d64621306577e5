package esarchive_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/processors/esarchive"
)

// deaf gives credentials when it is released, whatever its context says.
type deaf struct {
	released    chan struct{}
	calls, most atomic.Int32
	underWay    atomic.Int32
}

func (d *deaf) wait() {
	d.calls.Add(1)
	d.most.Store(max(d.most.Load(), d.underWay.Add(1)))
	<-d.released
	d.underWay.Add(-1)
}

// Credentials that do not heed their context stop no request for longer than it may take:
// neither one whose shard was lost, nor any other one. One call is left behind, and told.
func TestDeafCredentials(t *testing.T) {
	t.Parallel()
	for name, auth := range map[string]func(d *deaf) esarchive.Auth{
		"sigv4": func(d *deaf) esarchive.Auth {
			return esarchive.SigV4{Region: "us-east-1", Service: "es", Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				d.wait()
				return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "SECRET"}, nil
			})}
		},
		"basic": func(d *deaf) esarchive.Auth {
			return esarchive.Basic{Credentials: func(context.Context) (string, string, error) { d.wait(); return "me", "SECRET", nil }}
		},
		"apiKey": func(d *deaf) esarchive.Auth {
			return esarchive.APIKey{Key: func(context.Context) (string, error) { d.wait(); return "SECRET", nil }}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { tryDeaf(t, auth) })
		})
	}
}

func tryDeaf(t *testing.T, auth func(d *deaf) esarchive.Auth) {
	t.Helper()
	d := &deaf{released: make(chan struct{})}
	core, logs := observer.New(zapcore.InfoLevel)
	var sent atomic.Int32
	x := newClient(t, "https://cluster.example", over(func(*http.Request) (*http.Response, error) {
		sent.Add(1)
		return nil, errors.New("sent")
	}), func(c *esarchive.Config) { c.Auth, c.Logger = auth(d), zap.New(core) })
	lost, lose := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			ctx, limit := t.Context(), 30*time.Second
			if i < 2 {
				ctx, limit = lost, time.Second
			}
			begun := time.Now()
			_, f := x.Bulk(ctx, []byte(bulkBody), 1)
			if took := time.Since(begun); took != limit || f == nil || limit == 30*time.Second && !strings.Contains(f.Message, "not within 30s") {
				t.Errorf("%d: after %v: %+v", i, took, f)
			}
		})
	}
	time.Sleep(time.Second)
	lose()
	all.Wait()
	if _, f := x.Bulk(t.Context(), []byte(bulkBody), 1); f == nil || !strings.Contains(f.Message, "not within 30s") {
		t.Errorf("while one is left behind: %+v", f)
	}
	if d.calls.Load() != 1 || d.most.Load() != 1 || sent.Load() != 0 {
		t.Errorf("%d calls, %d at once, %d sent", d.calls.Load(), d.most.Load(), sent.Load())
	}
	close(d.released)
	synctest.Wait()
	_, f := x.Bulk(t.Context(), []byte(bulkBody), 1)
	if f == nil || !strings.Contains(f.Message, "sent") || d.calls.Load() != 2 {
		t.Errorf("once it has ended: %d calls, %+v", d.calls.Load(), f)
	}
	var told []string
	for _, l := range logs.All() {
		told = append(told, l.Message)
	}
	if got := strings.Join(told, ", "); got != "credentials do not come, none are asked for until this call ends, credentials are asked for again, the call has ended" {
		t.Errorf("logged: %s", got)
	}
}

// Credentials are asked for once for those who want them at the same time, and anew by who
// comes later; who goes does not take them from others.
func TestCredentialsAreShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		var sent atomic.Int32
		x := newClient(t, "https://cluster.example", over(func(r *http.Request) (*http.Response, error) {
			sent.Add(1)
			return nil, errors.New(r.Header.Get("Authorization"))
		}), func(c *esarchive.Config) {
			c.Auth = esarchive.APIKey{Key: func(ctx context.Context) (string, error) {
				calls.Add(1)
				select {
				case <-time.After(time.Second):
					return "KEY", nil
				case <-ctx.Done():
					return "", ctx.Err()
				}
			}}
		})
		gone, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() { _, _ = x.Bulk(gone, []byte(bulkBody), 1) })
		synctest.Wait()
		for range 3 {
			all.Go(func() {
				if _, f := x.Bulk(t.Context(), []byte(bulkBody), 1); f == nil || !strings.Contains(f.Message, "KEY") {
					t.Errorf("%+v", f)
				}
			})
		}
		all.Wait()
		if calls.Load() != 1 || sent.Load() != 3 {
			t.Errorf("%d calls, %d sent", calls.Load(), sent.Load())
		}
		if _, f := x.Bulk(t.Context(), []byte(bulkBody), 1); f == nil || calls.Load() != 2 {
			t.Errorf("%d calls: %+v", calls.Load(), f)
		}
		only, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, _ = x.Bulk(only, []byte(bulkBody), 1) // ends the call
		if _, f := x.Bulk(t.Context(), []byte(bulkBody), 1); f == nil || !strings.Contains(f.Message, "KEY") || calls.Load() != 4 {
			t.Errorf("%d calls: %+v", calls.Load(), f)
		}
	})
}
