package esarchive_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/shardmill/shardmill/processors/esarchive"
)

// kinds are the ways to have ids.
func kinds() map[string]esarchive.Config {
	return map[string]esarchive.Config{
		"own":                    {},
		"own on Serverless":      {Service: esarchive.Serverless},
		"create on Serverless":   {Service: esarchive.Serverless, Operation: esarchive.OpCreate},
		"create with a pipeline": {Pipeline: "p", Operation: esarchive.OpCreate},
		"create":                 {Operation: esarchive.OpCreate},
		"none":                   {IDs: esarchive.IDs{None: true}, Operation: esarchive.OpCreate},
		"field":                  {IDs: esarchive.IDs{Field: "id"}, Operation: esarchive.OpCreate},
		"versions":               {IDs: esarchive.IDs{Field: "id", VersionField: "v"}},
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	refusesIDs := esarchive.Item{Status: 400, Kind: "illegal_argument_exception", Reason: "Document ID is not supported in create/index operation request"}
	for _, row := range []struct {
		item esarchive.Item
		ids  []string // nil: all
		fast []bool   // nil: both
		want string
	}{
		{esarchive.Item{Status: 200}, nil, nil, "done"},
		{esarchive.Item{Status: 201}, nil, nil, "done"},
		{esarchive.Item{Status: 299}, nil, nil, "done"},
		{esarchive.Item{Status: 300}, nil, nil, "again"},
		{esarchive.Item{Status: 199}, nil, nil, "again"},
		{esarchive.Item{}, nil, nil, "again"},
		{refusal(409), []string{"create", "create on Serverless"}, nil, "done"},
		{refusal(409), []string{"versions"}, nil, "superseded"},
		{refusal(409), []string{"field", "create with a pipeline"}, nil, "hopeless"},
		{refusal(409), []string{"own", "none"}, nil, "again"},
		{esarchive.Item{Status: 409, Kind: "illegal_state_exception"}, nil, nil, "again"},
		{refusesIDs, []string{"own on Serverless", "create on Serverless"}, nil, "anew"},
		{refusesIDs, []string{"own", "create", "field", "none", "versions"}, []bool{false}, "again"},
		{refusesIDs, []string{"own", "create", "field", "none", "versions"}, []bool{true}, "hopeless"},
		{esarchive.Item{Status: 400, Kind: "mapper_parsing_exception", Reason: refusesIDs.Reason}, nil, []bool{false}, "again"},
		{esarchive.Item{Status: 400, Kind: refusesIDs.Kind, Reason: "Preview of field's value: '" + refusesIDs.Reason + "'"}, nil, []bool{false}, "again"},
		{refusal(400), nil, []bool{false}, "again"},
		{refusal(400), nil, []bool{true}, "hopeless"},
		{esarchive.Item{Status: 413}, nil, []bool{false}, "again"},
		{esarchive.Item{Status: 413}, nil, []bool{true}, "hopeless"},
		{esarchive.Item{Status: 400, Kind: "validation_exception"}, nil, nil, "again"},
		{esarchive.Item{Status: 401, Kind: "security_exception"}, nil, nil, "again"},
		{esarchive.Item{Status: 403, Kind: "security_exception"}, nil, nil, "again"},
		{refusal(403), nil, nil, "again"},
		{refusal(404), nil, nil, "again"},
		{refusal(429), nil, nil, "again"},
		{esarchive.Item{Status: 500}, nil, nil, "again"},
		{refusal(503), nil, nil, "again"},
	} {
		for name, c := range kinds() {
			for _, fast := range []bool{false, true} {
				if row.ids != nil && !slices.Contains(row.ids, name) || row.fast != nil && !slices.Contains(row.fast, fast) {
					continue
				}
				c.IndexName, c.FastFail = "i", fast
				got, err := esarchive.Verdict(c, row.item, c.IDs == (esarchive.IDs{}))
				if err != nil || got != row.want {
					t.Errorf("%+v, ids %s, fast %v: %s, %v, want %s", row.item, name, fast, got, err, row.want)
				}
			}
		}
	}
}

// Without an id that was sent a conflict says nothing, and nor can it be refused.
func TestVerdictsWithoutID(t *testing.T) {
	t.Parallel()
	c := esarchive.Config{IndexName: "i", Operation: esarchive.OpCreate}
	for _, it := range []esarchive.Item{refusal(409), {Status: 400, Reason: "Document ID is not supported in create/index operation request"}} {
		if got, err := esarchive.Verdict(c, it, false); got != "again" || err != nil {
			t.Errorf("%+v: %s, %v", it, got, err)
		}
	}
}

// failing brings one document to a server that answers so for good, and returns what is
// told of it and how long it took.
func failing(t *testing.T, cfg esarchive.Config, answer func([]action) ([]esarchive.Item, *esarchive.Fault)) (code, message string, attempts int, took time.Duration) {
	t.Helper()
	cfg.IndexName = "i"
	s := &answering{answer: func(_ context.Context, _ int, list []action) ([]esarchive.Item, *esarchive.Fault) {
		return answer(list)
	}}
	o := run(t, cfg, s, plain("s", 1))
	if len(o.Failed) != 1 || int64(o.Failed[0].Attempts) != o.Requests || o.Indexed != 0 {
		t.Fatalf("%+v", o)
	}
	f := o.Failed[0]
	return f.Code, f.Message, f.Attempts, f.Ended.Sub(s.at[0])
}

// What a failure is told with, and that it comes at the end of the document's time.
func TestCodes(t *testing.T) {
	t.Parallel()
	item := func(it esarchive.Item) func([]action) ([]esarchive.Item, *esarchive.Fault) {
		return func([]action) ([]esarchive.Item, *esarchive.Fault) { return []esarchive.Item{it}, nil }
	}
	whole := func(f esarchive.Fault) func([]action) ([]esarchive.Item, *esarchive.Fault) {
		return func([]action) ([]esarchive.Item, *esarchive.Fault) { return nil, &f }
	}
	for _, row := range []struct {
		name          string
		answer        func([]action) ([]esarchive.Item, *esarchive.Fault)
		code, message string
		isFast        bool // with FastFail
	}{
		{"400", item(refusal(400)), "400", "mapper_parsing_exception: reason 400", true},
		{"413 of a document", item(esarchive.Item{Status: 413}), "413", "HTTP status 413, without a reason", true},
		{"kind alone", item(esarchive.Item{Status: 500, Kind: "x"}), "500", "x", false},
		{"reason alone", item(esarchive.Item{Status: 500, Reason: "y"}), "500", "y", false},
		{"full disk", item(refusal(403)), "403", "cluster_block_exception: reason 403", false},
		{"no index", item(refusal(404)), "404", "index_not_found_exception: reason 404", false},
		{"busy", item(refusal(429)), "429", "es_rejected_execution_exception: reason 429", false},
		{"no status", item(esarchive.Item{}), "OS.ServiceException", "the answer has no status for the document", false},
		{"down", whole(esarchive.Fault{Code: "OS.ConnectionFailed", Message: "m", Down: true}), "OS.ConnectionFailed", "m", false},
		{"auth", whole(esarchive.Fault{Code: "OS.AccessDenied", Message: "m", Status: 403, Auth: true}), "OS.AccessDenied", "m", false},
		{"413", whole(esarchive.Fault{Code: "413", Message: "m", Status: 413, TooLarge: true}), "413", "m", true},
		{"none", func([]action) ([]esarchive.Item, *esarchive.Fault) { return nil, nil }, "OS.ResponseEntryCountMismatch", "the answer is for 0 documents, and 1 were sent", false},
		{"two", func(l []action) ([]esarchive.Item, *esarchive.Fault) { return append(all(l, 201), all(l, 201)...), nil }, "OS.ResponseEntryCountMismatch", "the answer is for 2 documents, and 1 were sent", false},
	} {
		for _, fast := range []bool{false, true} {
			t.Run(row.name, func(t *testing.T) {
				t.Parallel()
				code, message, attempts, took := failing(t, esarchive.Config{FastFail: fast}, row.answer)
				if code != row.code || message != row.message {
					t.Errorf("%s %s, want %s %s", code, message, row.code, row.message)
				}
				if isFast := fast && row.isFast; isFast != (attempts == 1 && took == 0) || !isFast && (took < 5*time.Minute || took > 5*time.Minute+2*time.Second) {
					t.Errorf("given up after %d attempts and %v", attempts, took)
				}
			})
		}
	}
}
