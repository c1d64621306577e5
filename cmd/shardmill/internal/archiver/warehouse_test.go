package archiver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/archiver"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/leasedynamo"
	"github.com/shardmill/shardmill/localaws"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// canary is a password that shows nowhere.
const canary = "Canary-Password-77"

// cloud is AWS as far as logins ask it: each operation is answered once it is known.
type cloud struct {
	*httptest.Server

	mu    sync.Mutex
	asked []string // what was asked, and of which region
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	c := &cloud{}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

// ServeHTTP implements http.Handler.
func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	_ = r.ParseForm()
	target := r.Header.Get("X-Amz-Target")
	_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "/")
	region := strings.Split(scope+"//", "/")[1]
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, region+" "+target+" "+string(body))
	end := time.Now().Add(15 * time.Minute)
	switch {
	case target == "secretsmanager.GetSecretValue":
		_, _ = io.WriteString(w, `{"SecretString": "{\"username\": \"loader\", \"password\": \"`+canary+`\"}"}`)
	case target == "RedshiftServerless.GetCredentials":
		_, _ = fmt.Fprintf(w, `{"dbUser": "IAMR:loader", "dbPassword": "%s", "expiration": %d}`, canary, end.Unix())
	case strings.Contains(string(body), "Action=GetClusterCredentials"):
		action := "GetClusterCredentials"
		if strings.Contains(string(body), "WithIAM") {
			action += "WithIAM"
		}
		_, _ = fmt.Fprintf(w, "<A><%sResult><DbUser>IAM:loader</DbUser><DbPassword>%s</DbPassword><Expiration>%s</Expiration></%sResult></A>", action, canary, end.UTC().Format(time.RFC3339), action)
	default:
		http.Error(w, `{"__type": "ValidationException", "message": "no"}`, http.StatusBadRequest)
	}
}

func (c *cloud) all() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.asked, "\n")
}

// toRedshift returns what a file says of Redshift.
func toRedshift(t *testing.T, url, members, keys string) config.Config {
	t.Helper()
	c, err := config.Load("f", []byte(`DeliveryStreamName: orders
KinesisStreamSourceConfiguration: {KinesisStreamARN: "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}
RedshiftDestinationConfiguration:
  RoleARN: arn:aws:iam::123456789012:role/copy
  ClusterJDBCURL: `+url+`
  CopyCommand: {DataTableName: events}
  S3Configuration: {BucketARN: "arn:aws:s3:::archive"}
`+members+"shardmill: {"+keys+"}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Each login is one that the database takes, and asks AWS for what it needs, in the region
// of the cluster; none shows the password.
func TestLogins(t *testing.T) {
	t.Parallel()
	stack, err := localaws.New(localaws.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stack.Close() })
	house := stack.Warehouse()
	for _, user := range []string{"loader", "IAM:loader", "IAMR:loader"} {
		house.SetUser(user, canary)
		for _, sql := range []string{"CREATE TABLE IF NOT EXISTS events (n bigint)", `GRANT SELECT, INSERT ON events TO "` + user + `"`} {
			if _, err := house.Query(t.Context(), sql); err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
		}
	}
	addr, err := house.Addr()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(canary+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const cluster = "jdbc:redshift://orders.abc.eu-west-1.redshift.amazonaws.com:5439/dev"
	const workgroup = "jdbc:redshift://wg1.123456789012.eu-west-1.redshift-serverless.amazonaws.com:5439/dev"
	secret := "  SecretsManagerConfiguration: {Enabled: true, SecretARN: 'arn:aws:secretsmanager:eu-north-1:123456789012:secret:db'}\n"
	here := "clusterEndpoint: '" + addr + "', "
	for name, row := range map[string]struct {
		url, members, keys string
		asked              string // what of AWS is asked, in part; "" for nothing
		fault              string // what Check says; "" for nothing
	}{
		"a password":       {"jdbc:redshift://" + addr + "/dev", "  Username: loader\n  Password: " + canary + "\n", "", "", ""},
		"a wrong password": {"jdbc:redshift://" + addr + "/dev", "  Username: loader\n  Password: " + canary + "x\n", "", "", "Redshift.AuthenticationFailed"},
		"a file":           {"jdbc:redshift://" + addr + "/dev", "  Username: loader\n", "passwordFile: " + file, "", ""},
		"no file":          {"jdbc:redshift://" + addr + "/dev", "  Username: loader\n", "passwordFile: /none", "", "no such file"},
		"a secret":         {"jdbc:redshift://" + addr + "/dev", secret, "", "eu-north-1 secretsmanager.GetSecretValue {\"SecretId\":\"arn:aws:secretsmanager:eu-north-1:123456789012:secret:db\"}", ""},
		"IAM": {
			"jdbc:redshift://" + addr + "/dev", "", "login: iam, clusterIdentifier: orders",
			"us-east-1  Action=GetClusterCredentialsWithIAM&ClusterIdentifier=orders&DbName=dev&", "",
		},
		"IAM, a user": {
			"jdbc:redshift://" + addr + "/dev", "", "login: iam, clusterIdentifier: other, dbUser: loader",
			"us-east-1  Action=GetClusterCredentials&AutoCreate=false&ClusterIdentifier=other&DbName=dev&DbUser=loader&", "",
		},
		"IAM, a workgroup":        {"jdbc:redshift://" + addr + "/dev", "", "login: iam, workgroup: wg1", "us-east-1 RedshiftServerless.GetCredentials {\"dbName\":\"dev\",", ""},
		"IAM, by a tunnel":        {cluster, "", here + "login: iam", "eu-west-1  Action=GetClusterCredentialsWithIAM&ClusterIdentifier=orders&DbName=dev&", "Redshift.SslNotSupported"},
		"IAM, the URL's own name": {workgroup, "", here + "login: iam", "eu-west-1 RedshiftServerless.GetCredentials {\"dbName\":\"dev\",", "Redshift.SslNotSupported"},
		"the Data API":            {cluster, "", "login: dataApi, dbUser: loader", "eu-west-1 RedshiftData.ExecuteStatement {\"ClientToken\":", "no"},
		"the Data API, a secret": {
			workgroup, secret, "login: dataApi", "\"SecretArn\":\"arn:aws:secretsmanager:eu-north-1:123456789012:secret:db\"", "no",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			aws1 := newCloud(t)
			core, logs := observer.New(zap.DebugLevel)
			cfg := aws.Config{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("AKID", "s", ""), BaseEndpoint: aws.String(aws1.URL), HTTPClient: http.DefaultClient}
			c := toRedshift(t, row.url, row.members, row.keys)
			db, err := archiver.NewDatabase(cfg, c.Warehouse, zap.New(core))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err = db.Check(ctx, redshiftarchive.Tables{Table: "events"})
			switch {
			case row.fault == "" && err != nil:
				t.Errorf("it is not checked: %v", err)
			case row.fault != "" && (err == nil || !strings.Contains(err.Error(), row.fault)):
				t.Errorf("it fails with %v", err)
			}
			if asked := aws1.all(); !strings.Contains(asked, row.asked) || row.asked == "" && asked != "" {
				t.Errorf("AWS was asked %q", asked)
			}
			for _, text := range []string{fmt.Sprintf("%v %+v", err, err), fmt.Sprint(logs.All()), fmt.Sprintf("%+v", c.Warehouse)} {
				if strings.Contains(text, canary) {
					t.Errorf("it shows: %s", text)
				}
			}
		})
	}
}

// A loader runs beside what it is called with, and has ended when that has; a table of its
// own has its lease, billed as the file says.
func TestLoadingEndsWithTheWorker(t *testing.T) {
	t.Parallel()
	stack, err := localaws.New(localaws.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stack.Close() })
	clients := archiver.Clients{DynamoDB: dynamodb.NewFromConfig(stack.AWSConfig()), S3: s3.NewFromConfig(stack.AWSConfig(), stack.S3Options), Config: stack.AWSConfig()}
	c := toRedshift(t, "jdbc:redshift://127.0.0.1:1/dev", "  Username: loader\n  Password: "+canary+"\n", "loaderBilling: {read: 3, write: 4}, applicationName: app")
	core, logs := observer.New(zap.DebugLevel)
	o := archiver.Options{Worker: c.Worker, Delivery: c.Delivery}
	o.Worker.WorkerID, o.Worker.Logger, o.Worker.FailoverTime = "me", zap.New(core), 2*time.Second
	l, err := archiver.NewLoading(clients, c.Warehouse, o)
	if err != nil {
		t.Fatal(err)
	}
	ended := errors.New("it ended")
	describe := func() (*dynamodb.DescribeTableOutput, error) {
		return clients.DynamoDB.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String("app-shardmill")})
	}
	until := func(is func() bool) bool {
		for range 1000 {
			if is() {
				return true
			}
			time.Sleep(20 * time.Millisecond) // between two looks
		}
		return false
	}
	table, err := leasedynamo.New(clients.DynamoDB, leasedynamo.Options{TableName: "app-shardmill", NeverCreate: true})
	if err != nil {
		t.Fatal(err)
	}
	row := func() lease.Lease {
		row, err := table.Get(t.Context(), archiver.LoaderJob("app", "orders"))
		if err != nil {
			t.Error(err)
		}
		return row
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err = l.While(ctx, func() error {
		if !until(func() bool { return logs.FilterMessage("lease taken").Len() > 0 }) {
			return nil
		}
		cancel() // run goes on for a while, and who loads does too
		at := row().Counter
		if !until(func() bool { r := row(); return r.Owner == "me" && r.Counter > at+1 }) {
			t.Errorf("the lease is not held until it returns: %+v", row())
		}
		return ended
	})
	if err != ended { //nolint:errorlint // it is passed on
		t.Fatalf("it returns %v; %v", err, logs.All())
	}
	if n := logs.FilterMessage("lease released").Len(); n != 1 {
		t.Errorf("%d leases are released: %v", n, logs.All())
	}
	out, err := describe()
	if err != nil || *out.Table.ProvisionedThroughput.ReadCapacityUnits != 3 || *out.Table.ProvisionedThroughput.WriteCapacityUnits != 4 {
		t.Errorf("the table: %v %+v", err, out)
	}
	if names, err := clients.DynamoDB.ListTables(t.Context(), &dynamodb.ListTablesInput{}); err != nil || !slices.Equal(names.TableNames, []string{"app-shardmill"}) {
		t.Errorf("tables: %v, %v", names.TableNames, err)
	}
}

// All that is wrong with what only a loader's parts know is told at once, without I/O.
func TestWarehouseIsChecked(t *testing.T) {
	t.Parallel()
	good := toRedshift(t, "jdbc:redshift://127.0.0.1:1/dev", "  Username: loader\n  Password: "+canary+"\n", "caFile: /none")
	o := archiver.Options{Worker: good.Worker, Delivery: good.Delivery}
	if err := archiver.CheckWarehouse(good.Warehouse, o); err != nil {
		t.Errorf("it refuses %v", err)
	}
	bad := *good.Warehouse
	bad.URL.Text, bad.Load.CopyOptions, bad.RoleARN = "jdbc:mysql://h:1/d", "gzip", "role"
	err := archiver.CheckWarehouse(&bad, o)
	for _, says := range []string{"ClusterJDBCURL", "Redshift.CompressionMismatch", "Access.ARN"} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("it does not say %s: %v", says, err)
		}
	}
	if _, err := archiver.NewLoading(archiver.Clients{}, &bad, o); err == nil {
		t.Error("it is loaded")
	}
}

// A loader knows whose markers it loads.
func TestLoaderKnowsItsSource(t *testing.T) {
	t.Parallel()
	for arn, want := range map[string]string{"": "clicks", "arn:aws:kinesis:us-east-1:123456789012:stream/clicks": "arn:aws:kinesis:us-east-1:123456789012:stream/clicks"} {
		o := archiver.Options{Worker: kcl.Config{ApplicationName: "app", StreamName: "clicks", StreamARN: arn}}
		if c := archiver.LoaderConfig(aws.Config{}, &config.Warehouse{}, o); c.Application != "app" || c.Stream != want {
			t.Errorf("application %q, stream %q; want app, %q", c.Application, c.Stream, want)
		}
	}
}
