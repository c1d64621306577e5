package esarchive_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/processors/esarchive"
)

// TestConformance has the statements of docs/conformance.md by their numbers, as far as
// they are about what a cluster is sent.
func TestConformance(t *testing.T) {
	t.Parallel()
	conformNames(t)
	conformLines(t)
	conformOutcomes(t)
	conformSigning(t)
}

func conformSigning(t *testing.T) {
	t.Helper()
	for name, row := range map[string]struct {
		service esarchive.Service
		signed  string
	}{
		"E25/es":   {esarchive.OpenSearchService, "es"},
		"E25/es 2": {esarchive.Elasticsearch, "es"},
		"E25/aoss": {esarchive.Serverless, "aoss"},
	} {
		statement(t, name, func(t *testing.T) {
			t.Helper()
			var scopes []string
			c := esarchive.Config{Endpoints: []string{"https://cluster.example"}, Service: row.service, IndexName: "myindex", Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				_, scope := signedBy(t, r)
				scopes = append(scopes, scope)
				if r.Method == http.MethodGet {
					return respond(200, strings.NewReader(`{"nodes":{"a":{"version":"2.19.5"}}}`)), nil
				}
				return respond(200, strings.NewReader(accepted)), nil
			})}
			for _, other := range []string{"es", "aoss", ""} {
				c.Auth = esarchive.SigV4{Credentials: new(rotating), Region: "eu-west-1", Service: other}
				if _, err := esarchive.New(c); (err == nil) != (other == row.signed) {
					t.Errorf("signed for %q: %v", other, err)
				}
			}
			c.Auth = esarchive.SigV4{Credentials: new(rotating), Region: "eu-west-1", Service: row.signed}
			x, err := esarchive.New(c)
			if err != nil {
				t.Fatal(err)
			}
			i := x.Open(input(plain("s", 1)))
			if err := i.Run(t.Context()); err != nil || i.Outcome().Indexed != 1 {
				t.Errorf("%v, %+v", err, i.Outcome())
			}
			for _, scope := range scopes {
				if !strings.HasSuffix(scope, "/eu-west-1/"+row.signed+"/aws4_request") {
					t.Errorf("signed for %s", scope)
				}
			}
		})
	}
}

func statement(t *testing.T, name string, test func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, test)
	})
}

// sent returns the actions by which documents are sent to a cluster that takes all.
func sent(t *testing.T, cfg esarchive.Config, cluster esarchive.Cluster, c cut) []action {
	t.Helper()
	cfg.IndexName = "myindex"
	s := &answering{cluster: cluster, answer: ok}
	runTo(t, cfg, s, c)
	if len(s.requests) != 1 {
		t.Fatalf("%d requests", len(s.requests))
	}
	return s.requests[0]
}

// arriving returns documents that arrived at these times.
func arriving(t *testing.T, at ...string) cut {
	t.Helper()
	c := plain("s", len(at))
	for i := range at {
		var err error
		if c[i].arrival, err = time.Parse(time.RFC3339, at[i]); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func conformNames(t *testing.T) {
	t.Helper()
	for _, row := range []struct {
		name   string
		period esarchive.IndexRotationPeriod
		weeks  esarchive.Weeks
		at     string
		want   string
	}{
		{"E1", esarchive.NoRotation, "", "2016-02-25T13:00:00Z", "myindex"},
		{"E2", esarchive.OneHour, "", "2016-02-25T13:00:00Z", "myindex-2016-02-25-13"},
		{"E3/OneDay", esarchive.OneDay, "", "2016-02-25T13:00:00Z", "myindex-2016-02-25"},
		{"E3/unset", "", "", "2016-02-25T13:00:00Z", "myindex-2016-02-25"},
		{"E4", esarchive.OneMonth, "", "2016-02-25T13:00:00Z", "myindex-2016-02"},
		{"E5/us", esarchive.OneWeek, "", "2016-02-25T13:00:00Z", "myindex-2016-w09"},
		{"E5/iso", esarchive.OneWeek, esarchive.ISOWeeks, "2016-02-25T13:00:00Z", "myindex-2016-w08"},
		{"E6/us", esarchive.OneWeek, esarchive.USWeeks, "2020-08-12T00:00:00Z", "myindex-2020-w33"},
		{"E6/iso", esarchive.OneWeek, esarchive.ISOWeeks, "2020-08-12T00:00:00Z", "myindex-2020-w33"},
		{"E7/us", esarchive.OneWeek, esarchive.USWeeks, "2021-01-03T00:00:00Z", "myindex-2021-w02"},
		{"E7/iso", esarchive.OneWeek, esarchive.ISOWeeks, "2021-01-03T00:00:00Z", "myindex-2020-w53"},
		{"E8", esarchive.OneHour, "", "2016-02-26T07:30:00+09:00", "myindex-2016-02-25-22"},
	} {
		statement(t, row.name, func(t *testing.T) {
			t.Helper()
			if got := sent(t, esarchive.Config{IndexRotationPeriod: row.period, Weeks: row.weeks}, esarchive.Cluster{}, arriving(t, row.at)); got[0].Index != row.want {
				t.Errorf("%s, want %s", got[0].Index, row.want)
			}
		})
	}
	statement(t, "E9", func(t *testing.T) {
		t.Helper()
		got := sent(t, esarchive.Config{IndexRotationPeriod: esarchive.OneHour}, esarchive.Cluster{}, arriving(t, "2016-02-25T12:59:59Z", "2016-02-25T13:00:01Z"))
		if got[0].Index != "myindex-2016-02-25-12" || got[1].Index != "myindex-2016-02-25-13" {
			t.Errorf("%+v", got)
		}
	})
}

func conformLines(t *testing.T) {
	t.Helper()
	statement(t, "E10", func(t *testing.T) {
		t.Helper()
		s := &answering{answer: func(_ context.Context, n int, list []action) ([]esarchive.Item, *esarchive.Fault) {
			return all(list, []int{429, 503, 201}[min(n, 2)]), nil
		}}
		runTo(t, esarchive.Config{IndexName: "myindex"}, s, plain("s", 1))
		again := sent(t, esarchive.Config{}, esarchive.Cluster{}, plain("s", 1)) // redelivered, by another worker
		for _, list := range append(s.requests, again) {
			if list[0].ID != "s0000.0" {
				t.Errorf("%+v", list[0])
			}
		}
		if len(s.requests) != 3 {
			t.Errorf("%d requests", len(s.requests))
		}
	})
	statement(t, "E11", func(t *testing.T) {
		t.Helper()
		if got := sent(t, esarchive.Config{IDs: esarchive.IDs{None: true}}, esarchive.Cluster{}, plain("s", 1)); strings.Contains(got[0].Line, "_id") {
			t.Error(got[0].Line)
		}
	})
	for name, row := range map[string]struct {
		typeName string
		cluster  esarchive.Cluster
		want     string
	}{
		"E12/type":          {"log", esarchive.Cluster{Engine: "Elasticsearch", Major: 6}, `"_type":"log",`},
		"E12/no type":       {"", esarchive.Cluster{Engine: "Elasticsearch", Major: 6}, ""},
		"E12/at 7":          {"log", esarchive.Cluster{Engine: "Elasticsearch", Major: 7}, ""},
		"E12/at OpenSearch": {"log", esarchive.Cluster{Engine: "OpenSearch", Major: 1}, ""},
		"E12/nobody says":   {"log", esarchive.Cluster{}, `"_type":"log",`},
	} {
		statement(t, name, func(t *testing.T) {
			t.Helper()
			got := sent(t, esarchive.Config{TypeName: row.typeName}, row.cluster, plain("s", 1))
			if want := `{"index":{"_index":"myindex-2016-02-25",` + row.want + `"_id":"s0000.0"}}`; got[0].Line != want {
				t.Errorf("%s, want %s", got[0].Line, want)
			}
		})
	}
	statement(t, "E12/refused", func(t *testing.T) {
		t.Helper()
		const text = "Types are deprecated in Elasticsearch version 7+ and all OpenSearch versions. TypeName must be empty."
		for _, engine := range []string{"Elasticsearch_7.10", "OpenSearch_2.19"} {
			if err := esarchive.Settle(esarchive.Config{IndexName: "i", Engine: engine, TypeName: "log"}); err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v", engine, err)
			}
		}
	})
	statement(t, "E13", func(t *testing.T) {
		t.Helper()
		if got := sent(t, esarchive.Config{}, esarchive.Cluster{}, plain("s", 1)); got[0].Op != "index" {
			t.Errorf("%+v", got)
		}
	})
}

func conformOutcomes(t *testing.T) {
	t.Helper()
	statement(t, "E15", func(t *testing.T) {
		t.Helper()
		times := map[string]int{}
		s := &answering{answer: func(_ context.Context, _ int, list []action) ([]esarchive.Item, *esarchive.Fault) {
			items := all(list, 201)
			for i, a := range list {
				if times[a.N]++; a.N == "s0042.0" {
					items[i] = refusal(400)
				}
			}
			return items, nil
		}}
		o := runTo(t, esarchive.Config{IndexName: "myindex"}, s, plain("s", 100))
		if o.Indexed != 99 || len(o.Failed) != 1 || o.Failed[0].Document != 42 || o.Failed[0].ID != "s0042.0" || o.Failed[0].Index != "myindex-2016-02-25" || o.Failed[0].Attempts != times["s0042.0"] {
			t.Errorf("%+v", o)
		}
		for n, sent := range times {
			if n != "s0042.0" && sent != 1 {
				t.Errorf("%s was sent %d times", n, sent)
			}
		}
	})
	for name, data := range map[string]string{"E19": "{\"a\":1}\n{\"b\":2}", "E20": `{"a":1}{"b":2}`} {
		statement(t, name, func(t *testing.T) {
			t.Helper()
			s := &answering{answer: ok}
			c := plain("s", 2)
			c[0].data = data
			o := runTo(t, esarchive.Config{IndexName: "myindex"}, s, c)
			if o.Indexed != 1 || len(o.Failed) != 1 || o.Failed[0].Code != "OS.MalformedData" || o.Failed[0].ID != "s0000.0" || len(s.requests) != 1 || len(s.requests[0]) != 1 {
				t.Errorf("%+v", o)
			}
		})
	}
	statement(t, "E21", func(t *testing.T) {
		t.Helper()
		for _, whole := range []bool{false, true} {
			s := &answering{answer: func(_ context.Context, _ int, list []action) ([]esarchive.Item, *esarchive.Fault) {
				if whole {
					return nil, dead()
				}
				return all(list, 503), nil
			}}
			none := time.Duration(0)
			o := runTo(t, esarchive.Config{IndexName: "myindex", RetryDuration: &none}, s, plain("s", 3))
			if len(o.Failed) != 3 || o.Failed[0].Attempts != 1 || len(s.requests) != 1 {
				t.Errorf("%+v", o)
			}
		}
	})
}
