package check_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/archiver"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/leasedynamo"
	"github.com/shardmill/shardmill/processors"
)

// loaderTable makes the table of who loads, with a row of the job.
func (w *world) loaderTable() {
	w.Helper()
	t, err := leasedynamo.New(dynamodb.NewFromConfig(w.stack.AWSConfig()), leasedynamo.Options{TableName: "app-shardmill"})
	w.must(err)
	w.must(t.Ensure(w.Context()))
	job, others := loaderJobs()
	for _, job := range []string{others, job} {
		w.must(t.Create(w.Context(), lease.Lease{Key: job, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)}))
	}
	w.set("app-shardmill", "leaseKey", others, "leaseOwner", "another-job's")
}

// loaderJobs are who loads here, and what others load.
func loaderJobs() (job, others string) {
	return archiver.LoaderJob("app", "orders"), archiver.LoaderJob("orders", "app")
}

// The table of who loads is looked at as the application's is, and not written.
func TestTheLoadersTable(t *testing.T) {
	t.Parallel()
	job, others := loaderJobs()
	const found = "ok table app-shardmill: ACTIVE, with the key of a lease table, on demand, of the KCL 1.x and 2.x; dynamodb:DescribeTable and GetItem are permitted; dynamodb:Scan is permitted; "
	const create, write = "not checked writes to table app-shardmill: dynamodb:CreateTable, PutItem, ", "not checked writes to table app-shardmill: dynamodb:PutItem, "
	const markers = "not checked markers in bucket archive: s3:PutObject, GetObject and DeleteObject on archive/_shardmill/load/orders/*: needs a write; no rule of the bucket's lifecycle may remove them"
	for name, tt := range map[string]struct {
		make func(*world)
		want []string // what is said, each the beginning of a line
	}{
		"there is none": {func(*world) {}, []string{"ok table app-shardmill: there is none in region us-east-1; the first worker that stands ready to load creates it; ", create, markers}},
		"a worker loads": {func(w *world) {
			w.loaderTable()
			w.set("app-shardmill", "leaseKey", job, "leaseOwner", "host-2")
		}, []string{found + "worker host-2 was the last to load", write, markers}},
		"nobody loads": {func(w *world) { w.loaderTable() }, []string{found + "nobody loads", write}},
		"its row is damaged": {func(w *world) {
			w.loaderTable()
			w.set("app-shardmill", "leaseKey", job, "leaseCounter", "x")
		}, []string{"wrong table app-shardmill: its row app/orders cannot be read: ", write}},
		"another row is damaged": {func(w *world) {
			w.loaderTable()
			w.set("app-shardmill", "leaseKey", others, "leaseCounter", "x")
		}, []string{found + "nobody loads"}},
		"an application's table": {func(w *world) {
			w.loaderTable()
			t, err := leasedynamo.New(dynamodb.NewFromConfig(w.stack.AWSConfig()), leasedynamo.Options{TableName: "app-shardmill"})
			w.must(err)
			w.must(t.Create(w.Context(), row("shardId-000000000000", nil)))
		}, []string{"wrong table app-shardmill: lease table unusable: the table has the lease of a shard, shardId-000000000000: ", write}},
		"another table": {func(w *world) { w.otherTable("app-shardmill", "id") }, []string{"wrong table app-shardmill: ", write}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.o.LoaderTable = "app-shardmill"
				w.o.Delivery.DeliveryStreamName, w.o.Delivery.Load = "orders", &processors.Load{}
				w.stream()
				w.bucket("archive")
				w.table()
				tt.make(w)
				got, err := w.looks(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, want := range tt.want {
					if !strings.Contains("\n"+strings.Join(got, "\n"), "\n"+want) {
						t.Errorf("it does not say %q:\n%s", want, strings.Join(got, "\n"))
					}
				}
				w.wroteNothing()
			})
		})
	}
}
