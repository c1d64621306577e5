package kinesisd_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/shardmill/shardmill/localaws/internal/kinesisd"
)

// discardWriter counts what it is given.
type discardWriter struct {
	header http.Header
	bytes  int
}

func (w *discardWriter) Header() http.Header { return w.header }

func (w *discardWriter) WriteHeader(int) {}

func (w *discardWriter) Write(p []byte) (int, error) {
	w.bytes += len(p)
	return len(p), nil
}

// post sends a body and returns the size of the answer.
func post(server http.Handler, operation string, body []byte) int {
	r, _ := http.NewRequest(http.MethodPost, "/", bytes.NewReader(body)) //nolint:noctx // never leaves the process
	r.Header.Set("X-Amz-Target", "Kinesis_20131202."+operation)
	w := &discardWriter{header: http.Header{}}
	server.ServeHTTP(w, r)
	return w.bytes
}

// BenchmarkPutAndGet puts 500 records of a size, reads them and discards them,
// through the handler. MB/s are of record data.
func BenchmarkPutAndGet(b *testing.B) {
	for _, size := range []int{100, 666, 1024, 10 << 10} {
		b.Run(fmt.Sprintf("records of %d bytes", size), func(b *testing.B) {
			server := newServer(b, kinesisd.Options{}, 1)
			records := make([]fields, 500)
			for i := range records {
				records[i] = fields{"PartitionKey": fmt.Sprintf("user-%06d", i*7919), "Data": bytes.Repeat([]byte{byte(i)}, size)}
			}
			body, err := json.Marshal(fields{"StreamName": orders, "Records": records})
			if err != nil {
				b.Fatal(err)
			}
			it := iterator(b, server, shard0, "LATEST")
			b.SetBytes(int64(size * len(records)))
			b.ReportAllocs()
			for b.Loop() {
				post(server, "PutRecords", body)
				if n := post(server, "GetRecords", fmt.Appendf(nil, `{"ShardIterator":%q}`, it)); n < size*len(records) {
					b.Fatalf("an answer of %d bytes", n)
				}
				server.Trim(orders, shard0, "")
			}
		})
	}
}
