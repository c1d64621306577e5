package localrun

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/lines"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/verify"
	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/lease/elected"
	"github.com/shardmill/shardmill/lease/leasedynamo"
	"github.com/shardmill/shardmill/localaws"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
	"github.com/shardmill/shardmill/processors/redshiftarchive/login"
	"github.com/shardmill/shardmill/processors/redshiftarchive/pgwire"
	"github.com/shardmill/shardmill/processors/s3archive"
)

// ErrNotLoaded means that the table and the objects of the errors manifests do not hold
// each record exactly once.
var ErrNotLoaded = errors.New("table and errors manifests do not hold each record exactly once")

// What a run with rows has in its warehouse.
const (
	tableName  = stream
	ledgerName = "shardmill_ledger"
	copyRole   = "arn:aws:iam::000000000000:role/local-copy"

	// copyOptions make a row of each line: no line of text has the delimiter.
	copyOptions = `DELIMITER '\037' GZIP`

	null = `\N` // the one line that becomes NULL

	rowsDir        = "tables" // below Options.Dir
	stagedPrefix   = "staged/"
	errorsManifest = stagedPrefix + "errors/manifests/"
)

// warehouse is what a run with rows loads into.
type warehouse struct {
	*localaws.Warehouse

	loader *redshiftarchive.Loader
	role   *elected.Role
	loads  atomic.Int64
}

// delivery is what the archivers of a run with rows do. Markers are apart from those that
// other runs have left in the directory, whose table is gone.
func (j *job) delivery(c processors.Config) processors.Config {
	c.Prefix, c.Load = stagedPrefix, &processors.Load{}
	c.Staging = fmt.Sprintf("s3://%s/_shardmill/%d/", bucket, j.began.UnixNano())
	return c
}

// startWarehouse makes the table and the ledger, and what loads.
func (j *job) startWarehouse(ctx context.Context) (*warehouse, error) {
	w := &warehouse{Warehouse: j.stack.Warehouse()}
	w.AttachRole(copyRole)
	for _, sql := range []string{"CREATE TABLE " + tableName + " (record varchar(65535))", redshiftarchive.LedgerDDL(ledgerName)} {
		if _, err := w.Query(ctx, sql); err != nil {
			return nil, fmt.Errorf("making the tables of the local warehouse: %w", err)
		}
	}
	addr, err := w.Addr() //nolint:contextcheck // it listens until the stack ends
	if err != nil {
		return nil, err
	}
	user, password, database := w.Login()
	db, err1 := pgwire.New(pgwire.Config{
		URL:   "jdbc:redshift://" + addr + "/" + database,
		Login: login.Password{Read: func(context.Context) (string, string, error) { return user, password, nil }},
	})
	store, err2 := s3archive.New(j.clients.S3, s3archive.Options{Logger: j.o.Logger})
	table, err3 := leasedynamo.New(j.clients.DynamoDB, leasedynamo.Options{TableName: stream + "-shardmill", Logger: j.o.Logger})
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	var once time.Duration // a table in this process refuses again what it refused
	w.loader, err1 = redshiftarchive.New(redshiftarchive.Config{
		Staging:       j.delivery(j.objectOptions(0).Delivery),
		DataTableName: tableName, CopyOptions: copyOptions, RetryDuration: &once, Ledger: ledgerName,
		Access: redshiftarchive.RoleAccess{ARN: copyRole}, Logger: j.o.Logger,
		Hooks: redshiftarchive.Hooks{
			Loaded:  func(e redshiftarchive.LoadedEvent) { j.noteLoaded(e.Records); w.loads.Add(1) },
			GivenUp: func(e redshiftarchive.GivenUpEvent) { j.noteLoaded(e.Records) },
		},
	}, store, db)
	w.role, err2 = elected.New(elected.Config{Table: table, Job: stream, WorkerID: "loader", FailoverTime: failover, Logger: j.o.Logger})
	return w, errors.Join(err1, err2)
}

func (j *job) noteLoaded(records int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.loaded += records
}

// loading calls work, and has what it stages loaded meanwhile, and after it until nothing is
// left, if anything is to be.
func (j *job) loading(ctx context.Context, work func()) {
	if j.house == nil {
		work()
		return
	}
	ctx, stop := context.WithCancel(ctx)
	var loading sync.WaitGroup
	loading.Go(func() {
		j.house.role.Run(ctx, func(ctx context.Context, t *elected.Term) error { return j.house.loader.Run(ctx, t.CheckTrust) })
	})
	defer loading.Wait()
	defer stop()
	work()
	for j.hasMarkers(ctx) {
		_ = pause.For(ctx, 50*time.Millisecond) // hasMarkers sees that ctx is done
	}
}

// hasMarkers reports whether something is staged and not loaded, or may be.
func (j *job) hasMarkers(ctx context.Context) bool {
	at, prefix := j.delivery(j.objectOptions(0).Delivery).Markers()
	out, err := j.clients.S3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &at, Prefix: &prefix, MaxKeys: aws.Int32(1)})
	return ctx.Err() == nil && (err != nil || len(out.Contents) > 0)
}

// asLine is a record as it is in a row.
func asLine(record []byte) []byte { return bytes.TrimSuffix(record, []byte("\n")) }

// verifyRows reads the table, and this run's objects that an errors manifest names, compares
// them with what was put, and writes the rows to a file.
func (j *job) verifyRows(ctx context.Context) (Summary, error) {
	var got verify.Multiset
	if err := j.readRows(ctx, got.Add); err != nil {
		return Summary{}, err
	}
	rows := got.Records
	failed, err := j.eachNotLoaded(ctx, got.Add)
	if err != nil {
		return Summary{}, fmt.Errorf("reading what was not loaded: %w", err)
	}
	var objects, size int64
	err = j.eachObject(ctx, func(key string, bytes int64) error {
		if j.isStaged(key) {
			objects, size = objects+1, size+bytes
		}
		return nil
	})
	if err != nil {
		return Summary{}, err
	}
	sum := j.summary(objects, size)
	sum.Destination, sum.Rows, sum.Loads, sum.NotLoaded, sum.ErrorsManifests = string(ToRedshift), rows, j.house.loads.Load(), got.Records-rows, failed
	if j.put.Equal(&got) {
		return sum, nil
	}
	sum.Verified = false
	return sum, j.explainBy(&got, search{holds: "table and errors manifests", broken: ErrNotLoaded, as: asLine, again: func(d *verify.Difference) error {
		if err := j.readRows(ctx, d.Got); err != nil {
			return err
		}
		_, err := j.eachNotLoaded(ctx, d.Got)
		return err
	}})
}

// isStaged reports whether a key is of an object with records that this run staged.
func (j *job) isStaged(key string) bool {
	name, ok := strings.CutPrefix(key, stagedPrefix)
	return ok && !j.before[key] && !strings.HasPrefix(name, "manifests/") && !strings.HasPrefix(name, "errors/")
}

// readRows calls f with each row, and writes all of them to a file.
func (j *job) readRows(ctx context.Context, f func([]byte)) error {
	found, err := j.house.Query(ctx, "SELECT record FROM "+tableName)
	if err != nil {
		return fmt.Errorf("reading the table: %w", err)
	}
	var text bytes.Buffer
	for _, row := range found.Rows {
		record := null
		if row[0] != nil {
			record = *row[0]
		}
		f([]byte(record))
		text.WriteString(record + "\n")
	}
	dir := filepath.Join(j.o.Dir, rowsDir)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("making a directory for rows: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, tableName+".txt"), text.Bytes(), 0o600); err != nil {
		return fmt.Errorf("writing the rows: %w", err)
	}
	return nil
}

// eachNotLoaded calls f with each record of the objects that this run's errors manifests
// name, and returns how many of these there are.
func (j *job) eachNotLoaded(ctx context.Context, f func([]byte)) (manifests int64, err error) {
	buf := bufio.NewReaderSize(nil, lines.MaxBytes)
	err = j.eachObject(ctx, func(key string, _ int64) error {
		if j.before[key] || !strings.HasPrefix(key, errorsManifest) {
			return nil
		}
		manifests++
		data, err := j.object(ctx, key)
		if err != nil {
			return fmt.Errorf("getting %s: %w", key, err)
		}
		var m struct {
			Entries []struct {
				URL string `json:"url"`
			} `json:"entries"`
		}
		if err := json.Unmarshal(data, &m); err != nil {
			return fmt.Errorf("reading %s: %w", key, err)
		}
		for _, e := range m.Entries {
			if err := j.lines(ctx, strings.TrimPrefix(e.URL, "s3://"+bucket+"/"), buf, func(line []byte) { f(asLine(line)) }); err != nil {
				return err
			}
		}
		return nil
	})
	return manifests, err
}

// printRows writes what a run with rows has in its summary for people.
func (s Summary) printRows(p func(format string, a ...any)) {
	p("staged     %d objects in %s, %d bytes compressed, ratio %.2f", s.Objects, s.Directory, s.ObjectBytes, s.Ratio)
	p("rows       %d in table %s, by %d COPYs", s.Rows, tableName, s.Loads)
	p("not loaded %d, named by %d manifests under %s", s.NotLoaded, s.ErrorsManifests, errorsManifest)
}

// verdictOfRows says what was verified.
func (s Summary) verdictOfRows() string {
	switch {
	case !s.Verified:
		return "NOT VERIFIED: table and errors manifests do not hold each record exactly once"
	case s.NotLoaded == 0:
		return "verified: every record that was put is in the table exactly once"
	default:
		return fmt.Sprintf("verified: every record that was put is exactly once in the table, or, %d that were not loaded, in an object that an errors manifest names", s.NotLoaded)
	}
}
