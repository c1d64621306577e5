package localrun

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/archiver"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/verify"
	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// ErrNotLoaded means that the table, and what is named as not loaded, do not hold each
// record exactly once.
var ErrNotLoaded = errors.New("table and objects that were not loaded do not hold each record exactly once")

const (
	table  = "events" // of the database; a record is the value of its one column
	ledger = "loaded"
	role   = "arn:aws:iam::000000000000:role/copy"

	errorsManifests = "errors/manifests/" // in the bucket
)

// startWarehouse makes the tables, and returns what loads them.
func (j *job) startWarehouse(ctx context.Context) (*archiver.Loading, error) {
	w := j.stack.Warehouse()
	w.AttachRole(role)
	for _, sql := range []string{"CREATE TABLE " + table + " (record varchar(65535))", redshiftarchive.LedgerDDL(ledger)} {
		if _, err := w.Query(ctx, sql); err != nil {
			return nil, err
		}
	}
	address, err := w.Addr() //nolint:contextcheck // it listens until the stack ends
	if err != nil {
		return nil, err
	}
	user, password, database := w.Login()
	once := time.Duration(0) // the database is in this process: what it refuses once it refuses again
	return archiver.NewLoading(j.clients, &config.Warehouse{
		Load:    redshiftarchive.Config{DataTableName: table, CopyOptions: `delimiter '\001' gzip`, RetryDuration: &once, Ledger: ledger},
		URL:     config.JDBCURL{Text: "jdbc:redshift://" + address + "/" + database, Database: database},
		RoleARN: role,
		Login:   config.Login{Kind: config.LoginPassword, Username: user, Password: config.NewSecret(password)},
		Table:   config.LoaderTable{Name: stream + "-shardmill"},
	}, j.options(0))
}

// value is a record as the table has it: without the end of its line.
func value(record []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(record, []byte("\n")), []byte("\r"))
}

// forgetMarkers deletes markers of other runs: what they name was put by those, and would be
// loaded into this run's table.
func (j *job) forgetMarkers(ctx context.Context) error {
	_, prefix := j.options(0).Delivery.Markers()
	forgotten := 0
	for key := range j.before {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		if _, err := j.clients.S3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: &key}); err != nil {
			return fmt.Errorf("deleting the marker %s of another run: %w", key, err)
		}
		forgotten++
	}
	if forgotten > 0 {
		_, _ = fmt.Fprintf(j.o.Notes, "%d markers of an earlier run are removed: what they name is not loaded by this one\n", forgotten)
	}
	return nil
}

// awaitLoads returns when no marker is left.
func (j *job) awaitLoads(ctx context.Context) error {
	_, prefix := j.options(0).Delivery.Markers()
	for {
		list, err := j.clients.S3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(bucket), Prefix: &prefix, MaxKeys: aws.Int32(1)})
		if err != nil {
			return fmt.Errorf("listing markers: %w", err)
		}
		if len(list.Contents) == 0 {
			return nil
		}
		if err := pause.For(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// verifyLoads reads the table, and the objects that were not loaded, and compares them with
// what was put.
func (j *job) verifyLoads(ctx context.Context) (Summary, error) {
	var got verify.Multiset
	loads, err := j.readTable(ctx, got.Add)
	if err != nil {
		return Summary{}, fmt.Errorf("reading the table: %w", err)
	}
	rows := got.Records
	if err := j.eachNotLoaded(ctx, got.Add); err != nil {
		return Summary{}, fmt.Errorf("reading what was not loaded: %w", err)
	}
	var objects, size int64
	err = j.eachObject(ctx, func(key string, bytes int64) error {
		if !j.before[key] && !j.isAside(key) {
			objects, size = objects+1, size+bytes
		}
		return nil
	})
	if err != nil {
		return Summary{}, err
	}
	sum := j.summary(objects, size)
	sum.Destination, sum.Rows, sum.Loads, sum.NotLoaded = string(ToRedshift), rows, loads, got.Records-rows
	if j.put.Equal(&got) {
		return sum, nil
	}
	sum.Verified = false
	return sum, j.explainBy(&got, search{holds: "table and objects that were not loaded", broken: ErrNotLoaded, as: value, again: func(d *verify.Difference) error {
		if _, err := j.readTable(ctx, d.Got); err != nil {
			return err
		}
		return j.eachNotLoaded(ctx, d.Got)
	}})
}

// isAside reports whether an object is none of records.
func (j *job) isAside(key string) bool {
	return strings.HasPrefix(key, "manifests/") || strings.HasPrefix(key, errorsManifests) || strings.HasPrefix(key, "_shardmill/")
}

// readTable calls f with each row, and returns how many COPYs the ledger knows.
func (j *job) readTable(ctx context.Context, f func([]byte)) (loads int, err error) {
	w := j.stack.Warehouse()
	rows, err := w.Query(ctx, "SELECT record FROM "+table)
	if err != nil {
		return 0, err
	}
	for _, row := range rows.Rows {
		if row[0] == nil { // how COPY reads this
			f([]byte(`\N`))
			continue
		}
		f([]byte(*row[0]))
	}
	known, err := w.Query(ctx, "SELECT manifest FROM "+ledger)
	manifests := map[string]bool{}
	for _, row := range known.Rows {
		manifests[*row[0]] = true
	}
	return len(manifests), err
}

// eachNotLoaded calls f with each record of the objects that manifests of this run name as
// not loaded.
func (j *job) eachNotLoaded(ctx context.Context, f func([]byte)) error {
	return j.eachObject(ctx, func(key string, _ int64) error {
		if j.before[key] || !strings.HasPrefix(key, errorsManifests) {
			return nil
		}
		data, err := j.object(ctx, key)
		if err != nil {
			return fmt.Errorf("getting %s: %w", key, err)
		}
		var manifest struct{ Entries []struct{ URL string } }
		if err := json.Unmarshal(data, &manifest); err != nil {
			return fmt.Errorf("reading %s: %w", key, err)
		}
		for _, e := range manifest.Entries {
			if err := j.eachRecordOf(ctx, strings.TrimPrefix(e.URL, "s3://"+bucket+"/"), func(record []byte) { f(value(record)) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// printLoads writes what a run with Redshift has in its summary for people.
func (s Summary) printLoads(p func(format string, a ...any)) {
	p("rows       %d in table %s", s.Rows, table)
	p("loads      %d", s.Loads)
	p("not loaded %d", s.NotLoaded)
	p("staged     %d objects of %d bytes in %s, ratio %.2f", s.Objects, s.ObjectBytes, s.Directory, s.Ratio)
}

// verdictOfLoads says what was verified.
func (s Summary) verdictOfLoads() string {
	switch {
	case !s.Verified:
		return "NOT VERIFIED: table and objects that were not loaded do not hold each record exactly once"
	case s.NotLoaded == 0:
		return "verified: every record that was put is in exactly one row"
	default:
		return fmt.Sprintf("verified: every record that was put is in exactly one row, or, %d whose load failed, in an object that a manifest under %s names", s.NotLoaded, errorsManifests)
	}
}
