package esarchive_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/shardmill/shardmill/processors/esarchive"
)

// What servers answered; see cluster_test.go.
const (
	emptyBulk    = `400 {"error":{"root_cause":[],"type":"action_request_validation_exception","reason":"Validation Failed: 1: no requests added;"},"status":400}`
	absent       = `404 {"error":{"root_cause":[],"type":"index_not_found_exception","reason":"no such index [orders]","index":"orders"},"status":404}`
	goodSettings = `200 {"defaults":{"action":{"auto_create_index":"true"},"rest":{"action":{"multi":{"allow_explicit_index":"true"}}}}}`
	mapped       = `200 {"orders":{"mappings":{"properties":{"n":{"type":"long"}}}}}`
	mapped6      = `200 {"orders":{"mappings":{"log":{"properties":{"n":{"type":"long"}}}}}}`
	behind       = `200 {"a1":{"mappings":{}},"a2":{"mappings":{}}}`
)

// TestLooks: each look says what it found, or what to do.
func TestLooks(t *testing.T) {
	t.Parallel()
	all := func(more ...string) map[string]string {
		m := map[string]string{"/_nodes": nodes219, "/": root219, "/orders/_mapping": mapped, "/_cluster/settings": goodSettings, "/_bulk": emptyBulk}
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	settings := func(auto, explicit string) string {
		return fmt.Sprintf(`200 {"persistent":{"action":{"auto_create_index":%q}},"transient":{"rest":{"action":{"multi":{"allow_explicit_index":%q}}}},"defaults":{"action":{"auto_create_index":"true"},"rest":{"action":{"multi":{"allow_explicit_index":"true"}}}}}`, auto, explicit)
	}
	signed := func(c *esarchive.Config) {
		c.Auth = esarchive.SigV4{Credentials: new(rotating), Region: "us-east-1", Service: "es"}
	}
	none := func(*esarchive.Config) {}
	const permitted = "POST /_bulk: ok: is permitted; whether documents may be written needs a write"
	const fine = "settings of the cluster: ok: rest.action.multi.allow_explicit_index is true, action.auto_create_index is true"
	const found = "cluster cluster.example: ok: OpenSearch 2.19, requests of at most 104857600 bytes"
	const exists = "index orders: ok: exists, and its mapping can be read"
	for name, row := range map[string]struct {
		answers map[string]string
		change  func(*esarchive.Config)
		want    []string // a prefix of each, or with … before what it has in it
	}{
		"all is well": {all(), none, []string{found, exists, fine, permitted}},
		"the index is not there": {
			all("/orders/_mapping", absent), none,
			[]string{found, "index orders: ok: does not exist; the first document creates it", fine, permitted},
		},
		"the index is not there, and will not be": {
			all("/orders/_mapping", absent, "/_cluster/settings", settings("false", "true")), none,
			[]string{found, "index orders: ok: does not exist", "settings of the cluster: wrong: …no document creates an index; create them yourself, or set action.auto_create_index", permitted},
		},
		"the index is there, and another will not be": {
			all("/_cluster/settings", settings("false", "true")), func(c *esarchive.Config) { c.IndexRotationPeriod = esarchive.OneDay },
			[]string{found, exists, "settings of the cluster: wrong: …no document creates an index", permitted},
		},
		"the index is there, and no other is needed": {
			all("/_cluster/settings", settings("false", "true")), func(c *esarchive.Config) { c.IndexRotationPeriod = esarchive.NoRotation },
			[]string{found, exists, "settings of the cluster: ok", permitted},
		},
		"no index can be named": {
			all("/_cluster/settings", settings("true", "false")), none,
			[]string{found, exists, "settings of the cluster: wrong: …set rest.action.multi.allow_explicit_index to true. Firehose's code is OS.ExplicitIndexInBulkNotAllowed", permitted},
		},
		"an alias of several": {
			all("/orders/_mapping", behind, "/orders/_alias", `200 {"a2":{"aliases":{"orders":{}}},"a1":{"aliases":{"orders":{"is_write_index":false}}}}`), none,
			[]string{found, "index orders: wrong: it is an alias of several indices, a1, a2, none of which is the one to write to: set is_write_index for one. Firehose's code is OS.AliasWithMultipleIndicesNotAllowed", fine, permitted},
		},
		"an alias with an index to write to": {
			all("/orders/_mapping", behind, "/orders/_alias", `200 {"a2":{"aliases":{"orders":{"is_write_index":true}}},"a1":{"aliases":{"orders":{}}}}`), none,
			[]string{found, "index orders: ok: is an alias of a1, a2", fine, permitted},
		},
		"an alias of one": {
			all("/orders/_mapping", `200 {"a1":{"mappings":{}}}`, "/orders/_alias", `200 {"a1":{"aliases":{"orders":{}}}}`), none,
			[]string{found, "index orders: ok: is an alias of a1", fine, permitted},
		},
		"a data stream, by index": {
			all("/orders/_mapping", `200 {".ds-orders-000001":{"mappings":{}}}`, "/orders/_alias", absent), none,
			[]string{found, "index orders: wrong: is a data stream, which takes no documents by index: set Operation to OpCreate", fine, permitted},
		},
		"a data stream, by create": {
			all("/orders/_mapping", `200 {".ds-orders-000001":{"mappings":{}}}`, "/orders/_alias", absent), func(c *esarchive.Config) { c.Operation = esarchive.OpCreate },
			[]string{found, "index orders: ok: is a data stream", fine, permitted},
		},
		"a type on OpenSearch": {
			all(), func(c *esarchive.Config) { c.TypeName = "log" },
			[]string{found, `TypeName: wrong: is "log", and OpenSearch 2.19 has no mapping types: set it to "". Firehose says: Types are deprecated in Elasticsearch version 7+ and all OpenSearch versions. TypeName must be empty.`, exists, fine, permitted},
		},
		"a type on Elasticsearch 6": {
			all("/_nodes", nodes68, "/orders/_mapping", mapped6), func(c *esarchive.Config) { c.TypeName = "log" },
			[]string{"cluster cluster.example: ok: Elasticsearch 6.8", `TypeName: ok: is "log", and Elasticsearch 6.8 has mapping types`, exists, fine, permitted},
		},
		"no type on Elasticsearch 6": {
			all("/_nodes", nodes68, "/orders/_mapping", mapped6), none,
			[]string{"cluster cluster.example: ok: Elasticsearch 6.8", "TypeName: wrong: is empty, and Elasticsearch 6.8 wants a mapping type: set TypeName, such as to _doc", exists, fine, permitted},
		},
		"another type on Elasticsearch 6": {
			all("/_nodes", nodes68, "/orders/_mapping", mapped6), func(c *esarchive.Config) { c.TypeName = "event" },
			[]string{"cluster cluster.example: ok: Elasticsearch 6.8", "TypeName: ok", "index orders: wrong: has the mapping type log, and can have no second one: set TypeName to that", fine, permitted},
		},
		"a type on nobody knows what": {
			all("/_nodes", refused, "/", refused), func(c *esarchive.Config) { c.TypeName = "log" },
			[]string{"cluster cluster.example: not checked: it does not say what it is: GET /_nodes: …permit es:ESHttpGet on it", "TypeName: not checked: it is not known whether", exists, fine, permitted},
		},
		"nothing may be read": {
			all("/_nodes", refused, "/", refused, "/orders/_mapping", refused, "/_cluster/settings", refused), signed,
			[]string{"cluster cluster.example: not checked: ", "index orders: not checked: …; permit es:ESHttpGet on /orders/_mapping, and check the domain's access policy; delivery does not need it", "settings of the cluster: not checked: …; permit es:ESHttpGet on /_cluster/settings", permitted},
		},
		"nothing may be written": {
			all("/_bulk", refused), signed,
			[]string{found, exists, fine, "POST /_bulk: wrong: the cluster answered 403 Forbidden: …; permit es:ESHttpPost on /_bulk, and check the domain's access policy"},
		},
		"not by the password": {
			all("/_bulk", "401 "), none,
			[]string{found, exists, fine, "POST /_bulk: wrong: the cluster answered 401 Unauthorized; permit POST /_bulk"},
		},
		"no bulk requests": {
			all("/_bulk", "404 "), none,
			[]string{found, exists, fine, "POST /_bulk: wrong: the cluster answered 404 Not Found"},
		},
		"a gateway breaks": {
			all("/orders/_mapping", "502 ", "/_cluster/settings", "200 <html>"), none,
			[]string{found, "index orders: wrong: the cluster answered 502 Bad Gateway", "settings of the cluster: not checked: the answer is not what /_cluster/settings answers", permitted},
		},
		"nobody answers": {all("/_nodes", "503 "), none, []string{"cluster cluster.example: wrong: the cluster answered 503 Service Unavailable"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &canned{answers: row.answers}
			x := newClient(t, "https://cluster.example", func(c *esarchive.Config) {
				c.Transport = server
				row.change(c)
			})
			looks := x.Looks(t.Context(), "orders")
			isWrong := slices.ContainsFunc(looks, func(l esarchive.Look) bool { return l.Status == esarchive.LookWrong })
			if err := x.Check(t.Context(), "orders"); (err != nil) != isWrong {
				t.Errorf("the check says %v", err)
			}
			if len(looks) != len(row.want) {
				t.Fatalf("%+v", looks)
			}
			for i, l := range looks {
				before, within, _ := strings.Cut(row.want[i], "…")
				got := fmt.Sprintf("%s: %s: %s", l.What, l.Status, l.Text)
				if !strings.HasPrefix(got, before) || !strings.Contains(got, within) {
					t.Errorf("%s\nwant %s", got, row.want[i])
				}
			}
		})
	}
}

// Of several endpoints each is looked at, and one that answers is enough for the others.
func TestLooksAtEndpoints(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		dead string
		want string
	}{
		"one is dead": {"a.example", `endpoint a.example: wrong: the connection to the cluster broke before all of the answer had come: broken
endpoint b.example: ok: answers
endpoint c.example: ok: answers
cluster: ok: OpenSearch 2.19, requests of at most 104857600 bytes
index orders: ok: exists, and its mapping can be read`},
		"all are dead": {".example", `endpoint a.example: wrong: the connection to the cluster broke before all of the answer had come: broken
endpoint b.example: wrong: the connection to the cluster broke before all of the answer had come: broken
endpoint c.example: wrong: the connection to the cluster broke before all of the answer had come: broken
cluster: wrong: the connection to the cluster broke before all of the answer had come: broken`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &canned{answers: map[string]string{"/_nodes": nodes219, "/orders/_mapping": mapped, "/_cluster/settings": goodSettings, "/_bulk": emptyBulk}}
			x := newClient(t, "", over(func(r *http.Request) (*http.Response, error) {
				if strings.HasSuffix(r.Host, row.dead) {
					return nil, errors.New("broken")
				}
				return server.RoundTrip(r)
			}), func(c *esarchive.Config) {
				c.Endpoints = []string{"https://a.example", "https://b.example", "https://c.example"}
			})
			var got []string
			for _, l := range x.Looks(t.Context(), "orders") {
				got = append(got, fmt.Sprintf("%s: %s: %s", l.What, l.Status, l.Text))
			}
			if text := strings.Join(got[:min(5, len(got))], "\n"); text != row.want {
				t.Errorf("%s\nwant\n%s", text, row.want)
			}
		})
	}
}

// A collection is asked for the index alone, and what needs a write is said.
func TestLooksAtCollection(t *testing.T) {
	t.Parallel()
	server := &canned{answers: map[string]string{"/orders/_mapping": `403 {"status":403,"error":{"reason":"403 Forbidden","type":"Forbidden"}}`}}
	x := newClient(t, "https://abc.us-east-1.aoss.amazonaws.com", func(c *esarchive.Config) { c.Transport, c.Service = server, esarchive.Serverless })
	var got []string
	for _, l := range x.Looks(t.Context(), "orders") {
		got = append(got, fmt.Sprintf("%s: %s: %s", l.What, l.Status, l.Text))
	}
	want := `cluster abc.us-east-1.aoss.amazonaws.com: not checked: a collection of OpenSearch Serverless has no version to ask for
index orders: not checked: the cluster answered 403 Forbidden: Forbidden: 403 Forbidden; permit aoss:APIAccessAll on the collection, and aoss:DescribeIndex in its data access policy; delivery does not need it
POST /_bulk: not checked: aoss:APIAccessAll on the collection, and aoss:WriteDocument, UpdateIndex and CreateIndex in its data access policy: needs a write`
	if text := strings.Join(got, "\n"); text != want || fmt.Sprint(server.requests()) != "[GET /orders/_mapping]" {
		t.Errorf("%s\nasked were %v", text, server.requests())
	}
}

// TestLooksWriteNothing: what is sent has no document, and an index's name cannot lead
// elsewhere.
func TestLooksWriteNothing(t *testing.T) {
	t.Parallel()
	var sent []string
	x := newClient(t, "https://cluster.example", over(func(r *http.Request) (*http.Response, error) {
		body := []byte{}
		if r.Body != nil {
			body, _ = io.ReadAll(r.Body)
		}
		sent = append(sent, fmt.Sprintf("%s %s %q", r.Method, r.URL.EscapedPath(), body))
		answer := map[string]string{"/_nodes": nodes219, "/_bulk": emptyBulk}[r.URL.Path]
		if answer == "" {
			answer = `200 {"x":{}}`
		}
		_, text, _ := strings.Cut(answer, " ")
		return respond(200, strings.NewReader(text)), nil
	}))
	_ = x.Looks(t.Context(), "a/../_all,b*?x#y")
	want := `GET /_nodes ""
GET /a%2F..%2F_all%2Cb%2A%3Fx%23y/_mapping ""
GET /a%2F..%2F_all%2Cb%2A%3Fx%23y/_alias ""
GET /_cluster/settings ""
POST /_bulk "\n"`
	if got := strings.Join(sent, "\n"); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
