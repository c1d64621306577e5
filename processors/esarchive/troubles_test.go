package esarchive_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/esarchive"
)

// What a cluster says of a request that failed, or of a document, may quote documents: the
// log has the code, the status and the kind alone, and so has the error of a hook. The
// error output has it all.
func TestReasonsAreNotLogged(t *testing.T) {
	t.Parallel()
	const secret = "4111-1111"
	reason := func(kind string) string {
		return `{"error":{"type":"` + kind + `","reason":"failed to parse [` + secret + `]"},"status":1}`
	}
	for name, row := range map[string]struct {
		status       int
		body         string
		says, output string
	}{
		"a request":  {400, reason("illegal_argument_exception"), "400: the cluster answered 400 Bad Request: illegal_argument_exception", secret},
		"denied":     {403, `{"message":"` + secret + `"}`, "OS.AccessDenied: the cluster answered 403 Forbidden", secret},
		"a text":     {502, secret, "OS.BadGateway: the cluster answered 502 Bad Gateway", secret},
		"no answer":  {200, `{"message":"` + secret + `"}`, "OS.AmazonOpenSearchServiceParseException: the cluster answered 200 OK", ""},
		"a document": {200, `{"items":[{"index":{"status":400,"error":{"type":"mapper_parsing_exception","reason":"` + secret + `"}}}]}`, "mapper_parsing_exception", secret},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				core, logs := observer.New(zapcore.DebugLevel)
				retry := 2 * time.Second
				x, err := esarchive.New(esarchive.Config{
					Endpoints: []string{"https://cluster.example"}, IndexName: "orders", RetryDuration: &retry, Logger: zap.New(core),
					Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
						if r.Method == http.MethodGet {
							return respond(200, strings.NewReader(`{"nodes":{"a":{"version":"2.19.5"}}}`)), nil
						}
						return respond(row.status, strings.NewReader(row.body), "Content-Type", "text/plain"), nil
					}),
				})
				if err != nil {
					t.Fatal(err)
				}
				in := input(plain("s", 1))
				in.Logger = zap.New(core)
				in.Tried = func(e processors.BulkEvent) {
					if e.Err != nil && (strings.Contains(e.Err.Error(), secret) || e.Err.Error() != row.says) {
						t.Errorf("the hook has %v", e.Err)
					}
				}
				i := x.Open(in)
				if err := i.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				told := ""
				for _, l := range logs.All() {
					told += fmt.Sprintln(l.Message, l.ContextMap())
				}
				if strings.Contains(told, secret) || !strings.Contains(told, row.says) {
					t.Errorf("logged, for %s:\n%s", row.says, told)
				}
				if o := i.Outcome(); len(o.Failed) != 1 || !strings.Contains(o.Failed[0].Message, row.output) {
					t.Errorf("%+v", o)
				}
			})
		})
	}
}

// A document that is refused for what the cluster lacks is told apart from one that is
// refused for what it has.
func TestBlockedEvents(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		item    esarchive.Item
		blocked bool
	}{
		"a full disk":   {esarchive.Item{Status: 403, Kind: "cluster_block_exception"}, true},
		"denied":        {esarchive.Item{Status: 403, Kind: "security_exception"}, true},
		"a full queue":  {esarchive.Item{Status: 429}, true},
		"a bad value":   {esarchive.Item{Status: 400, Kind: "mapper_parsing_exception"}, false},
		"it is indexed": {esarchive.Item{Status: 201}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			none := time.Duration(0)
			s := &answering{answer: func(context.Context, int, []action) ([]esarchive.Item, *esarchive.Fault) {
				return []esarchive.Item{row.item}, nil
			}}
			x, err := esarchive.NewWith(esarchive.Config{IndexName: "i", RetryDuration: &none}, s)
			if err != nil {
				t.Fatal(err)
			}
			in := input(plain("s", 1))
			var got []bool
			in.Tried = func(e processors.BulkEvent) { got = append(got, e.Blocked) }
			if err := x.Open(in).Run(t.Context()); err != nil || len(got) != 1 || got[0] != row.blocked {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}
