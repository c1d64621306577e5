package dynamodbd_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/shardmill/shardmill/localaws/internal/dynamodbd"
)

// exchange is one call that a Java KCL made, and the answer of DynamoDB Local.
type exchange struct {
	Op       string
	Request  json.RawMessage
	Status   int
	Response map[string]any
}

// TestAnswersTheJavaKCLAsRecorded replays recorded lives of Java KCL
// applications (2.7.2 polling with a reshard and a killed worker; 3.5.1 with a
// graceful hand-off) and wants every answer to mean the same.
func TestAnswersTheJavaKCLAsRecorded(t *testing.T) {
	t.Parallel()
	for name, fewest := range map[string]int{"kcl2-polling": 200, "kcl3-handoff": 1000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := dynamodbd.New(dynamodbd.Options{})
			exchanges := recorded(t, "testdata/wire/"+name+".jsonl.gz")
			if len(exchanges) < fewest {
				t.Fatalf("only %d exchanges", len(exchanges))
			}
			for i, e := range exchanges {
				status, answer := call(t, server, e.Op, string(e.Request))
				got, want := meaning(answer), meaning(e.Response)
				if status != e.Status || got != want {
					t.Errorf("exchange %d: %s %s\ngot  %d %s\nwant %d %s", i, e.Op, e.Request, status, got, e.Status, want)
				}
			}
		})
	}
}

func recorded(t *testing.T, file string) []exchange {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var all []exchange
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e exchange
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// call makes a request without SDK and network.
func call(tb testing.TB, server http.Handler, op, body string) (int, map[string]any) {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodPost, "http://dynamodb.local/", strings.NewReader(body))
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810."+op)
	w := httptest.NewRecorder()
	server.ServeHTTP(w, r)
	var answer map[string]any
	d := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
	if err := d.Decode(&answer); err != nil {
		tb.Fatalf("%s %s: answer %s: %v", op, body, w.Body, err)
	}
	return w.Code, answer
}

// meaning writes an answer in one way for each meaning: without times, sizes,
// ARNs and wording, numbers as fractions, and what has no order sorted.
func meaning(answer any) string {
	switch v := answer.(type) {
	case map[string]any:
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if part := member(name, v[name]); part != "" {
				parts = append(parts, part)
			}
		}
		return "{" + strings.Join(parts, " ") + "}"
	case []any:
		var parts []string
		for _, e := range v {
			parts = append(parts, meaning(e))
		}
		slices.Sort(parts)
		return fmt.Sprint(parts)
	default:
		return fmt.Sprint(v)
	}
}

func member(name string, v any) string {
	switch name {
	case "CreationDateTime", "LastUpdateToPayPerRequestDateTime", "ProvisionedThroughput", "TableSizeBytes", "IndexSizeBytes", "ItemCount",
		"TableArn", "IndexArn", "TableId", "Backfilling", "OnDemandThroughput", "message", "Message":
		return ""
	case "IndexStatus", "TableStatus": // an index of DynamoDB Local takes a moment, one in memory none
		return ""
	case "N":
		if r, ok := new(big.Rat).SetString(fmt.Sprint(v)); ok {
			return "N:" + r.RatString()
		}
	case "__type":
		_, code, _ := strings.Cut(fmt.Sprint(v), "#")
		return code
	}
	return name + ":" + meaning(v)
}
