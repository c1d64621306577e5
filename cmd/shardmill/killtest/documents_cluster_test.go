//go:build search

package killtest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"
)

// indexName is what the names of all indices begin with.
const indexName = "killed"

// cluster is a server that others wrote.
type cluster struct {
	t      *testing.T
	url    string
	script string
	kind   string // TypeName; "" for none
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, url: os.Getenv("SEARCH_ENDPOINT"), script: os.Getenv("SEARCH_SCRIPT")}
	if c.url == "" || c.script == "" {
		t.Fatal("SEARCH_ENDPOINT or SEARCH_SCRIPT is not set; run scripts/search.sh")
	}
	of := mapping
	if os.Getenv("SEARCH_SERVER") == "elasticsearch" {
		c.kind = "log"
		of = `{"log":` + mapping + `}`
	}
	c.ask(http.MethodDelete, "/"+indexName+"-*", "", nil)
	c.ask(http.MethodPut, "/_template/"+indexName, `{"index_patterns":["`+indexName+`-*"],"settings":{"number_of_shards":2,"number_of_replicas":0},"mappings":`+of+`}`, nil)
	return c
}

// ask makes a request, and reads its answer.
func (c *cluster) ask(method, path, body string, into any) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Timeout: time.Minute}).Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		c.t.Fatalf("%s %s: %d %.1000s, %v", method, path, resp.StatusCode, text, err)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(text, into); err != nil {
		c.t.Fatal(err)
	}
}

// do has the script of the server kill or restart it.
func (c *cluster) do(verb string) {
	c.t.Helper()
	if out, err := exec.CommandContext(c.t.Context(), c.script, verb).CombinedOutput(); err != nil {
		c.t.Fatalf("%s %s: %v: %s", c.script, verb, err, out)
	}
}

// hit is a document that the cluster has.
type hit struct {
	Index  string          `json:"_index"`
	Kind   string          `json:"_type"`
	ID     string          `json:"_id"`
	Source json.RawMessage `json:"_source"`
}

// each reads all documents of all indices.
func (c *cluster) each(look func(hit)) (all int) {
	c.t.Helper()
	var page struct {
		ScrollID string `json:"_scroll_id"`
		TimedOut bool   `json:"timed_out"`
		Shards   struct {
			Failed int `json:"failed"`
		} `json:"_shards"`
		Hits struct {
			Hits []hit `json:"hits"`
		} `json:"hits"`
	}
	c.ask(http.MethodPost, "/"+indexName+"-*/_refresh", "", nil)
	c.ask(http.MethodPost, "/"+indexName+"-*/_search?scroll=2m", `{"size":5000,"sort":["_doc"]}`, &page)
	for len(page.Hits.Hits) > 0 {
		if page.TimedOut || page.Shards.Failed > 0 {
			c.t.Fatalf("not all shards answered: %+v", page.Shards)
		}
		for _, h := range page.Hits.Hits {
			look(h)
		}
		all += len(page.Hits.Hits)
		next := fmt.Sprintf(`{"scroll":"2m","scroll_id":%q}`, page.ScrollID)
		page.Hits.Hits = nil
		c.ask(http.MethodPost, "/_search/scroll", next, &page)
	}
	var counted struct{ Count int }
	if c.ask(http.MethodGet, "/"+indexName+"-*/_count", "", &counted); counted.Count != all {
		c.t.Errorf("%d documents were read; the cluster counts %d", all, counted.Count)
	}
	return all
}
