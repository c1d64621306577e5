package points_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/shardmill/shardmill/lease/elected"
	"github.com/shardmill/shardmill/lease/leasedynamo"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
	"github.com/shardmill/shardmill/processors/redshiftarchive/dataapi"
)

// Where the worlds that load have what belongs to that.
const (
	deliveryStream  = "d" // and the key of the loader's lease
	jobsTable       = leaseTable + "-shardmill"
	markersPrefix   = "_shardmill/load/" + deliveryStream + "/"
	manifestsPrefix = "manifests/"
	errorsManifests = "errors/manifests/"
	copyRole        = "arn:aws:iam::000000000000:role/load"
	rowsTable       = "lines"
	ledgerTable     = "ledger"

	mostOfARow = 12 // bytes: what is longer is refused
)

// isManifest reports whether a key is of a manifest.
func isManifest(key string) bool {
	return strings.HasPrefix(key, manifestsPrefix) || strings.HasPrefix(key, errorsManifests)
}

func isMarker(key string) bool { return strings.HasPrefix(key, markersPrefix) }

// makeWarehouse makes the tables of a world that loads.
func (w *world) makeWarehouse() {
	house := w.stack.Warehouse()
	house.AttachRole(copyRole)
	for _, sql := range []string{fmt.Sprintf("CREATE TABLE %s (line varchar(%d))", rowsTable, mostOfARow), redshiftarchive.LedgerDDL(ledgerTable)} {
		w.must(house.Query(w.t.Context(), sql))
	}
}

// loader is what loads on one machine.
type loader struct {
	role *elected.Role
	run  elected.Job
}

// newLoader returns what loads on a machine, through the Data API. A batch is tried once: a
// row that is too long has it named under errors/manifests/.
func (w *world) newLoader(m *machine, cfg aws.Config, staging processors.Config, store redshiftarchive.Store) (*loader, error) {
	db, err1 := dataapi.New(dataapi.Config{AWS: cfg, WorkgroupName: "w", Database: "dev"})
	table, err2 := leasedynamo.New(dynamodb.NewFromConfig(cfg), leasedynamo.Options{TableName: jobsTable, Logger: m.log})
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	l, err1 := redshiftarchive.New(redshiftarchive.Config{
		Staging: staging, DataTableName: rowsTable, RetryDuration: new(time.Duration), Ledger: ledgerTable,
		Access: redshiftarchive.RoleAccess{ARN: copyRole}, Logger: m.log,
	}, store, db)
	role, err2 := elected.New(elected.Config{Table: table, Job: deliveryStream, WorkerID: m.name, FailoverTime: failover, Logger: m.log})
	return &loader{role, func(ctx context.Context, t *elected.Term) error { return l.Run(ctx, t.CheckTrust) }}, errors.Join(err1, err2)
}

// while calls run, and stands ready to load meanwhile. A nil loader only calls it.
func (l *loader) while(ctx context.Context, run func() error) error {
	if l == nil {
		return run()
	}
	ctx, stop := context.WithCancel(ctx)
	var loading sync.WaitGroup
	loading.Go(func() { l.role.Run(ctx, l.run) })
	defer loading.Wait()
	defer stop()
	return run()
}

// readJob tells a request that is about the lease of the job.
func readJob(operation string, b body) request {
	switch {
	case operation != "UpdateItem":
		return request{}
	case b.update() == take:
		return request{point: elect}
	case b.update() == renew:
		return request{point: renewJob}
	default:
		return request{}
	}
}

// readLoading tells a request to S3 that is about markers and manifests.
func readLoading(r *http.Request, key string, q url.Values) (request, bool) {
	out := request{object: key}
	switch {
	case r.Method == http.MethodGet && strings.HasPrefix(q.Get("prefix"), markersPrefix):
		out.point = listMarkers
	case isMarker(key):
		out.point = map[string]point{
			http.MethodPut: mark, http.MethodHead: awaitLoad, http.MethodGet: readMarker, http.MethodDelete: unmark,
		}[r.Method]
	case strings.HasPrefix(key, errorsManifests):
		out.point = nameFailed
	case strings.HasPrefix(key, manifestsPrefix):
		out.point = putManifest
	default:
		return out, false
	}
	return out, true
}

// lineData is what is put where records are loaded: now and then a row that is too long.
func lineData(n, i int) []byte {
	if n%12 == 7 {
		return fmt.Appendf(nil, "%d.%d.too long for a row\n", n, i)
	}
	return fmt.Appendf(nil, "%d.%d\n", n, i)
}

// judgeLoads checks that each record is in the table once, or in an object that an errors
// manifest names.
func (w *world) judgeLoads(contents map[string][]string) {
	left := w.keys(markersPrefix)
	named := map[string]bool{}
	for _, key := range w.keys(errorsManifests) {
		body, err := w.content(bucket, key)
		var m struct{ Entries []struct{ URL string } }
		if err = errors.Join(err, json.Unmarshal(body, &m)); err != nil {
			w.fail("the manifest %s: %v", key, err)
		}
		for _, e := range m.Entries {
			for _, line := range contents[strings.TrimPrefix(e.URL, "s3://"+bucket+"/")] {
				named[line] = true
			}
		}
	}
	found, err := w.stack.Warehouse().Query(w.t.Context(), "SELECT line FROM "+rowsTable)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil || len(left) > 0 {
		w.violate("reading the table: %v; markers are left: %v", err, left)
	}
	rows := map[string]int{}
	for _, row := range found.Rows {
		rows[*row[0]+"\n"]++
	}
	for key, rs := range w.records {
		for _, r := range rs {
			n, isRow := rows[r.data], len(r.data) <= mostOfARow
			if n > 1 || n == 0 && !named[r.data] || n > 0 && !isRow {
				w.violate("record %.20q of %s is %d rows, and named: %v", r.data, key, n, named[r.data])
			}
			delete(rows, r.data)
		}
	}
	if len(rows) > 0 {
		w.violate("rows of no record: %v", rows)
	}
	for key, r := range w.rows {
		if !strings.HasPrefix(key, "shardId-") {
			w.violate("the application's table has the row %s: %+v", key, r)
		}
	}
	if len(w.jobs) != 1 || !slices.Contains(w.jobs, deliveryStream) {
		w.violate("the table of jobs has had the rows %v", w.jobs)
	}
}
