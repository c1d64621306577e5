//go:build redshift

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/localaws"
)

// duckdb, which is not ours, reads the staged objects that the manifests list, and finds the
// rows that the table has.
func TestStagedObjectsHaveTheRows(t *testing.T) {
	t.Parallel()
	python := os.Getenv("DUCKDB_PYTHON")
	if python == "" {
		t.Fatal("DUCKDB_PYTHON is not set; scripts/redshift.sh sets it")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	stack, env := serve(t)
	url := serveWarehouse(t, stack)
	for _, sql := range []string{
		"DROP TABLE events",
		"CREATE TABLE events (n bigint not null, name varchar(100), amount decimal(18,2), ratio double precision, ok boolean, day date, missing varchar(10))",
		"GRANT INSERT ON events TO loader",
	} {
		if _, err := stack.Warehouse().Query(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	const records, columns = 2000, "n,name,amount,ratio,ok,day,missing"
	var text strings.Builder
	for n := range records {
		name := []string{`"Grüße"`, `"a,b|\"c\"\t\\"`, `""`, "null", `"世界"`}[n%5]
		fmt.Fprintf(&text, `{"n":%d,"name":%s,"amount":%d.25,"ratio":%d.5,"ok":%t,"day":"2026-%02d-17","more":{"n":1}}`+"\n", n, name, n*7, -n, n%3 == 0, n%12+1)
	}
	putLines(ctx, t, env, text.String())
	h := startHealthy(ctx, t, env, toWarehouse(url, "", "  ledger: loaded\n"))
	h.until(ctx, "all records are loaded", func() bool { return h.metric("DeliveryToRedshift_Records") == records })

	out, err := stack.Warehouse().Query(ctx, "SELECT "+columns+" FROM events")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, row := range out.Rows {
		if ok := row[4]; ok != nil { // "t" and "f"
			row[4] = aws.String(map[string]string{"t": "true", "f": "false"}[*ok])
		}
		line, err := json.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, string(line))
	}
	files := manifestFiles(t, stack)
	printed, err := exec.CommandContext(ctx, python, append([]string{filepath.Join("testdata", "staged.py"), columns}, files...)...).Output()
	if err != nil {
		t.Fatalf("duckdb: %v", err)
	}
	var found []string
	for line := range strings.Lines(string(printed)) {
		var row []*string
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, string(text))
	}
	slices.Sort(rows)
	slices.Sort(found)
	if diff := cmp.Diff(rows, found); diff != "" || len(found) != records {
		t.Errorf("%d rows in %d files (-table +duckdb):\n%s", len(found), len(files), diff)
	}
}

// manifestFiles writes the objects that the manifests list to files.
func manifestFiles(t *testing.T, stack *localaws.Stack) (files []string) {
	t.Helper()
	dir, client := t.TempDir(), s3.NewFromConfig(stack.AWSConfig(), stack.S3Options)
	read := func(key string) []byte {
		out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("archive"), Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(out.Body)
		if err := errors.Join(err, out.Body.Close()); err != nil {
			t.Fatal(err)
		}
		return data
	}
	for _, key := range keysOf(t, stack) {
		if !strings.HasPrefix(key, "rs/manifests/") {
			continue
		}
		var m struct {
			Entries []struct{ URL string }
		}
		if err := json.Unmarshal(read(key), &m); err != nil {
			t.Fatal(err)
		}
		for _, e := range m.Entries {
			name := filepath.Join(dir, fmt.Sprint(len(files), ".gz"))
			if err := os.WriteFile(name, read(strings.TrimPrefix(e.URL, "s3://archive/")), 0o600); err != nil {
				t.Fatal(err)
			}
			files = append(files, name)
		}
	}
	return files
}
