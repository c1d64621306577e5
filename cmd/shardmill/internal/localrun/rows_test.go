package localrun_test

import (
	"context"
	"errors"
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

// Each line is a row, whatever is in it, also where a file does not end in a newline.
func TestRows(t *testing.T) {
	t.Parallel()
	text := documents(500) + "no JSON\n\n,;|\t\"'\\N\n\\N\nNULL\n  spaces \n" + "Grüße, 世界\n" + "the last one"
	o, notes := options(t, text)
	o.Destination = localrun.ToRedshift
	sum, err := localrun.Run(t.Context(), o)
	if err != nil || !sum.Verified {
		t.Fatalf("Run = %+v, %v\n%s", sum, err, notes)
	}
	if sum.Records != 508 || sum.Rows != 508 || sum.NotLoaded != 0 || sum.ErrorsManifests != 0 || sum.Loads == 0 || sum.Objects == 0 || sum.Destination != "redshift" {
		t.Errorf("the summary is %+v", sum)
	}
	data, err := os.ReadFile(filepath.Join(o.Dir, "tables", "local.txt"))
	if err != nil {
		t.Fatal(err)
	}
	got, want := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n"), strings.Split(text, "\n")
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	var out strings.Builder
	sum.Print(&out)
	for _, line := range []string{"rows       508 in table local, by ", "not loaded 0, named by 0 ", "verified: every record that was put is in the table exactly once\n"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("it does not say %q:\n%s", line, &out)
		}
	}
}

// A line that no row can have keeps its batch from the table, as COPY does, and the errors
// manifest names the batch.
func TestRowsThatAreNotLoaded(t *testing.T) {
	t.Parallel()
	o, notes := options(t, documents(50)+strings.Repeat("x", 65536)+"\n")
	o.Shards, o.Destination = 1, localrun.ToRedshift
	sum, err := localrun.Run(t.Context(), o)
	if err != nil || !sum.Verified || sum.Rows+sum.NotLoaded != 51 || sum.NotLoaded == 0 || sum.ErrorsManifests == 0 {
		t.Fatalf("Run = %+v, %v\n%s", sum, err, notes)
	}
	var out strings.Builder
	sum.Print(&out)
	if !strings.Contains(out.String(), "that were not loaded, in an object that an errors manifest names\n") {
		t.Errorf("it says\n%s", &out)
	}
}

// A second run in one directory neither loads nor counts what is there, be it staged and
// not loaded.
func TestRowsTwice(t *testing.T) {
	t.Parallel()
	o, _ := options(t, documents(10))
	o.Destination = localrun.ToRedshift
	left := filepath.Join(o.Dir, "archive", "_shardmill", "1", "load", "local")
	if err := os.MkdirAll(left, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(left, "marker"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		sum, err := localrun.Run(t.Context(), o)
		if err != nil || !sum.Verified || sum.Rows != 10 || sum.NotLoaded != 0 {
			t.Errorf("Run = %+v, %v", sum, err)
		}
	}
	if _, err := os.Stat(filepath.Join(left, "marker")); err != nil {
		t.Error(err)
	}
}

// Answers that are lost, and a reshard, change nothing: the ledger has what is loaded. A
// COPY that fails is given up at once, and named.
func TestRowsAndFaults(t *testing.T) {
	t.Parallel()
	o, notes := options(t, documents(2000))
	o.Reshard, o.Destination = true, localrun.ToRedshift
	var faults []*localaws.ActiveFault
	o = localrun.Prepared(o, func(s *localaws.Stack) {
		for _, f := range []localaws.Fault{
			{Service: localaws.S3, Operation: "PutObject", After: 3, Times: 2, Kind: localaws.LostAnswer()},
			{Service: localaws.S3, Operation: "DeleteObject", Times: 2, Kind: localaws.LostAnswer()},
			{Service: localaws.DynamoDB, Operation: "UpdateItem", After: 3, Times: 2, Kind: localaws.LostAnswer()},
		} {
			faults = append(faults, s.Faults().Add(f))
		}
	})
	sum, err := localrun.Run(t.Context(), o)
	if err != nil || !sum.Verified || sum.Rows != 2000 || sum.NotLoaded != 0 || sum.Reshards != 2 {
		t.Errorf("Run = %+v, %v\n%s", sum, err, notes)
	}
	for i, f := range faults {
		if f.Hits() == 0 {
			t.Errorf("fault %d struck nothing", i)
		}
	}
}

// What is not in the table, is there twice, or is another row, is found and named.
func TestRowsThatAreNotThere(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ sql, err, notes string }{
		"all are gone":       {"DELETE FROM local", "5 records were put and table and errors manifests hold 0; 5 are missing and 0 are there too often", "missing: "},
		"one is there twice": {"INSERT INTO local VALUES ('{\"n\":1}')", "5 records were put and table and errors manifests hold 6; 0 are missing and 1 are there too often", ""},
		"one is missing":     {"DELETE FROM local WHERE record = '{\"n\":3}'", "5 records were put and table and errors manifests hold 4; 1 are missing and 0 are there too often", ":4\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, notes := options(t, documents(5))
			o.Destination = localrun.ToRedshift
			var stack *localaws.Stack
			o = localrun.Prepared(o, func(s *localaws.Stack) { stack = s })
			o = localrun.Verifying(o, func(*s3.Client) {
				if _, err := stack.Warehouse().Query(context.WithoutCancel(t.Context()), row.sql); err != nil {
					t.Error(err)
				}
			})
			sum, err := localrun.Run(t.Context(), o)
			if !errors.Is(err, localrun.ErrNotLoaded) || !strings.Contains(err.Error(), row.err) || sum.Verified || !strings.Contains(notes.String(), row.notes) {
				t.Errorf("Run = %+v, %v; it notes\n%s", sum, err, notes)
			}
			var out strings.Builder
			if sum.Print(&out); !strings.Contains(out.String(), "NOT VERIFIED: table and errors manifests") {
				t.Errorf("it says\n%s", &out)
			}
		})
	}
}
