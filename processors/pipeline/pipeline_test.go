package pipeline_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors/pipeline"
)

// gz returns a gzip member.
func gz(tb testing.TB, content string) string {
	tb.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(content)); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

// payload returns what CloudWatch Logs sends of some messages.
func payload(tb testing.TB, messages ...string) string {
	tb.Helper()
	type event struct {
		ID        string `json:"id"`
		Timestamp int64  `json:"timestamp"`
		Message   string `json:"message"`
	}
	events := make([]event, len(messages))
	for i, m := range messages {
		events[i] = event{strconv.Itoa(i), 1432826855000, m}
	}
	b, err := json.Marshal(map[string]any{
		"owner": "123456789012", "logGroup": "CloudTrail", "logStream": "s", "subscriptionFilters": []string{"Destination"},
		"messageType": "DATA_MESSAGE", "logEvents": events,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// outcome returns what becomes of a record, as a text.
func outcome(tb testing.TB, p *pipeline.Pipeline, data string) string {
	tb.Helper()
	var said []string
	r := kcl.Record{Data: []byte(data)}
	err := p.Run(tb.Context(), &r, func(o pipeline.Output) error {
		switch {
		case o.Failure.Type != "" && !o.Nothing && o.Data == nil:
			said = append(said, o.Failure.Type+": "+o.Failure.Code+": "+o.Failure.Message)
		case o.Nothing && o.Data == nil:
			said = append(said, "nothing")
		case o.Failure == (pipeline.Failure{}) && !o.Nothing:
			said = append(said, "data: "+string(o.Data))
		default:
			said = append(said, fmt.Sprintf("ambiguous: %+v", o))
		}
		return nil
	})
	if err != nil || len(said) != 1 || string(r.Data) != data {
		tb.Fatalf("%d outputs, %v, data %q", len(said), err, r.Data)
	}
	return said[0]
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	const (
		control   = `{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logEvents":[{"id":"","message":"CWL CONTROL MESSAGE: Checking health of destination Firehose."}]}`
		damaged   = "decompression-failed: Decompression.MalformedData: The record is not gzip, or is damaged: "
		tooMuch   = "decompression-failed: Decompression.LimitExceeded: The record of "
		noPayload = "processing-failed: CloudWatchLogProcessing.MalformedData: The record is no payload of CloudWatch Logs: "
	)
	plain := pipeline.New(pipeline.Stages{})
	inflating := pipeline.New(pipeline.Stages{Decompression: true})
	extracting := pipeline.New(pipeline.Stages{Decompression: true, CloudWatchLogProcessing: true})
	one := gz(t, "one")
	for _, row := range []struct {
		name string
		with *pipeline.Pipeline
		data string
		want string // with … at its end: only its beginning
	}{
		{"no stages", plain, one, "data: " + one},
		{"no stages, no data", plain, "", "data: "},
		{"a member", inflating, one, "data: one"},
		{"an empty member", inflating, gz(t, ""), "data: "},
		{"several members", inflating, one + gz(t, "") + gz(t, " two"), "data: one two"},
		{"not gzip", inflating, "one", damaged + "unexpected EOF"},
		{"not gzip, and long", inflating, strings.Repeat("one", 100), damaged + "…"},
		{"no data", inflating, "", damaged + "unexpected EOF"},
		{"a member without its end", inflating, one[:len(one)-1], damaged + "unexpected EOF"},
		{"a damaged member", inflating, one[:len(one)-8] + "\x00" + one[len(one)-7:], damaged + "…"},
		{"a byte behind the member", inflating, one + "\x00", damaged + "…"},
		{"other data behind the member", inflating, one + strings.Repeat("garbage", 10), damaged + "…"},
		{"too good to be true", inflating, gz(t, strings.Repeat("a", 1<<20)), tooMuch + "…"},
		{"a payload, inflated only", inflating, gz(t, control), "data: " + control},
		{"messages", extracting, gz(t, payload(t, "a", `{"b":"ü <>&"}`, "")), "data: a\n{\"b\":\"ü <>&\"}\n"},
		{"one message", extracting, gz(t, payload(t, "a\nb\n")), "data: a\nb\n"},
		{"one message that is empty, before all others", pipeline.New(pipeline.Stages{Decompression: true, CloudWatchLogProcessing: true}), gz(t, payload(t, "")), "data: "},
		{"messages of several members", extracting, gz(t, payload(t, "a")[:20]) + gz(t, payload(t, "a")[20:]), "data: a"},
		{"no log events", extracting, gz(t, payload(t)), "nothing"},
		{"a control message", extracting, gz(t, control), "nothing"},
		{"not gzip, to be extracted", extracting, "one", damaged + "unexpected EOF"},
		{"not JSON", extracting, one, noPayload + "…"},
		{"two documents", extracting, gz(t, payload(t, "a")+payload(t, "b")), noPayload + "…"},
		{"another message type", extracting, gz(t, `{"messageType":"NEWS","logEvents":[]}`), noPayload + `its messageType is "NEWS"`},
		{"no message type", extracting, gz(t, `{"logEvents":[{"message":"a"}]}`), noPayload + `its messageType is ""`},
		{"an event without a message", extracting, gz(t, `{"messageType":"DATA_MESSAGE","logEvents":[{"message":"a"},{}]}`), noPayload + "log event 1 has no message"},
		{"one event, without a message", extracting, gz(t, `{"messageType":"DATA_MESSAGE","logEvents":[{}]}`), noPayload + "log event 0 has no message"},
		{"a message that is no text", extracting, gz(t, `{"messageType":"DATA_MESSAGE","logEvents":[{"message":1}]}`), noPayload + "…"},
		{"an array", extracting, gz(t, "[]"), noPayload + "it is no such JSON: it is no object"},
		{"events that are no array", extracting, gz(t, `{"messageType":"DATA_MESSAGE","logEvents":{}}`), noPayload + "it is no such JSON: logEvents is no array of objects with messages that are strings"},
		{"an event that is no object", extracting, gz(t, `{"messageType":"DATA_MESSAGE","logEvents":[1]}`), noPayload + "it is no such JSON: logEvents is no array of objects with messages that are strings"},
		{"a type that is no text", extracting, gz(t, `{"messageType":1}`), noPayload + "it is no such JSON: messageType is no string"},
		{"no array of log events", extracting, gz(t, `{"messageType":"DATA_MESSAGE","logEvents":null}`), "nothing"},
		{"the type behind the events", extracting, gz(t, `{"logEvents":[{"message":"a"}], "messageType":"DATA_MESSAGE"}`), "data: a"},
		{"members twice", extracting, gz(t, `{"messageType":"x","logEvents":[{"message":"longer"}],"messageType":"DATA_MESSAGE","logEvents":[{"message":"b","message":"a"},{"message":"c"}]}`), "data: a\nc"},
		{"members that are of no interest", extracting, gz(t, ` { "a" : [ { "message" : "x" } , -1.5e3 , [ ] , { } , "]}\"" ] , "messageType" : "DATA_MESSAGE" , "logEvents" : [ { "x" : { "message" : "y" } , "message" : "a" } ] } `), "data: a"},
		{"names and messages with escapes", extracting, gz(t, `{"message\u0054ype":"\u0044ATA_MESSAGE","logEvents":[{"\u006dessage":"\"\\\/\b\f\n\r\t\u00e4\ud83d\ude00\ud800\ud800x\udc00"}]}`), "data: \"\\/\b\f\n\r\tä😀\ufffd\ufffdx\ufffd"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := outcome(t, row.with, row.data)
			if want, begins := strings.CutSuffix(row.want, "…"); got != want && (!begins || !strings.HasPrefix(got, want)) {
				t.Errorf("got %.300q, want %q", got, row.want)
			}
		})
	}
}

// TestBounds: what a record inflates to is bounded by its size, and by 64 MiB.
func TestBounds(t *testing.T) {
	t.Parallel()
	p := pipeline.New(pipeline.Stages{Decompression: true})
	zeros := gz(t, strings.Repeat("\x00", 50_000))
	stored := func(n int) string { // without compression, so that n more bytes are allowed
		var b bytes.Buffer
		z, err := gzip.NewWriterLevel(&b, gzip.NoCompression)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := z.Write(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	// A member of 50,000 zeros takes well under 500 bytes; what makes up for that is stored.
	for _, row := range []struct {
		data string
		good bool
	}{
		{zeros, false},
		{zeros + stored(500), true},
		{stored(64 << 20), true},
		{stored(64<<20 + 1), false},
	} {
		got := outcome(t, p, row.data)
		if good := strings.HasPrefix(got, "data: "); good != row.good || !good && !strings.Contains(got, "LimitExceeded") {
			t.Errorf("%d bytes: %.100q, want it good: %v", len(row.data), got, row.good)
		}
	}
}

// TestRecordsSideBySide: the shards of an archiver share a pipeline.
func TestRecordsSideBySide(t *testing.T) {
	t.Parallel()
	p := pipeline.New(pipeline.Stages{Decompression: true, CloudWatchLogProcessing: true})
	var shards sync.WaitGroup
	for shard := range 8 {
		record := gz(t, payload(t, fmt.Sprint("shard ", shard), strings.Repeat(strconv.Itoa(shard), 300)))
		shards.Go(func() {
			for range 50 {
				if got := outcome(t, p, record); got != fmt.Sprintf("data: shard %d\n%s", shard, strings.Repeat(strconv.Itoa(shard), 300)) {
					t.Errorf("shard %d: %.40q", shard, got)
				}
				if got := outcome(t, p, record[:20]); !strings.HasPrefix(got, "decompression-failed") {
					t.Errorf("shard %d: %.40q", shard, got)
				}
			}
		})
	}
	shards.Wait()
}

func TestEmitsErrorIsReturned(t *testing.T) {
	t.Parallel()
	want := errors.New("no room")
	for _, s := range []pipeline.Stages{{}, {Decompression: true}} {
		if err := pipeline.New(s).Run(t.Context(), &kcl.Record{}, func(pipeline.Output) error { return want }); !errors.Is(err, want) {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

// FuzzDecompression: a record is inflated to what Go's own reader says, within the
// bounds, or fails.
func FuzzDecompression(f *testing.F) {
	f.Add([]byte(gz(f, "one") + gz(f, "two")))
	f.Add([]byte(gz(f, strings.Repeat("a", 1<<16))))
	f.Add([]byte{0x1f, 0x8b, 8})
	p := pipeline.New(pipeline.Stages{Decompression: true})
	f.Fuzz(func(t *testing.T, data []byte) {
		got := outcome(t, p, string(data))
		limit := 100 * len(data)
		var want []byte
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err == nil {
			want, err = io.ReadAll(io.LimitReader(z, int64(limit)+1))
		}
		good := err == nil && len(want) <= limit
		if good != (got == "data: "+string(want)) || !good && !strings.HasPrefix(got, "decompression-failed: ") {
			t.Errorf("got %.200q, Go's reader says %.200q, %v", got, want, err)
		}
	})
}

// FuzzMessages: whatever JSON is in a record, one thing becomes of it, and messages
// are found again.
func FuzzMessages(f *testing.F) {
	f.Add(payload(f, "a", "b"))
	f.Add(`{"messageType":"CONTROL_MESSAGE"}`)
	f.Add(`{"messageType":"DATA_MESSAGE","logEvents":[{"message":"\ud800"}]}`)
	p := pipeline.New(pipeline.Stages{Decompression: true, CloudWatchLogProcessing: true})
	f.Fuzz(func(t *testing.T, text string) {
		if got := outcome(t, p, gz(t, text)); strings.HasPrefix(got, "ambiguous") {
			t.Error(got)
		}
		text = strings.ToValidUTF8(text, "?")
		if got := outcome(t, p, gz(t, payload(t, text, "b"))); got != "data: "+text+"\nb" {
			if !strings.Contains(got, "LimitExceeded") {
				t.Errorf("got %.200q of %.200q", got, text)
			}
		}
	})
}
