package localrun_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/localrun"
	"github.com/shardmill/shardmill/localaws"
)

// documents are n lines of JSON.
func documents(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "{\"n\":%d}\n", i)
	}
	return text.String()
}

// Each line that is a document is in the index, field by field as it was put, and in the
// file of the index; what is none, or does not fit, is in the error output and counted, and
// no error of the run.
func TestDocuments(t *testing.T) {
	t.Parallel()
	for destination, folder := range map[localrun.Destination]string{localrun.ToElasticsearch: "elasticsearch-failed", localrun.ToOpenSearch: "AmazonOpenSearchService-failed"} {
		t.Run(string(destination), func(t *testing.T) {
			t.Parallel()
			const wrong = "{\"n\":{\"a\":1}}\n" // n is a number
			text := documents(500) + "no JSON\n" + "{\"n\":1}{\"n\":2}\n" + "\n" + "[1]\n" + wrong + "{\"n\":1} \n" + "{\"n\":\"é\\u0000\"}\r\n"
			o, notes := options(t, text)
			o.Shards, o.Destination = 1, destination // in order: n is a number once it is first seen
			sum, err := localrun.Run(t.Context(), o)
			if err != nil || !sum.Verified {
				t.Fatalf("Run = %+v, %v\n%s", sum, err, notes)
			}
			if sum.Records != 507 || sum.Bytes != int64(len(text)) || sum.Documents != 501 || sum.Failed != 6 || sum.NotJSON != 4 || sum.Objects == 0 || sum.Requests == 0 || sum.Ratio != 0 {
				t.Errorf("the summary is %+v", sum)
			}
			var got []string
			inIndices := 0
			for _, x := range sum.Indices {
				inIndices += x.Documents
				data, err := os.ReadFile(filepath.Join(o.Dir, "indices", x.Name+".ndjson"))
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")...)
			}
			want := append(strings.Split(strings.TrimSuffix(documents(500), "\n"), "\n"), `{"n":1}`)
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" || inIndices != 501 {
				t.Errorf("%d in the indices, -want +got:\n%s", inIndices, diff)
			}
			if _, err := os.Stat(filepath.Join(o.Dir, "archive", folder)); err != nil {
				t.Error(err)
			}
			var out strings.Builder
			sum.Print(&out)
			for _, line := range []string{
				"documents  501 in ", fmt.Sprintf("index      %s: ", sum.Indices[0].Name), "failed     6, 4 of them no JSON objects, in ",
				"verified: every record that was put is exactly once in the index, or, 6 that failed, in the error output\n",
			} {
				if !strings.Contains(out.String(), line) {
					t.Errorf("it does not say %q:\n%s", line, &out)
				}
			}
		})
	}
}

// A second run in one directory does not count what is there.
func TestDocumentsTwice(t *testing.T) {
	t.Parallel()
	o, _ := options(t, documents(10)+"no JSON\n")
	o.Destination = localrun.ToOpenSearch
	for range 2 {
		sum, err := localrun.Run(t.Context(), o)
		if err != nil || !sum.Verified || sum.Documents != 10 || sum.Failed != 1 || sum.Objects != 1 {
			t.Errorf("Run = %+v, %v", sum, err)
		}
	}
}

// Answers of the cluster that are lost, refusals and a reshard change nothing.
func TestDocumentsAndFaults(t *testing.T) {
	t.Parallel()
	o, _ := options(t, documents(2000))
	o.Reshard, o.Destination = true, localrun.ToElasticsearch
	var faults []*localaws.ActiveFault
	o = localrun.Prepared(o, func(s *localaws.Stack) {
		for _, f := range []localaws.Fault{
			{Service: localaws.Search, Operation: "Bulk", Times: 1, Kind: localaws.LostAnswer()},
			{Service: localaws.Search, Operation: "Bulk", After: 1, Times: 1, Kind: localaws.Throttle()},
			{Service: localaws.DynamoDB, Operation: "UpdateItem", After: 3, Times: 2, Kind: localaws.LostAnswer()},
		} {
			faults = append(faults, s.Faults().Add(f))
		}
	})
	sum, err := localrun.Run(t.Context(), o)
	if err != nil || !sum.Verified || sum.Documents != 2000 || sum.Failed != 0 || sum.Reshards != 2 {
		t.Errorf("Run = %+v, %v", sum, err)
	}
	for i, f := range faults {
		if f.Hits() == 0 {
			t.Errorf("fault %d struck nothing", i)
		}
	}
	var out strings.Builder
	sum.Print(&out)
	if !strings.Contains(out.String(), "verified: every record that was put is in the index exactly once\n") {
		t.Errorf("it says\n%s", &out)
	}
}

// What is not in the index, is there twice, or is another document, is found and named.
func TestDocumentsThatAreNotThere(t *testing.T) {
	t.Parallel()
	change := func(ctx context.Context, t *testing.T, c *localaws.Cluster, method, path, body string) {
		t.Helper()
		if status, answer, err := c.Ask(ctx, method, path, body); err != nil || status >= http.StatusMultipleChoices {
			t.Errorf("%s %s: %d %s %v", method, path, status, answer, err)
		}
	}
	for name, row := range map[string]struct {
		change func(context.Context, *testing.T, *localaws.Cluster)
		err    string
		notes  string
	}{
		"all are gone": {func(ctx context.Context, t *testing.T, c *localaws.Cluster) {
			t.Helper()
			for _, index := range c.Indices() {
				change(ctx, t, c, http.MethodDelete, "/"+index, "")
			}
		}, "5 records were put and index and error output hold 0; 5 are missing and 0 are there too often", "missing: "},
		"one is there twice": {func(ctx context.Context, t *testing.T, c *localaws.Cluster) {
			t.Helper()
			change(ctx, t, c, http.MethodPost, "/_bulk", "{\"index\":{\"_index\":\""+c.Indices()[0]+"\"}}\n{\"n\":1}\n")
		}, "5 records were put and index and error output hold 6; 0 are missing and 1 are there too often", ""},
		"one is another": {func(ctx context.Context, t *testing.T, c *localaws.Cluster) {
			t.Helper()
			d := c.Documents(c.Indices()[0])[0]
			change(ctx, t, c, http.MethodPost, "/_bulk", "{\"index\":{\"_index\":\""+d.Index+"\",\"_id\":\""+d.ID+"\"}}\n{\"n\":77}\n")
		}, "5 records were put and index and error output hold 5; 1 are missing and 1 are there too often", "missing: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, notes := options(t, documents(5))
			o.Destination = localrun.ToOpenSearch
			var stack *localaws.Stack
			o = localrun.Prepared(o, func(s *localaws.Stack) { stack = s })
			o = localrun.Verifying(o, func(*s3.Client) { row.change(t.Context(), t, stack.Cluster()) })
			sum, err := localrun.Run(t.Context(), o)
			if !errors.Is(err, localrun.ErrNotIndexed) || !strings.HasSuffix(err.Error(), row.err) || sum.Verified || !strings.Contains(notes.String(), row.notes) {
				t.Errorf("Run = %+v, %v\n%s", sum, err, notes)
			}
			var out strings.Builder
			sum.Print(&out)
			if !strings.Contains(out.String(), "NOT VERIFIED: index and error output do not hold each record exactly once\n") {
				t.Errorf("it says\n%s", &out)
			}
		})
	}
}
