package esarchive_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/esarchive"
)

// oneDocument is a cut of one.
type oneDocument struct {
	place, data string
	arrival     time.Time
}

func (oneDocument) Len() int { return 1 }

func (d oneDocument) Document(int) processors.Document {
	return processors.Document{Size: len(d.data), Arrival: d.arrival}
}

func (d oneDocument) Read(int, []byte) (place, data []byte, err error) {
	return []byte(d.place), []byte(d.data), nil
}

// What is told of a record is what is sent of it, to the byte; and what is told to be no
// document is not sent, with the reason that its failure has.
func TestPreviewIsWhatIsSent(t *testing.T) {
	t.Parallel()
	at := time.Date(2016, 2, 25, 13, 0, 0, 0, time.UTC)
	base := esarchive.Config{IndexName: "orders", Engine: "OpenSearch_2.19"}
	with := func(f func(*esarchive.Config)) esarchive.Config {
		c := base
		f(&c)
		return c
	}
	const good = ` {"id":"a\"b","n":{"v":7}} ` + "\n"
	for name, row := range map[string]struct {
		config esarchive.Config
		data   string
		id     string
		wrong  bool
	}{
		"Firehose's":  {base, good, "49.7", false},
		"a type":      {with(func(c *esarchive.Config) { c.Engine, c.TypeName = "Elasticsearch_6.8", "log" }), good, "49.7", false},
		"no ids":      {with(func(c *esarchive.Config) { c.IDs.None = true }), good, "", false},
		"two streams": {with(func(c *esarchive.Config) { c.IDs.Prefix = true }), good, "dca83e717b1f64eb-49.7", false},
		"ids of fields": {with(func(c *esarchive.Config) {
			c.IDs = esarchive.IDs{Field: "id", VersionField: "n.v"}
			c.RoutingField = "id"
		}), good, `a"b`, false},
		"all of ours": {with(func(c *esarchive.Config) {
			c.Operation, c.Pipeline, c.IndexRotationPeriod = esarchive.OpCreate, "p", esarchive.OneHour
		}), good, "49.7", false},
		"no JSON":     {base, "{", "", true},
		"no such id":  {with(func(c *esarchive.Config) { c.IDs = esarchive.IDs{Field: "x", VersionField: "n.v"} }), good, "", true},
		"two objects": {base, "{}{}", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sent := make(chan string, 1)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/_bulk" {
					w.WriteHeader(http.StatusForbidden)
					return
				}
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				sent <- string(body)
				_, _ = io.WriteString(w, `{"errors":false,"items":[{"index":{"status":201}}]}`)
			}))
			defer server.Close()
			row.config.Endpoints = []string{server.URL}
			x, err := esarchive.New(row.config)
			if err != nil {
				t.Fatal(err)
			}
			p := x.Preview("stream", "49.7", []byte(row.data), at)
			run := x.Open(processors.IndexInput{
				Stream: "stream", Documents: oneDocument{"49.7", row.data, at}, MayGoOn: func() error { return nil }, Tried: func(processors.BulkEvent) {},
			})
			if err := run.Run(context.WithoutCancel(t.Context())); err != nil {
				t.Fatal(err)
			}
			out := run.Outcome()
			if row.wrong {
				if p.Malformed == "" || p.Line != "" || len(out.Failed) != 1 || out.Failed[0].Message != p.Malformed || out.Failed[0].Code != p.Code || out.Failed[0].Index != p.Index {
					t.Errorf("told %+v, and it is %+v", p, out)
				}
				return
			}
			if got, told := <-sent, p.Line+"\n"+string(p.Document)+"\n"; got != told || p.ID != row.id || out.Indexed != 1 || !strings.HasPrefix(p.Index, "orders-2016-02-25") {
				t.Errorf("told %q, with id %q, and sent %q: %+v", told, p.ID, got, out)
			}
		})
	}
}

// The rules of names are those of New, without the field's name.
func TestCheckIndexName(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		period esarchive.IndexRotationPeriod
		want   string
	}{
		{"orders", "", ""},
		{"Orders", esarchive.NoRotation, ""},
		{"Orders", "", "must be in lower case: only an alias may have upper case, and an alias needs the IndexRotationPeriod NoRotation"},
		{"-a b", esarchive.NoRotation, `must not have any of \ / * ? " < > | , # : nor spaces and control characters: the cluster refuses them` + "\nmust not begin with - _ + and not be . or ..: the cluster refuses it"},
		{"", "", "must have 1-80 characters; it has 0"},
		{strings.Repeat("a", 81), "", "must have 1-80 characters; it has 81"},
		{"a\nb: c", esarchive.NoRotation, `must not have any of \ / * ? " < > | , # : nor spaces and control characters: the cluster refuses them`},
	} {
		got := ""
		if err := esarchive.CheckIndexName(row.name, row.period); err != nil {
			got = err.Error()
		}
		if got != row.want {
			t.Errorf("%.20q: %q, want %q", row.name, got, row.want)
		}
		_, err := esarchive.New(esarchive.Config{IndexName: row.name, IndexRotationPeriod: row.period, Endpoints: []string{"https://h"}})
		if (err == nil) != (row.want == "") {
			t.Errorf("%.20q: New says %v", row.name, err)
		}
	}
}
