package clusterd_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/shardmill/shardmill/localaws/internal/clusterd"
)

// FuzzBulk sends bodies to each kind of engine. Whatever comes, the answer is JSON, has
// an item for each that has an effect, and what was indexed is a JSON object.
func FuzzBulk(f *testing.F) {
	for _, seed := range []string{
		`{"index":{"_index":"a","_type":"t","_id":"1"}}` + "\n" + `{"n":1,"o":{"p":[1,{"q":"x"}]},"d":"2026-01-02","a.b":1.5}` + "\n",
		`{"create":{"_index":"a","_id":"1"}}` + "\n" + `{"n":1}{"n":2}` + "\n",
		`{"delete":{"_index":"a","_id":"1"}}` + "\n",
		`{"index":{"_index":"a","version":3,"version_type":"external","routing":7,"pipeline":null}}` + "\n" + `{"n":1e400,"n":2}` + "\n",
		`{"index":{"_index":"","_id":""}}` + "\n{\"\":{}}\n", "{}\n{}\n", "[]\n", "\n\n", "{\"index\":{}", `{"index":{"_index":"a"}}` + "\n{\"\xff\":[[[]]]}\n",
	} {
		f.Add([]byte(seed), "errors,items.*.status")
		f.Add([]byte(seed), "")
	}
	f.Fuzz(func(t *testing.T, body []byte, paths string) {
		for _, engine := range []string{"Elasticsearch_6.8", "Elasticsearch_7.10", "OpenSearch_2.19", "OpenSearch_3.1"} {
			s, err := clusterd.New(clusterd.Options{Engine: engine})
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/_bulk", bytes.NewReader(body))
			q := r.URL.Query()
			q.Set("filter_path", paths)
			r.URL.RawQuery = q.Encode()
			r.Header.Set("Content-Type", "application/x-ndjson")
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if !json.Valid(w.Body.Bytes()) {
				t.Errorf("%s answers %d: %q", engine, w.Code, w.Body)
			}
			for _, name := range s.Indices() {
				for _, d := range s.Documents(name) {
					if source := bytes.TrimSpace(d.Source); !json.Valid(source) || source[0] != '{' {
						t.Errorf("%s has the document %q", engine, d.Source)
					}
				}
			}
		}
	})
}
