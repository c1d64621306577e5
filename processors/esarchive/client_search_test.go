//go:build search

package esarchive_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/shardmill/shardmill/processors/esarchive"
)

// served is a server that others wrote.
type served struct{ url, engine, kind string }

func searchServer(t *testing.T) served {
	t.Helper()
	s := served{url: os.Getenv("SEARCH_ENDPOINT"), engine: "OpenSearch"}
	if s.url == "" {
		t.Fatal("SEARCH_ENDPOINT is not set; run scripts/search.sh")
	}
	if os.Getenv("SEARCH_SERVER") == "elasticsearch" {
		s.engine, s.kind = "Elasticsearch", `,"_type":"log"`
	}
	return s
}

func (s served) typed(c *esarchive.Config) {
	if s.kind != "" {
		c.TypeName = "log"
	}
}

func (s served) ask(t *testing.T, method, path, body string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %d %s, %v", method, path, resp.StatusCode, text, err)
	}
	return string(text)
}

// TestServerAnswers: bulk requests, compressed or not, and what is refused as a whole.
func TestServerAnswers(t *testing.T) {
	t.Parallel()
	s := searchServer(t)
	for _, isGzip := range []bool{false, true} {
		x := newClient(t, s.url, s.typed, func(c *esarchive.Config) { c.GZIP = isGzip })
		is := x.Cluster(t.Context())
		if is.Engine != s.engine || is.Major == 0 || is.MaxContent != 1<<20 {
			t.Errorf("%+v", is)
		}
		line := func(id string) string {
			return fmt.Sprintf(`{"index":{"_index":"client-answers-%t","_id":%q%s}}`+"\n", isGzip, id, s.kind)
		}
		body := line("1") + `{"n":1}` + "\n" + line("2") + `{"n":"x"}` + "\n" + line("3") + `{"n":3}` + "\n"
		// Shards that meet a field at the same time may each make a mapping of their own of it.
		if _, f := x.Bulk(t.Context(), []byte(line("0")+`{"n":0}`+"\n"), 1); f != nil {
			t.Fatalf("%+v", f)
		}
		a, f := x.Bulk(t.Context(), []byte(body), 3)
		if got := fmt.Sprint(statuses(a)); f != nil || got != "[201 400 201]" || a.Items[1].Kind != "mapper_parsing_exception" || !strings.Contains(a.Items[1].Reason, "; caused by ") {
			t.Errorf("%+v, %+v", a, f)
		}
		if _, f := x.Bulk(t.Context(), []byte(line("1")+`{"n":`+"\n"+"}\n"), 1); f == nil || f.Code != "OS.JsonParseException" || f.Down {
			t.Errorf("%+v", f)
		}
		if _, f := x.Bulk(t.Context(), []byte(strings.Repeat(body, 10_000)), 30_000); !isGzip && (f == nil || !f.TooLarge && f.Code != "OS.ConnectionReset") {
			t.Errorf("a body of %d bytes: %+v", 10_000*len(body), f)
		}
	}
}

// TestServerLooks: what looks find, and that they write nothing.
func TestServerLooks(t *testing.T) {
	t.Parallel()
	s := searchServer(t)
	x := newClient(t, s.url, s.typed)
	for _, index := range []string{"client-looks-1", "client-looks-2"} {
		s.ask(t, http.MethodPut, "/"+index, `{"settings":{"number_of_replicas":0}}`)
	}
	s.ask(t, http.MethodPost, "/_aliases", `{"actions":[{"add":{"index":"client-looks-1","alias":"client-several"}},{"add":{"index":"client-looks-2","alias":"client-several"}},{"add":{"index":"client-looks-1","alias":"client-one"}}]}`)
	const state = "/client-*/_stats/docs,indexing?level=shards&filter_path=indices.client-looks-*,indices.client-absent"
	before := s.ask(t, http.MethodGet, state, "")
	for index, want := range map[string]string{
		"client-looks-1": "exists, and its mapping can be read", "client-absent": "does not exist; the first document creates it",
		"client-one": "is an alias of client-looks-1", "client-several": "it is an alias of several indices, client-looks-1, client-looks-2",
	} {
		var told []string
		for _, l := range x.Looks(t.Context(), index) {
			told = append(told, fmt.Sprintf("%s: %s: %s", l.What, l.Status, l.Text))
			if (l.Status != esarchive.LookOK) != strings.Contains(l.Text, "several indices") {
				t.Errorf("%+v", l)
			}
		}
		if got := strings.Join(told, "\n"); !strings.Contains(got, "index "+index) || !strings.Contains(got, want) || !strings.Contains(got, "POST /_bulk: ok") {
			t.Errorf("%s\nwant …%s…", got, want)
		}
	}
	if after := s.ask(t, http.MethodGet, state, ""); after != before || !strings.Contains(after, "client-looks-1") {
		t.Errorf("before: %s\nafter: %s", before, after)
	}
}
