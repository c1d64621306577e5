package esarchive_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/processors/esarchive"
)

// recorded reads an answer of testdata/answers. Those of OpenSearch 2.19 and Elasticsearch
// 6.8 were recorded from these servers.
func recorded(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "answers", name))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func statuses(a esarchive.ClientAnswer) (all []int) {
	for _, i := range a.Items {
		all = append(all, i.Status)
	}
	return all
}

// TestRecordedAnswers: what servers answered, and by what is published of others.
func TestRecordedAnswers(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]int{
		"opensearch-2.19-whole.json":       {201, 400, 409, 403, 400, 400, 400, 404, 201, 201, 409},
		"opensearch-2.19-filtered.json":    {200, 400, 409, 403, 400, 400, 400, 404, 201, 409, 409},
		"elasticsearch-6.8-whole.json":     {201, 400, 409, 403, 400, 404, 201, 201, 409},
		"elasticsearch-6.8-filtered.json":  {200, 400, 409, 403, 400, 404, 201, 409, 409},
		"elasticsearch-7-published.json":   {201, 400, 429},
		"elasticsearch-8-published.json":   {201, 409, 400},
		"opensearch-1-published.json":      {201, 503},
		"opensearch-3-published.json":      {201, 404, 429},
		"serverless-published.json":        {201, 400},
		"serverless-published-errors.json": {500, 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := recorded(t, name)
			a, f := esarchive.ParseAnswer(body, len(want))
			if diff := cmp.Diff(want, statuses(a)); diff != "" || f != nil {
				t.Fatalf("fault %+v; %s", f, diff)
			}
			if diff := cmp.Diff(oracle(body), a.Items); diff != "" {
				t.Error(diff)
			}
			for _, i := range a.Items {
				if isError := i.Status > 404 || i.Status == 400 || i.Status == 403; isError != (i.Reason != "") || isError != (i.Kind != "") {
					t.Errorf("%d has the error %q: %q", i.Status, i.Kind, i.Reason)
				}
			}
		})
	}
}

// What an error was caused by follows its reason.
func TestReasonHasCauses(t *testing.T) {
	t.Parallel()
	a, f := esarchive.ParseAnswer(recorded(t, "opensearch-2.19-whole.json"), 11)
	if f != nil {
		t.Fatal(f)
	}
	want := esarchive.ClientItem{
		Status: 400, Kind: "mapper_parsing_exception",
		Reason: "failed to parse field [n] of type [long] in document with id '2'. Preview of field's value: 'not a number'; caused by illegal_argument_exception: For input string: \"not a number\"",
	}
	if diff := cmp.Diff(want, a.Items[1]); diff != "" {
		t.Error(diff)
	}
}

// TestAnswers are those that no server should give.
func TestAnswers(t *testing.T) {
	t.Parallel()
	item := func(status int, kind, reason string) esarchive.ClientItem {
		return esarchive.ClientItem{Status: status, Kind: kind, Reason: reason}
	}
	long := strings.Repeat("ä", 3000)
	for name, row := range map[string]struct {
		body string
		want []esarchive.ClientItem
	}{
		"errors is not believed":           {`{"errors":false,"items":[{"index":{"status":429}}]}`, []esarchive.ClientItem{item(429, "", "")}},
		"errors is not believed, either":   {`{"errors":true,"items":[{"index":{"status":201}}]}`, []esarchive.ClientItem{item(201, "", "")}},
		"another order of members":         {`{"items":[{"index":{"error":{"reason":"r","x":{"type":"no"},"type":"k"},"status":400}}],"took":1}`, []esarchive.ClientItem{item(400, "k", "r")}},
		"no status":                        {`{"items":[{"index":{"_id":"1"}}]}`, []esarchive.ClientItem{item(0, "", "")}},
		"a status as a text":               {`{"items":[{"index":{"status":"201"}}]}`, []esarchive.ClientItem{item(0, "", "")}},
		"a status with a fraction":         {`{"items":[{"index":{"status":201.0}}]}`, []esarchive.ClientItem{item(0, "", "")}},
		"a status that is none":            {`{"items":[{"index":{"status":20100}}]}`, []esarchive.ClientItem{item(0, "", "")}},
		"the last status counts":           {`{"items":[{"index":{"status":201,"status":500}}]}`, []esarchive.ClientItem{item(500, "", "")}},
		"the last status counts, null":     {`{"items":[{"index":{"status":201,"status":null}}]}`, []esarchive.ClientItem{item(0, "", "")}},
		"the last action counts":           {`{"items":[{"index":{"status":201},"create":{"_id":"1"}}]}`, []esarchive.ClientItem{item(0, "", "")}},
		"the last list counts":             {`{"items":[{"index":{"status":201}}],"items":[{"index":{"status":400}}]}`, []esarchive.ClientItem{item(400, "", "")}},
		"an item that is no object":        {`{"items":[null]}`, []esarchive.ClientItem{item(0, "", "")}},
		"an item without an action":        {`{"items":[{}]}`, []esarchive.ClientItem{item(0, "", "")}},
		"an action that is no object":      {`{"items":[{"index":201}]}`, []esarchive.ClientItem{item(0, "", "")}},
		"an error that is a text":          {`{"items":[{"index":{"status":400,"error":"MapperParsing[x]"}}]}`, []esarchive.ClientItem{item(400, "", "MapperParsing[x]")}},
		"an error that is null":            {`{"items":[{"index":{"status":400,"error":null}}]}`, []esarchive.ClientItem{item(400, "", "")}},
		"a reason that is null":            {`{"items":[{"index":{"status":400,"error":{"type":"k","reason":null}}}]}`, []esarchive.ClientItem{item(400, "k", "")}},
		"a cause of a cause, and a text":   {`{"items":[{"index":{"status":400,"error":{"type":"k","reason":"r","caused_by":{"type":"l","reason":"s","caused_by":"t"}}}}]}`, []esarchive.ClientItem{item(400, "k", "r; caused by l: s; caused by t")}},
		"a cause that says nothing":        {`{"items":[{"index":{"status":400,"error":{"type":"k","reason":"r","caused_by":{}}}}]}`, []esarchive.ClientItem{item(400, "k", "r")}},
		"a long reason":                    {`{"items":[{"index":{"status":400,"error":{"type":"k","reason":"` + long + `"}}}]}`, []esarchive.ClientItem{item(400, "k", long[:4096]+"…")}},
		"a long reason, cut within a rune": {`{"items":[{"index":{"status":400,"error":{"type":"k","reason":"x` + long + `"}}}]}`, []esarchive.ClientItem{item(400, "k", "x"+long[:4094]+"…")}},
		"an error beside the items":        {`{"error":{"type":"k"},"items":[{"index":{"status":201}}]}`, []esarchive.ClientItem{item(201, "", "")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, f := esarchive.ParseAnswer([]byte(row.body), len(row.want))
			if diff := cmp.Diff(row.want, a.Items); diff != "" || f != nil {
				t.Errorf("fault %+v; %s", f, diff)
			}
		})
	}
}

// TestNoAnswers: what cannot be read for all documents is read for none.
func TestNoAnswers(t *testing.T) {
	t.Parallel()
	const parse, mismatch = "OS.AmazonOpenSearchServiceParseException", "OS.ResponseEntryCountMismatch"
	ok := func(n int) string { return strings.TrimSuffix(strings.Repeat(`{"index":{"status":201}},`, n), ",") }
	for name, row := range map[string]struct{ body, code, says string }{
		"nothing":             {"", parse, "cut off"},
		"HTML":                {"<html><body>login</body></html>", parse, "no object of JSON"},
		"half":                {`{"items":[` + ok(2), parse, "cut off"},
		"half, at an item":    {`{"items":[` + ok(1) + `,{"index":{"sta`, parse, "cut off"},
		"more behind it":      {`{"items":[` + ok(2) + `]}{}`, parse, "no object of JSON"},
		"a list":              {`[` + ok(2) + `]`, parse, "no object of JSON"},
		"no items":            {`{"took":1,"errors":false}`, parse, "no items"},
		"items are an object": {`{"items":{"index":{"status":201}}}`, parse, "no items"},
		"an error instead":    {`{"error":{"type":"k","reason":"r"},"status":400}`, parse, "k: r"},
		"fewer":               {`{"items":[` + ok(1) + `]}`, mismatch, "answered for 1 documents, and was sent 2"},
		"none":                {`{"items":[]}`, mismatch, "answered for 0 documents, and was sent 2"},
		"more":                {`{"items":[` + ok(3) + `]}`, mismatch, "answered for 3 documents, and was sent 2"},
		"nested without end":  {`{"items":[` + ok(2) + `],"x":` + strings.Repeat("[", 1e6) + strings.Repeat("]", 1e6) + `}`, parse, "no object of JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, f := esarchive.ParseAnswer([]byte(row.body), 2)
			if f == nil || f.Code != row.code || !strings.Contains(f.Message, row.says) || len(a.Items) > 0 {
				t.Fatalf("fault %+v with %d items; want %s: …%s…", f, len(a.Items), row.code, row.says)
			}
			if isMismatch := row.code == mismatch; f.Mismatch != isMismatch || f.Down == isMismatch || f.Auth || f.Rejected || f.TooLarge {
				t.Errorf("fault %+v", f)
			}
		})
	}
}

// oracle reads an answer with encoding/json.
func oracle(body []byte) (items []esarchive.ClientItem) {
	var in map[string]json.RawMessage
	if json.Unmarshal(body, &in) != nil || in == nil {
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(in["items"], &list) != nil {
		return nil
	}
	for _, raw := range list {
		var actions map[string]map[string]json.RawMessage
		var i esarchive.ClientItem
		_ = json.Unmarshal(raw, &actions) // an action that is no object is nil
		for _, result := range actions {
			var status int
			if json.Unmarshal(result["status"], &status) == nil && status >= 100 && status <= 999 {
				i.Status = status
			}
			i.Kind, i.Reason = oracleError(result["error"], 0)
			i.Reason = cutAt(i.Reason, 4096)
			i.Kind = cutAt(i.Kind, 1024)
		}
		items = append(items, i)
	}
	return items
}

func cutAt(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for text = text[:n]; !utf8.ValidString(text); {
		text = text[:len(text)-1]
	}
	return text + "…"
}

func oracleError(raw json.RawMessage, depth int) (kind, reason string) {
	if json.Unmarshal(raw, &reason) == nil {
		return "", reason
	}
	var e map[string]json.RawMessage
	_ = json.Unmarshal(raw, &e)
	_, _ = json.Unmarshal(e["type"], &kind), json.Unmarshal(e["reason"], &reason)
	if cause, ok := e["caused_by"]; ok && depth < 8 {
		k, r := oracleError(cause, depth+1)
		k = cutAt(k, 1024)
		between := ""
		if k != "" && r != "" && !strings.HasPrefix(r, "; caused by ") {
			between = ": "
		}
		if k == "" && (r == "" || strings.HasPrefix(r, "; caused by ")) {
			reason += r
		} else {
			reason += "; caused by " + k + between + r
		}
	}
	return kind, reason
}

// isPlain reports whether no object has a name twice, and nothing is nested deeply: then
// the oracle has one meaning, and ours the same.
func isPlain(text []byte) bool {
	depth, deepest := 0, 0
	for _, c := range text {
		switch c {
		case '[', '{':
			depth++
			deepest = max(deepest, depth)
		case ']', '}':
			depth--
		}
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	return deepest < 900 && (!json.Valid(text) || noTwins(d))
}

// noTwins reads a value.
func noTwins(d *json.Decoder) bool {
	token, err := d.Token()
	if err != nil {
		return true
	}
	names := map[string]bool{}
	switch token {
	case json.Delim('['):
		for d.More() {
			if !noTwins(d) {
				return false
			}
		}
	case json.Delim('{'):
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return true
			}
			if text, _ := name.(string); names[text] {
				return false
			} else {
				names[text] = true
			}
			if !noTwins(d) {
				return false
			}
		}
	default:
		return true
	}
	_, _ = d.Token()
	return true
}

// checkAnswer compares with encoding/json.
func checkAnswer(t *testing.T, body []byte) {
	t.Helper()
	if !isPlain(body) {
		return
	}
	want := oracle(body)
	a, f := esarchive.ParseAnswer(body, len(want))
	var whole map[string]json.RawMessage
	isAnswer := json.Unmarshal(body, &whole) == nil && strings.HasPrefix(strings.TrimSpace(string(whole["items"])), "[")
	if (f == nil) != isAnswer {
		t.Fatalf("%q: fault %+v; is it an answer? %v", body, f, isAnswer)
	}
	if !isAnswer || slices.ContainsFunc(want, func(i esarchive.ClientItem) bool { return strings.Contains(i.Reason, "; caused by ") }) {
		return // texts of causes are put together in two ways
	}
	if diff := cmp.Diff(want, a.Items); diff != "" {
		t.Fatalf("%q: %s", body, diff)
	}
}

func FuzzAnswer(f *testing.F) {
	files, err := filepath.Glob("testdata/answers/*.json")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		f.Add(recorded(f, filepath.Base(file)))
	}
	f.Add([]byte(`{"items":[{"index":{"status":400,"error":"x"}},{"a":{"status":"1"}},null,{"b":1}],"errors":true}`))
	f.Fuzz(func(t *testing.T, body []byte) { checkAnswer(t, body) })
}

// TestAnswersInAnyShape: whatever else stands in an answer, items have their places.
func TestAnswersInAnyShape(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		noise := rapid.SampledFrom([]string{`"took":3`, `"_shards":{"total":2,"status":7}`, `"x":[{"status":1},"]}"]`, `"y":null`, `"_id":"\"}]"`})
		n := rapid.IntRange(0, 20).Draw(r, "items")
		var want []esarchive.ClientItem
		var list []string
		for range n {
			i := esarchive.ClientItem{Status: rapid.SampledFrom([]int{200, 201, 400, 409, 429, 503}).Draw(r, "status")}
			members := []string{fmt.Sprintf(`"status":%d`, i.Status), noise.Draw(r, "noise")}
			if i.Status >= 400 {
				i.Kind, i.Reason = rapid.StringN(1, 10, 40).Draw(r, "kind"), rapid.String().Draw(r, "reason")
				k, _ := json.Marshal(i.Kind)
				why, _ := json.Marshal(i.Reason)
				members = append(members, fmt.Sprintf(`"error":{"reason":%s,"type":%s}`, why, k))
			}
			members = rapid.Permutation(members).Draw(r, "order")
			list = append(list, fmt.Sprintf(`{%q:{%s}}`, rapid.SampledFrom([]string{"index", "create"}).Draw(r, "action"), strings.Join(members, ",")))
			i.Kind, i.Reason = cutAt(strings.ToValidUTF8(i.Kind, "\ufffd"), 1024), cutAt(i.Reason, 4096)
			want = append(want, i)
		}
		body := fmt.Sprintf(`{%s,"items":[%s]}`, noise.Draw(r, "before"), strings.Join(list, ","))
		a, f := esarchive.ParseAnswer([]byte(body), n)
		if diff := cmp.Diff(want, a.Items); diff != "" || f != nil {
			r.Fatalf("%s: fault %+v; %s", body, f, diff)
		}
		at := rapid.IntRange(0, len(body)-1).Draw(r, "cut")
		if a, f := esarchive.ParseAnswer([]byte(body[:at]), n); f == nil || len(a.Items) > 0 {
			r.Fatalf("%s: half an answer has %d items", body[:at], len(a.Items))
		}
	})
}

// clean is the answer for n documents that succeeded, as it is asked for, or as servers
// answer by themselves.
func clean(n int, isWhole bool) []byte {
	var b strings.Builder
	b.WriteString(`{"took":7,"errors":false,"items":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		if isWhole {
			fmt.Fprintf(&b, `{"index":{"_index":"orders-2026-11-29","_id":"49657.%d","_version":1,"result":"created","_shards":{"total":2,"successful":1,"failed":0},"_seq_no":%d,"_primary_term":1,"status":201}}`, i, i)
			continue
		}
		b.WriteString(`{"index":{"status":201}}`)
	}
	b.WriteString(`]}`)
	return []byte(b.String())
}

func TestAnswerAllocatesNothingPerDocument(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts the whole process
	for _, isWhole := range []bool{false, true} {
		const documents = 1000
		body := clean(documents, isWhole)
		n := testing.AllocsPerRun(100, func() {
			if !esarchive.ParseOnly(body, documents) {
				t.Error("it is no answer")
			}
		})
		if n > 0.02*documents {
			t.Errorf("%v allocations for %d documents; whole %v", n, documents, isWhole)
		}
	}
}

func BenchmarkAnswer(b *testing.B) {
	for name, isWhole := range map[string]bool{"filtered": false, "whole": true} {
		b.Run(name, func(b *testing.B) {
			body := clean(500, isWhole)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if !esarchive.ParseOnly(body, 500) {
					b.Fatal("it is no answer")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500, "ns/document")
		})
	}
}
