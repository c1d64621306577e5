package esarchive_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/processors/esarchive"
)

// canned is a cluster that answers by path: a status and a body. It is a transport.
type canned struct {
	mu      sync.Mutex // guards what follows
	answers map[string]string
	asked   []string
}

// RoundTrip implements http.RoundTripper. What has no answer has 404.
func (c *canned) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	c.asked = append(c.asked, r.Method+" "+r.URL.EscapedPath())
	answer, ok := c.answers[r.URL.EscapedPath()]
	c.mu.Unlock()
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
	}
	status, body, _ := strings.Cut(answer, " ")
	switch {
	case !ok:
		return respond(404, strings.NewReader(`{"error":"no handler","status":404}`)), nil
	case status == "never":
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	code := 0
	_, _ = fmt.Sscan(status, &code)
	return respond(code, strings.NewReader(body)), nil
}

func (c *canned) set(path, answer string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers[path] = answer
}

func (c *canned) requests() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.asked...)
}

// What servers answered: OpenSearch 2.19.5 and Elasticsearch 6.8.23.
const (
	nodes219 = `200 {"nodes":{"B8kMC4klQcCKrZis3MWmzg":{"version":"2.19.5","build_type":"unknown","http":{"max_content_length_in_bytes":104857600}}}}`
	nodes68  = `200 {"nodes":{"oz2HpsJxTSKITfzhgBIQSQ":{"version":"6.8.23","build_flavor":"default","build_type":"zip","http":{"max_content_length_in_bytes":104857600}}}}`
	root219  = `200 {"name":"referee","version":{"distribution":"opensearch","number":"2.19.5","build_type":"unknown"},"tagline":"The OpenSearch Project: https://opensearch.org/"}`
	root68   = `200 {"name":"referee","version":{"number":"6.8.23","build_flavor":"default","build_type":"zip"},"tagline":"You Know, for Search"}`
	compat   = `200 {"name":"x","version":{"number":"7.10.2","build_type":"tar"},"tagline":"The OpenSearch Project: https://opensearch.org/"}`
	refused  = `403 {"Message":"User: arn:aws:sts::1:assumed-role/x is not authorized to perform: es:ESHttpGet"}`
)

// TestCluster: what is known by what a cluster says of itself, or does not.
func TestCluster(t *testing.T) {
	t.Parallel()
	const mib100, mib10 = 104857600, 10 << 20
	cluster := func(engine string, major, minor int, content int64) esarchive.ClientCluster {
		return esarchive.ClientCluster{Engine: engine, Major: major, Minor: minor, MaxContent: content}
	}
	unknown := cluster("", 0, 0, mib10)
	for name, row := range map[string]struct {
		nodes, root, engine string
		want                esarchive.ClientCluster
		logs                string
	}{
		"OpenSearch 2.19":        {nodes219, root219, "", cluster("OpenSearch", 2, 19, mib100), "cluster found"},
		"Elasticsearch 6.8":      {nodes68, root68, "", cluster("Elasticsearch", 6, 8, mib100), "cluster found"},
		"the nodes are denied":   {refused, root68, "", cluster("Elasticsearch", 6, 8, mib10), "cluster does not say all that it is"},
		"denied, OpenSearch":     {refused, root219, "", cluster("OpenSearch", 2, 19, mib10), "cluster does not say all that it is"},
		"compatibility mode":     {refused, compat, "", cluster("OpenSearch", 0, 0, mib10), "cluster does not say all that it is"},
		"all is denied":          {refused, refused, "", unknown, "cluster does not say all that it is"},
		"denied, but configured": {refused, refused, "Elasticsearch_6.8", cluster("Elasticsearch", 6, 8, mib10), "cluster does not say all that it is"},
		"nothing is there":       {"404 ", "404 ", "OpenSearch_1.3", cluster("OpenSearch", 1, 3, mib10), "cluster does not say all that it is"},
		"a proxy":                {"200 <html>", "200 <html>", "", unknown, "cluster does not say all that it is"},
		"a redirect":             {"302 ", "302 ", "", unknown, "cluster does not say all that it is"},
		"no versions":            {`200 {"nodes":{"a":{"http":{"max_content_length_in_bytes":1000}}}}`, root68, "", cluster("Elasticsearch", 6, 8, 1000), "cluster does not say all that it is"},
		"it contradicts":         {nodes219, root219, "Elasticsearch_7.10", cluster("OpenSearch", 2, 19, mib100), "cluster found, cluster is not what Engine says"},
		"it is another minor":    {nodes219, root219, "OpenSearch_2.17", cluster("OpenSearch", 2, 19, mib100), "cluster found"},
		"nobody answers":         {"never", "never", "", unknown, "cluster did not answer what it is"},
		"nobody, but configured": {"503 ", root68, "OpenSearch_2.19", cluster("OpenSearch", 2, 19, mib10), "cluster did not answer what it is"},
		"the nodes never answer": {"never", root219, "", unknown, "cluster did not answer what it is"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				core, logs := observer.New(zapcore.DebugLevel)
				server := &canned{answers: map[string]string{"/_nodes": row.nodes, "/": row.root}}
				x := newClient(t, "https://cluster.example", func(c *esarchive.Config) { c.Transport, c.Engine, c.Logger = server, row.engine, zap.New(core) })
				begun := time.Now()
				if diff := cmp.Diff(row.want, x.Cluster(t.Context())); diff != "" {
					t.Error(diff)
				}
				if took := time.Since(begun); took > 10*time.Second {
					t.Errorf("it took %v", took)
				}
				var told []string
				for _, l := range logs.All() {
					told = append(told, l.Message)
				}
				if got := strings.Join(told, ", "); got != row.logs {
					t.Errorf("logged: %s", got)
				}
				asked := len(server.requests())
				time.Sleep(29 * time.Second)
				_ = x.Cluster(t.Context())
				if len(server.requests()) != asked {
					t.Error("it is asked again")
				}
			})
		})
	}
}

// A cluster that did not say what it is is asked again after 30 s, whether it did not answer
// or refused, and one that said never. A refusal is logged once.
func TestClusterIsAskedAgain(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		first string
		asked int
		logs  int
	}{
		"no answer": {"503 ", 4, 4}, // at each try
		"a refusal": {refused, 7, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				core, logs := observer.New(zapcore.InfoLevel)
				server := &canned{answers: map[string]string{"/_nodes": row.first, "/": refused}}
				x := newClient(t, "https://cluster.example", func(c *esarchive.Config) { c.Transport, c.Logger = server, zap.New(core) })
				for i, want := range []string{"", "", "", "Elasticsearch", "Elasticsearch"} {
					if i == 3 {
						server.set("/_nodes", nodes68)
					}
					if got := x.Cluster(t.Context()).Engine; got != want {
						t.Errorf("%d: %q, want %q", i, got, want)
					}
					time.Sleep(31 * time.Second)
				}
				if n := len(server.requests()); n != row.asked {
					t.Errorf("it was asked %d times", n)
				}
				if logs.Len() != row.logs {
					t.Errorf("logged: %v", logs.All())
				}
			})
		})
	}
}

// What DescribeDomain said counts where nothing else is known, and not before what the
// cluster says.
func TestEngineOfADomain(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ nodes, engine, domain, want string }{
		"nothing else is known": {refused, "", "Elasticsearch_6.8", "Elasticsearch"},
		"Engine is set":         {refused, "OpenSearch_2.19", "Elasticsearch_6.8", "OpenSearch"},
		"the cluster says":      {nodes219, "", "Elasticsearch_6.8", "OpenSearch"},
		"it is another text":    {refused, "", "Lucene", ""},
	} {
		server := &canned{answers: map[string]string{"/_nodes": row.nodes, "/": refused}}
		x := newClient(t, "https://cluster.example", func(c *esarchive.Config) { c.Transport, c.Engine, c.DomainEngine = server, row.engine, row.domain })
		if got := x.Cluster(t.Context()).Engine; got != row.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// A cluster that did not answer is asked again at once when documents are refused: it may be
// back, and want types. It is told once in 30 s that it did not.
func TestClusterIsAskedWhenDocumentsFail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &canned{answers: map[string]string{"/_nodes": "503 ", "/_bulk": "503 "}}
		core, logs := observer.New(zap.InfoLevel)
		x := newClient(t, "https://cluster.example", func(c *esarchive.Config) { c.Transport, c.Logger = server, zap.New(core) })
		for range 3 {
			_ = x.Cluster(t.Context())
			if got := x.Cluster(t.Context()).Engine; got != "" {
				t.Errorf("it is %q", got)
			}
			if _, f := x.Bulk(t.Context(), []byte("{}\n{}\n"), 1); f == nil {
				t.Error("documents are taken")
			}
		}
		server.set("/_nodes", nodes68)
		for range 2 {
			if got := x.Cluster(t.Context()).Engine; got != "Elasticsearch" {
				t.Errorf("it is %q", got)
			}
			_, _ = x.Bulk(t.Context(), []byte("{}\n{}\n"), 1)
		}
		if asked := len(server.requests()) - 5; asked != 4 {
			t.Errorf("it was asked %d times", asked)
		}
		if n := logs.FilterMessage("cluster did not answer what it is").Len(); n != 1 {
			t.Errorf("it was told %d times that it did not answer", n)
		}
	})
}

// All shards wait for one probe; one whose lease is lost does not, and leaves it to others.
func TestOneProbeAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &canned{answers: map[string]string{"/_nodes": "never"}}
		x := newClient(t, "https://cluster.example", func(c *esarchive.Config) { c.Transport = server })
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = x.Cluster(ctx) })
		synctest.Wait()
		engines := make([]string, 8)
		for i := range engines {
			wg.Go(func() { engines[i] = x.Cluster(t.Context()).Engine })
		}
		gone := make(chan time.Time, 1)
		wg.Go(func() {
			_ = x.Cluster(ctx)
			gone <- time.Now()
		})
		synctest.Wait()
		if n := len(server.requests()); n != 1 {
			t.Errorf("%d requests at once", n)
		}
		server.set("/_nodes", nodes68)
		canceled := time.Now()
		cancel()
		wg.Wait()
		if got := fmt.Sprint(engines); got != fmt.Sprint(strings.Fields(strings.Repeat("Elasticsearch ", 8))) || <-gone != canceled {
			t.Errorf("they got %s", got)
		}
		if n := len(server.requests()); n != 2 {
			t.Errorf("%d requests", n)
		}
	})
}

// A collection has no nodes, and is never asked.
func TestServerlessIsNeverAsked(t *testing.T) {
	t.Parallel()
	server := &canned{}
	x := newClient(t, "https://abc.us-east-1.aoss.amazonaws.com", func(c *esarchive.Config) { c.Transport, c.Service = server, esarchive.Serverless })
	if got := x.Cluster(t.Context()); got.Major != 0 || got.MaxContent != 10<<20 || len(server.requests()) > 0 {
		t.Errorf("%+v, asked %v", got, server.requests())
	}
}

// TestNodes: of several nodes the lowest version, and the least that one takes.
func TestNodes(t *testing.T) {
	t.Parallel()
	node := func(version, more string) string {
		return fmt.Sprintf(`%q:{"version":%q%s}`, version+more, version, more)
	}
	const flavor, small = `,"build_flavor":"default"`, `,"http":{"max_content_length_in_bytes":1048576}`
	for name, row := range map[string]struct {
		nodes []string
		want  esarchive.ClientCluster
		told  bool
	}{
		"mixed 6 and 7":               {[]string{node("7.17.0", flavor), node("6.8.23", flavor), node("7.10.2", flavor)}, esarchive.ClientCluster{Engine: "Elasticsearch", Major: 6, Minor: 8, MaxContent: 10 << 20}, true},
		"mixed 2.9 and 2.19":          {[]string{node("2.19.0", ""), node("2.9.0", "")}, esarchive.ClientCluster{Engine: "OpenSearch", Major: 2, Minor: 9, MaxContent: 10 << 20}, true},
		"Elasticsearch to OpenSearch": {[]string{node("1.3.0", ""), node("7.10.2", flavor)}, esarchive.ClientCluster{Engine: "Elasticsearch", Major: 7, Minor: 10, MaxContent: 10 << 20}, true},
		"the least of their limits":   {[]string{node("2.19.0", small), node("2.19.1", `,"http":{"max_content_length_in_bytes":104857600}`), node("2.19.2", `,"http":{}`)}, esarchive.ClientCluster{Engine: "OpenSearch", Major: 2, Minor: 19, MaxContent: 1 << 20}, true},
		"no flavor, and a number":     {[]string{node("5.6.16", "")}, esarchive.ClientCluster{Engine: "Elasticsearch", Major: 5, Minor: 6, MaxContent: 10 << 20}, true},
		"a snapshot":                  {[]string{node("3.1.0-SNAPSHOT", "")}, esarchive.ClientCluster{Engine: "OpenSearch", Major: 3, Minor: 1, MaxContent: 10 << 20}, true},
		"a limit of nothing":          {[]string{node("2.19.0", `,"http":{"max_content_length_in_bytes":0}`)}, esarchive.ClientCluster{Engine: "OpenSearch", Major: 2, Minor: 19, MaxContent: 10 << 20}, true},
		"no nodes":                    {nil, esarchive.ClientCluster{MaxContent: 10 << 20}, false},
		"no version":                  {[]string{node("x", "")}, esarchive.ClientCluster{MaxContent: 10 << 20}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, told := esarchive.ReadNodes([]byte(`{"nodes":{` + strings.Join(row.nodes, ",") + `}}`))
			if diff := cmp.Diff(row.want, got); diff != "" || told != row.told {
				t.Errorf("told %v: %s", told, diff)
			}
		})
	}
}

func TestParseEngine(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		name := rapid.SampledFrom([]string{"OpenSearch", "Elasticsearch"}).Draw(r, "engine")
		major, minor := rapid.IntRange(0, 999).Draw(r, "major"), rapid.IntRange(0, 999).Draw(r, "minor")
		text := fmt.Sprintf("%s_%d.%d", name, major, minor)
		if e, a, b, err := esarchive.ParseEngine(text); e != name || a != major || b != minor || err != nil {
			r.Fatalf("%s is %s %d %d, %v", text, e, a, b, err)
		}
	})
	for _, text := range []string{"", "OpenSearch", "OpenSearch_2", "OpenSearch_2.", "opensearch_2.19", "OpenSearch-2.19", "Elasticsearch_6.8.23", "Solr_9.1", "OpenSearch_2.19\n", "OpenSearch_-1.0", "OpenSearch_1e2.0"} {
		if e, _, _, err := esarchive.ParseEngine(text); err == nil || e != "" || !strings.Contains(err.Error(), "must be like OpenSearch_2.19") {
			t.Errorf("%q is %q, %v", text, e, err)
		}
	}
}
