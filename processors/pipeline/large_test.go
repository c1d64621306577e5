package pipeline_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors/pipeline"
)

// hostile is a payload that is small as a record, and as large as a record may be that
// is not.
func hostile(tb testing.TB) string {
	tb.Helper()
	return gz(tb, `{"messageType":"DATA_MESSAGE","logEvents":[{"message":"a"}`+strings.Repeat(`,{"message":"a"}`, 36<<20/16)+`],"`+noise(640<<10)+`":0}`)
}

// noise is a text of letters that gzip cannot make much smaller.
func noise(n int) string {
	b := make([]byte, n)
	x := uint64(1)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = 'a' + byte(x>>32)%26
	}
	return string(b)
}

// BenchmarkHostile is a record of some 400 KiB that inflates to 36 MiB of log events.
func BenchmarkHostile(b *testing.B) {
	p := pipeline.New(pipeline.Stages{Decompression: true, CloudWatchLogProcessing: true})
	r := kcl.Record{Data: []byte(hostile(b))}
	b.ReportAllocs()
	b.SetBytes(int64(len(r.Data)))
	for b.Loop() {
		if err := p.Run(b.Context(), &r, func(o pipeline.Output) error {
			if o.Failure.Type != "" {
				b.Fatal(o.Failure)
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
}

// Of records that inflate to much one at a time is in memory; others pass by.
func TestOneLargeRecordAtATime(t *testing.T) {
	t.Parallel()
	big, small := gz(t, noise(2<<20)), gz(t, "small")
	synctest.Test(t, func(t *testing.T) {
		p := pipeline.New(pipeline.Stages{Decompression: true})
		var mu sync.Mutex
		inside, most, done := 0, 0, 0
		add := func(n int) {
			mu.Lock()
			defer mu.Unlock()
			inside += n
			most = max(most, inside)
		}
		gate := make(chan struct{})
		var shards sync.WaitGroup
		for range 3 {
			shards.Go(func() {
				err := p.Run(t.Context(), &kcl.Record{Data: []byte(big)}, func(o pipeline.Output) error {
					add(1)
					defer add(-1)
					<-gate
					if len(o.Data) != 2<<20 {
						t.Errorf("%d bytes", len(o.Data))
					}
					done++
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait() // one is inside, and two wait
		if inside != 1 {
			t.Fatalf("%d are inside", inside)
		}
		if got := outcome(t, p, small); got != "data: small" {
			t.Error(got)
		}
		close(gate)
		shards.Wait()
		if most != 1 || done != 3 {
			t.Errorf("%d at once, %d done", most, done)
		}
	})
}

// Who waits is alive, and ends with its context; then the record is nowhere.
func TestAWaitForALargeRecord(t *testing.T) {
	t.Parallel()
	big := kcl.Record{Data: []byte(gz(t, noise(2<<20)))}
	synctest.Test(t, func(t *testing.T) {
		p := pipeline.New(pipeline.Stages{Decompression: true})
		gate := make(chan struct{})
		var first sync.WaitGroup
		first.Go(func() {
			if err := p.Run(t.Context(), &big, func(pipeline.Output) error { <-gate; return errTest }); !errors.Is(err, errTest) {
				t.Error(err)
			}
		})
		synctest.Wait()
		stopped, stop := context.WithCancelCause(t.Context())
		ctx, call := deadline.Start(stopped, time.Minute)
		defer call.End()
		ended := make(chan error)
		go func() {
			ended <- p.Run(ctx, &big, func(pipeline.Output) error { t.Error("it is passed"); return nil })
		}()
		time.Sleep(time.Hour)
		if ctx.Err() != nil || call.Silent() > 2*time.Second {
			t.Errorf("silent for %v, %v", call.Silent(), ctx.Err())
		}
		stop(errTest)
		if err := <-ended; !errors.Is(err, errTest) {
			t.Errorf("got %v", err)
		}
		close(gate)
		first.Wait()
		if got := outcome(t, p, string(big.Data)); !strings.HasPrefix(got, "data: ") { // the turn was given back, after an error too
			t.Errorf("%.40q", got)
		}
	})
}

var errTest = errors.New("test")

// What a record says of its size is believed only as far as the bounds go.
func TestSizesThatAreNotTrue(t *testing.T) {
	t.Parallel()
	p := pipeline.New(pipeline.Stages{Decompression: true})
	text := noise(3 << 20)
	whole := gz(t, text[:2<<20]) + gz(t, text[2<<20:]) + gz(t, "") // says 0
	if got := outcome(t, p, whole); got != "data: "+text {
		t.Errorf("%d bytes: %.40q", len(got), got)
	}
	lies := []byte(gz(t, text))
	copy(lies[len(lies)-4:], "\xff\xff\xff\xff")
	if got := outcome(t, p, string(lies)); !strings.HasPrefix(got, "decompression-failed: Decompression.MalformedData") {
		t.Errorf("%.80q", got)
	}
}

// reference is what encoding/json says of a payload: its messages, or whether it is one.
func reference(text string) (messages []string, kind string, good bool) {
	var top, event map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &top) != nil || top == nil {
		return nil, "", false
	}
	if raw, ok := top["messageType"]; ok && (raw[0] != '"' || json.Unmarshal(raw, &kind) != nil) {
		return nil, "", false
	}
	var events []json.RawMessage
	if raw, ok := top["logEvents"]; ok && json.Unmarshal(raw, &events) != nil {
		return nil, "", false
	}
	without := false
	for _, raw := range events {
		event = nil
		var message *string
		if json.Unmarshal(raw, &event) != nil || event["message"] != nil && json.Unmarshal(event["message"], &message) != nil {
			return nil, "", false
		}
		if message == nil {
			without = true
			continue
		}
		messages = append(messages, *message)
	}
	if without {
		kind += " without a message"
	}
	return messages, kind, true
}

// FuzzPayload: of whatever JSON is in a record becomes what encoding/json makes of it,
// unless members are there twice.
func FuzzPayload(f *testing.F) {
	f.Add(payload(f, "a", "b\"\\\n"))
	f.Add(`{"messageType":"DATA_MESSAGE","logEvents":[{"message":"\ud83d\ude00\ud800"},{"x":[{}],"message":null}]}`)
	f.Add(`{"messageType":"DATA_MESSAGE","logEvents":[{"message":""},null]}`)
	f.Add(` { "logEvents" : [ ] , "a":[1,-2e5,true,{"b":"]"}] , "messageType":"CONTROL_MESSAGE"} `)
	f.Add(`{"messageType":"DATA_MESSAGE","logEvents":[{"message":"a\ud800\u0041"}]}`)
	p := pipeline.New(pipeline.Stages{Decompression: true, CloudWatchLogProcessing: true})
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ToValidUTF8(text, "") != text || isTwice(text) {
			return
		}
		got := outcome(t, p, gz(t, text))
		messages, kind, good := reference(text)
		want := "processing-failed: "
		switch {
		case strings.Contains(got, "LimitExceeded"):
			return
		case good && strings.HasPrefix(kind, "CONTROL_MESSAGE"), good && kind == "DATA_MESSAGE" && messages == nil:
			want = "nothing"
		case good && kind == "DATA_MESSAGE":
			want = "data: " + strings.Join(messages, "\n")
		}
		if got != want && (want != "processing-failed: " || !strings.HasPrefix(got, want)) {
			t.Errorf("of %q: got %q, want %q", text, got, want)
		}
	})
}

// isTwice reports whether a member may be there twice: then one that is overwritten
// need not be what encoding/json wants.
func isTwice(text string) bool {
	return strings.Count(text, "messageType") > 1 || strings.Count(text, "logEvents") > 1 || strings.Count(text, `\u`) > 4
}
