//go:build redshift

package killtest_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/localaws"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

const (
	loaderRole  = "arn:aws:iam::000000000000:role/copy"
	loaderTable = application + "-shardmill"
	markersDir  = "_shardmill/load/killed" // below the bucket's
)

// warehouse is a table of the warehouse of local services that live in this process.
type warehouse struct {
	*localaws.Warehouse

	stack          *localaws.Stack
	url            string // as Firehose has it
	user, password string // of archivers
}

// serveWarehouse serves the services, with a warehouse that has the tables events and loaded.
func serveWarehouse(t *testing.T, dir string, o localaws.WarehouseOptions) (*services, *warehouse) {
	t.Helper()
	s := &services{t: t, dir: filepath.Join(dir, "objects")}
	stack, err := localaws.New(localaws.Options{Dir: s.dir, Warehouse: o})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stack.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- stack.Serve(ctx, l) }()
	t.Cleanup(func() {
		stack.Faults().Clear()
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	s.endpoint = "http://" + l.Addr().String()
	s.env = stack.Environ(s.endpoint)
	cfg := aws.Config{
		Region: "us-east-1", BaseEndpoint: &s.endpoint, HTTPClient: deadline.Client(awshttp.NewBuildableClient(), time.Minute),
		Credentials: credentials.NewStaticCredentialsProvider(localaws.DefaultAccessKeyID, localaws.DefaultSecretAccessKey, ""),
	}
	s.kinesis, s.dynamodb = kinesis.NewFromConfig(cfg), dynamodb.NewFromConfig(cfg)

	w := &warehouse{Warehouse: stack.Warehouse(), stack: stack, user: localaws.DefaultDatabaseUser, password: localaws.DefaultDatabasePassword}
	w.AttachRole(loaderRole)
	w.rows(t, "CREATE TABLE events (n bigint not null, t varchar(200))")
	w.rows(t, redshiftarchive.LedgerDDL("loaded"))
	if o.PostgreSQL == "" { // in which a user is made when he logs in
		w.user, w.password = "loader", "Killed-Password-1"
		w.SetUser(w.user, w.password)
		w.rows(t, "GRANT INSERT ON events TO loader")
		w.rows(t, "GRANT SELECT, INSERT, UPDATE ON loaded TO loader")
	}
	addr, err := w.Addr()
	if err != nil {
		t.Fatal(err)
	}
	w.url = "jdbc:redshift://" + addr + "/" + localaws.DefaultDatabase
	return s, w
}

// rows returns what a statement brings.
func (w *warehouse) rows(t *testing.T, sql string) [][]*string {
	t.Helper()
	found, err := w.Query(t.Context(), sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return found.Rows
}

// markers returns the names of the markers that are there.
func (s *services) markers(t *testing.T) (names []string) {
	t.Helper()
	all, err := os.ReadDir(filepath.Join(s.dir, bucket, filepath.FromSlash(markersDir)))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, each := range all {
		names = append(names, each.Name())
	}
	return names
}

// areGone reports whether none of these markers is there.
func (s *services) areGone(t *testing.T, markers []string) bool {
	t.Helper()
	return !slices.ContainsFunc(s.markers(t), func(name string) bool { return slices.Contains(markers, name) })
}

// loader returns the worker that loads; "" if none does.
func (s *services) loader(t *testing.T) string {
	t.Helper()
	out, err := s.dynamodb.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String(loaderTable), Key: keyOf(application + "/killed"), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return "" // the first worker has not made the table yet
	}
	return attribute(out.Item, "leaseOwner")
}
