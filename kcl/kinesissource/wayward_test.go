package kinesissource_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
)

// wayward is a shard whose answers come to harm on their way: each page in every
// way in turn, until it comes whole.
type wayward struct {
	calls atomic.Int64
	ways  []func(w http.ResponseWriter, page string)
}

const (
	waywardPages   = 5
	waywardRecords = 300 // of a page
)

func (s *wayward) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	switch operation {
	case "GetShardIterator":
		_, _ = io.WriteString(w, `{"ShardIterator":"0"}`)
		return
	case "ListShards":
		_, _ = io.WriteString(w, `{"Shards":[{"ShardId":"s0","SequenceNumberRange":{"StartingSequenceNumber":"1","EndingSequenceNumber":"9"}},{"ShardId":"s1","ParentShardId":"s0","SequenceNumberRange":{"StartingSequenceNumber":"10"}}]}`)
		return
	}
	_, at, _ := strings.Cut(string(body), `"ShardIterator":"`)
	at, _, _ = strings.Cut(at, `"`)
	n, _ := strconv.Atoi(at)
	s.ways[int(s.calls.Add(1)-1)%len(s.ways)](w, page(n))
}

// page is the n-th page; the last one ends the shard.
func page(n int) string {
	var b strings.Builder
	b.WriteString(`{"MillisBehindLatest":1,"Records":[`)
	for i := range waywardRecords {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, `{"SequenceNumber":"%d","PartitionKey":"k","Data":"%s"}`, 1+n*waywardRecords+i, strings.Repeat("QUJD", 100))
	}
	b.WriteString(`]`)
	if n < waywardPages-1 {
		fmt.Fprintf(&b, `,"NextShardIterator":"%d"`, n+1)
	}
	b.WriteString(`}`)
	return b.String()
}

// Whatever comes to harm on the way from the service, each record is read once.
func TestRecordsThroughHarm(t *testing.T) {
	t.Parallel()
	html := func(status int) func(http.ResponseWriter, string) {
		return func(w http.ResponseWriter, _ string) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "<html>sorry</html>")
		}
	}
	text := func(body string) func(http.ResponseWriter, string) {
		return func(w http.ResponseWriter, _ string) { _, _ = io.WriteString(w, body) }
	}
	s := &wayward{ways: []func(http.ResponseWriter, string){
		html(http.StatusOK), html(http.StatusBadGateway), html(http.StatusForbidden), html(http.StatusNoContent),
		func(w http.ResponseWriter, _ string) {
			w.Header().Set("Location", "/sorry")
			w.WriteHeader(http.StatusFound)
		},
		text(""), text("{}"), text("[]"), text(`{"ShardIterator":"i"}`), text(failure("InternalFailure")),
		func(w http.ResponseWriter, page string) { // it ends early, and that cannot be seen from HTTP
			_, _ = io.WriteString(w, page[:len(page)/2])
		},
		func(w http.ResponseWriter, page string) { // less than was told
			w.Header().Set("Content-Length", strconv.Itoa(len(page)))
			_, _ = io.WriteString(w, page[:len(page)-1])
		},
		func(w http.ResponseWriter, page string) { // pieces that end without the end
			_, _ = io.WriteString(w, page)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
		func(w http.ResponseWriter, page string) { // twice
			_, _ = io.WriteString(w, page+page)
		},
		func(w http.ResponseWriter, page string) { // the last record's data is no base64
			_, _ = io.WriteString(w, page[:strings.LastIndex(page, "QUJD")]+"QU-D"+page[strings.LastIndex(page, "QUJD")+4:])
		},
		func(w http.ResponseWriter, page string) { // compressed, and nobody asked for it
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, page[:len(page)/2])
			_ = z.Close()
		},
		text("null"),
		func(w http.ResponseWriter, page string) { _, _ = io.WriteString(w, page) },
	}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	for _, o := range []kinesissource.Options{{}, {CBOR: true}} {
		o.NoRateLimit, o.PollInterval = true, 0
		api := kinesis.New(kinesis.Options{Region: "us-east-1", Credentials: localKey(), BaseEndpoint: aws.String(server.URL), Retryer: aws.NopRetryer{}})
		r := newSource(t, api, o).Open("s0", trimHorizon())
		want := 1
		for tries := 0; ; tries++ {
			p, err := r.Next(t.Context(), kcl.Room{})
			if err != nil {
				if tries > waywardPages*len(s.ways) {
					t.Fatal(err)
				}
				continue
			}
			for i := range p.Records {
				if rec := p.Records[i]; rec.SequenceNumber != strconv.Itoa(want) || string(rec.Data) != strings.Repeat("ABC", 100) || rec.PartitionKey != "k" {
					t.Fatalf("record %d is %+v", want, rec)
				}
				want++
			}
			if p.Release != nil {
				p.Release()
			}
			if p.End {
				break
			}
		}
		if want != 1+waywardPages*waywardRecords {
			t.Errorf("with %+v: %d records", o, want-1)
		}
	}
}
