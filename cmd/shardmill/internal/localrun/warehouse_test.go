package localrun_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/localrun"
	"github.com/shardmill/shardmill/localaws"
)

// Each line is a row, whatever is in it, with a reshard and answers that are lost, too.
func TestRedshift(t *testing.T) {
	t.Parallel()
	text := documents(2000) + "\n" + "a|b,\"c\"\\n'd'\r\n" + "\\N\n" + "é\t \n"
	o, notes := options(t, text)
	o.Reshard, o.Destination = true, localrun.ToRedshift
	var lost *localaws.ActiveFault
	o = localrun.Prepared(o, func(stack *localaws.Stack) {
		lost = stack.Faults().Add(localaws.Fault{Service: localaws.S3, Operation: "DeleteObject", Kind: localaws.LostAnswer(), Times: 1})
	})
	sum, err := localrun.Run(t.Context(), o)
	if err != nil || !sum.Verified || sum.Rows != 2004 || sum.Records != 2004 || sum.NotLoaded != 0 || sum.Loads == 0 || sum.Objects == 0 || lost.Hits() == 0 {
		t.Errorf("Run = %+v, %v\n%s", sum, err, notes)
	}
	var out strings.Builder
	sum.Print(&out)
	for _, line := range []string{"rows       2004 in table events\n", "not loaded 0\n", "verified: every record that was put is in exactly one row\n"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("it does not say %q:\n%s", line, &out)
		}
	}
}

// With answers of each service that are lost, and a reshard, each line is a row exactly once.
func TestRedshiftWithFaults(t *testing.T) {
	t.Parallel()
	o, notes := options(t, documents(2000))
	o.Reshard, o.Destination = true, localrun.ToRedshift
	lost := map[string]*localaws.ActiveFault{}
	o = localrun.Prepared(o, func(stack *localaws.Stack) {
		for operation, service := range map[string]string{"PutObject": localaws.S3, "DeleteObject": localaws.S3, "UpdateItem": localaws.DynamoDB} {
			lost[operation] = stack.Faults().Add(localaws.Fault{Service: service, Operation: operation, Kind: localaws.LostAnswer(), Times: 3})
		}
	})
	sum, err := localrun.Run(t.Context(), o)
	if err != nil || !sum.Verified || sum.Rows != 2000 || sum.Records != 2000 || sum.NotLoaded != 0 {
		t.Errorf("Run = %+v, %v\n%s", sum, err, notes)
	}
	for operation, f := range lost {
		if f.Hits() == 0 {
			t.Errorf("no answer of %s was lost", operation)
		}
	}
}

// A last line that has no end is a row as the others, and runs into no other record.
func TestRedshiftLastLine(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"a", "a\n\nb\r"} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			o, notes := options(t, text)
			o.Shards, o.Destination = 1, localrun.ToRedshift
			sum, err := localrun.Run(t.Context(), o)
			if want := int64(strings.Count(text, "\n") + 1); err != nil || !sum.Verified || sum.Rows != want || sum.NotLoaded != 0 {
				t.Errorf("Run = %+v, %v\n%s", sum, err, notes)
			}
		})
	}
}

// What Redshift refuses is in objects that a manifest names, and counted; that is no error
// of the run.
func TestRedshiftRefuses(t *testing.T) {
	t.Parallel()
	o, notes := options(t, "{\"n\":1}\nno UTF-8: \xff\n")
	o.Shards, o.Destination = 1, localrun.ToRedshift
	sum, err := localrun.Run(t.Context(), o)
	if err != nil || !sum.Verified || sum.Rows != 0 || sum.NotLoaded != 2 {
		t.Fatalf("Run = %+v, %v\n%s", sum, err, notes)
	}
	var out strings.Builder
	sum.Print(&out)
	if want := "verified: every record that was put is in exactly one row, or, 2 whose load failed, in an object that a manifest under errors/manifests/ names\n"; !strings.Contains(out.String(), want) {
		t.Errorf("it does not say %q:\n%s", want, &out)
	}
}

// A second run in one directory counts, and loads, nothing of what another one left there.
func TestRedshiftTwice(t *testing.T) {
	t.Parallel()
	o, notes := options(t, documents(10))
	o.Destination = localrun.ToRedshift
	for run := range 2 {
		sum, err := localrun.Run(t.Context(), o)
		if err != nil || !sum.Verified || sum.Rows != 10 || sum.Records != 10 {
			t.Errorf("run %d = %+v, %v\n%s", run, sum, err, notes)
		}
		shares := int64(0)
		for _, w := range sum.Workers {
			shares += w.Objects
		}
		if shares != sum.Objects {
			t.Errorf("the workers staged %d of %d objects", shares, sum.Objects)
		}
		left := filepath.Join(o.Dir, "archive", "_shardmill", "load", "local", "6801e1c0-8eaf-40d8-bea7-d6748d99e9c7")
		if err := os.MkdirAll(filepath.Dir(left), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(left, []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(notes.String(), "1 markers of an earlier run are removed") {
		t.Errorf("the notes do not say what became of markers:\n%s", notes)
	}
}

// Rows that are lost, or doubled, are found.
func TestRedshiftNotVerified(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ sql, says string }{
		"a row is gone":    {"DELETE FROM events WHERE record = '{\"n\":3}'", "10 records were put and table and objects that were not loaded hold 9; 1 are missing and 0 are there too often"},
		"a row is doubled": {"INSERT INTO events VALUES ('{\"n\":3}')", "hold 11; 0 are missing and 1 are there too often"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, notes := options(t, documents(10))
			o.Destination = localrun.ToRedshift
			var house *localaws.Warehouse
			o = localrun.Prepared(o, func(stack *localaws.Stack) { house = stack.Warehouse() })
			o = localrun.Verifying(o, func(*s3.Client) {
				if _, err := house.Query(t.Context(), row.sql); err != nil {
					t.Error(err)
				}
			})
			sum, err := localrun.Run(t.Context(), o)
			if sum.Verified || !errors.Is(err, localrun.ErrNotLoaded) || !strings.Contains(err.Error(), row.says) {
				t.Errorf("Run = %+v, %v\n%s", sum, err, notes)
			}
		})
	}
}
