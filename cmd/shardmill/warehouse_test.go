package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/localaws"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// canary is the password of the database, which shows nowhere.
const canary = "Canary-Password-77"

const copyRole = "arn:aws:iam::123456789012:role/copy"

// serveWarehouse makes a warehouse of the stack with a user whose password is canary, a
// table events and a ledger, and returns its URL.
func serveWarehouse(t *testing.T, stack *localaws.Stack) string {
	t.Helper()
	w := stack.Warehouse()
	w.SetUser("loader", canary)
	w.AttachRole(copyRole)
	for _, sql := range []string{
		"CREATE TABLE events (n bigint not null)", redshiftarchive.LedgerDDL("loaded"),
		"GRANT INSERT ON events TO loader", "GRANT SELECT, INSERT, UPDATE ON loaded TO loader",
	} {
		if _, err := w.Query(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	addr, err := w.Addr()
	if err != nil {
		t.Fatal(err)
	}
	return "jdbc:redshift://" + addr + "/" + localaws.DefaultDatabase
}

// toWarehouse is a file with a destination of Redshift, and members of it and of the
// shardmill key.
func toWarehouse(url, members string, keys ...string) string {
	return `DeliveryStreamName: orders
KinesisStreamSourceConfiguration: {KinesisStreamARN: "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}
RedshiftDestinationConfiguration:
  RoleARN: ` + copyRole + `
  ClusterJDBCURL: ` + url + `
  Username: loader
  Password: ` + canary + `
  CopyCommand: {DataTableName: events, CopyOptions: "json 'auto' gzip"}
  S3Configuration: {BucketARN: "arn:aws:s3:::archive", Prefix: rs/, BufferingHints: {SizeInMBs: 1, IntervalInSeconds: 1}, CompressionFormat: GZIP}
` + members + "shardmill:\n  failoverTimeSeconds: 2\n  healthAddress: 127.0.0.1:0\n" + strings.Join(keys, "")
}

// column returns the values of the first column of a query, sorted.
func column(t *testing.T, w *localaws.Warehouse, sql string) (all []string) {
	t.Helper()
	r, err := w.Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range r.Rows {
		all = append(all, *row[0])
	}
	slices.Sort(all)
	return all
}

// numbered is lines of JSON, and their numbers, sorted.
func numbered(n int) (text string, numbers []string) {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{\"n\":%d}\n", i)
		numbers = append(numbers, strconv.Itoa(i))
	}
	slices.Sort(numbers)
	return b.String(), numbers
}

// The whole job with Redshift: each record is a row once, nothing waits behind, metrics and
// health tell of it, and the password shows nowhere.
func TestArchiveLoads(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string][]string{
		"a ledger":                {"  ledger: loaded\n"},
		"a ledger, and on a load": {"  ledger: loaded\n", "  commitOn: load\n"},
		"no ledger, a session":    {"  copyCredentials: session\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			stack, env := serve(t)
			url := serveWarehouse(t, stack)
			text, want := numbered(300)
			putLines(ctx, t, env, text)
			h := startHealthy(ctx, t, env, toWarehouse(url, "", keys...))
			h.until(ctx, "all records are loaded", func() bool { return h.metric("DeliveryToRedshift_Records") == 300 })
			if diff := cmp.Diff(want, column(t, stack.Warehouse(), "SELECT n FROM events")); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			h.until(ctx, "nothing waits", func() bool { return h.metric("MarkersWaiting") == 0 && h.metric("ShardsAwaitingLoad") == 0 })
			for name, want := range map[string]float64{"DeliveryToS3_Records": 300, "Loader": 1, "LoadsGivenUp": 0, "PutFailed": 0} {
				if got := h.metric(name); got != want {
					t.Errorf("%s is %v, want %v", name, got, want)
				}
			}
			if tried, done := h.metric("LoadTries"), h.metric("DeliveryToRedshift_Success"); tried != done || done == 0 {
				t.Errorf("%v of %v tries", done, tried)
			}
			h.want("/readyz", http.StatusOK, "ready")
			if _, body := h.get("/readyz?verbose"); !strings.Contains(body, "\nloader: this worker, for ") {
				t.Errorf("it does not say who loads: %s", body)
			}
			if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			log := <-h.ended
			_ = h.cmd.Wait()
			if !strings.Contains(log, `"what is staged is loaded by one of the workers"`) || strings.Contains(log, canary) || hasKeys(log, env) {
				t.Errorf("the log does not say who loads, or says too much:\n%s", log)
			}
			checkStaged(t, stack, keys[0] == "  ledger: loaded\n")
		})
	}
}

// hasKeys reports whether a text has the secret keys of an environment.
func hasKeys(text string, env []string) bool {
	return slices.ContainsFunc(env, func(each string) bool {
		name, value, _ := strings.Cut(each, "=")
		return (name == "AWS_SECRET_ACCESS_KEY" || name == "AWS_SESSION_TOKEN") && value != "" && strings.Contains(text, value)
	})
}

// checkStaged checks that all that was staged is there, and no marker, and is in the ledger.
func checkStaged(t *testing.T, stack *localaws.Stack, ledger bool) {
	t.Helper()
	var staged, manifests []string
	for _, key := range keysOf(t, stack) {
		switch {
		case strings.HasPrefix(key, "rs/manifests/"):
			manifests = append(manifests, key)
		case strings.HasPrefix(key, "rs/20"):
			staged = append(staged, "s3://archive/"+key)
		default:
			t.Errorf("there is %s", key)
		}
	}
	if len(staged) == 0 || len(manifests) == 0 {
		t.Errorf("%d objects and %d manifests", len(staged), len(manifests))
	}
	if !ledger {
		staged = nil
	}
	slices.Sort(staged)
	if diff := cmp.Diff(staged, column(t, stack.Warehouse(), "SELECT object FROM loaded")); diff != "" {
		t.Errorf("the ledger (-want +got):\n%s", diff)
	}
}

// keysOf returns the keys of the bucket.
func keysOf(t *testing.T, stack *localaws.Stack) (keys []string) {
	t.Helper()
	out, err := s3.NewFromConfig(stack.AWSConfig(), stack.S3Options).ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("archive")})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range out.Contents {
		keys = append(keys, aws.ToString(o.Key))
	}
	return keys
}

// What cannot be loaded is named under errors/manifests/, ends readiness and not the
// archiver, and shows no password; what comes then is loaded.
func TestArchiveGivesUpALoad(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	stack, env := serve(t)
	url := serveWarehouse(t, stack)
	putLines(ctx, t, env, "{\"n\":1}\nno JSON\n")
	h := startHealthy(ctx, t, env, toWarehouse(url, "  RetryOptions: {DurationInSeconds: 0}\n"))
	h.until(ctx, "a batch is given up", func() bool {
		code, body := h.get("/readyz")
		return code == http.StatusServiceUnavailable && strings.HasPrefix(body, "not ready: a restart does not mend this: not-loaded\n") && strings.Contains(body, "s3://archive/rs/errors/manifests/")
	})
	if n := h.metric("LoadsGivenUp"); n == 0 || h.metric("DeliveryToS3_Records") != 2 {
		t.Errorf("%v batches are given up", n)
	}
	putLines(ctx, t, env, "{\"n\":2}\n{\"n\":3}\n")
	h.until(ctx, "it is ready", func() bool {
		code, _ := h.get("/readyz")
		return code == http.StatusOK && h.metric("DeliveryToRedshift_Records") >= 2
	})
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	log := <-h.ended
	_ = h.cmd.Wait()
	if strings.Contains(log, canary) || strings.Contains(log, "no JSON") || !strings.Contains(log, "Redshift.DataLoadFailed") {
		t.Errorf("the log says too much, or not enough:\n%s", log)
	}
	failed := 0
	for _, key := range keysOf(t, stack) {
		if strings.HasPrefix(key, "rs/errors/manifests/") {
			failed++
		}
	}
	if rows := column(t, stack.Warehouse(), "SELECT n FROM events"); failed == 0 || !slices.Contains(rows, "2") || !slices.Contains(rows, "3") {
		t.Errorf("%d manifests, rows %v", failed, rows)
	}
}

// An archiver whose database is not there archives, and says that nothing is loaded; its
// end does not wait for it.
func TestArchiveStagesWithoutADatabase(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	stack, env := serve(t)
	putLines(ctx, t, env, "{\"n\":1}\n{\"n\":2}\n")
	h := startHealthy(ctx, t, env, toWarehouse("jdbc:redshift://127.0.0.1:1/dev", ""))
	h.until(ctx, "both are staged, and a load was tried", func() bool {
		_, body := h.get("/readyz?verbose")
		return h.metric("DeliveryToS3_Records") == 2 && strings.Contains(body, "trouble: load") && strings.Contains(body, "Redshift.ConnectionFailed")
	})
	h.want("/healthz", http.StatusOK, "alive")
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	log := <-h.ended
	_ = h.cmd.Wait()
	if strings.Contains(log, canary) || !strings.Contains(log, "stopped: 2 records") {
		t.Errorf("the log says too much, or not how it ended:\n%s", log)
	}
	markers := 0
	for _, key := range keysOf(t, stack) {
		if strings.HasPrefix(key, "_shardmill/load/orders/") {
			markers++
		}
	}
	if markers == 0 {
		t.Error("no marker waits for another loader")
	}
}

// A check looks at the tables, tells what is done with what is staged, and writes nothing; the
// password shows nowhere.
func TestArchiveCheckOfWarehouse(t *testing.T) {
	t.Parallel()
	stack, env := serve(t)
	if _, err := kinesis.NewFromConfig(stack.AWSConfig()).CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String("orders"), ShardCount: aws.Int32(1)}); err != nil {
		t.Fatal(err)
	}
	if _, err := s3.NewFromConfig(stack.AWSConfig(), stack.S3Options).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("archive")}); err != nil {
		t.Fatal(err)
	}
	url := serveWarehouse(t, stack)
	const manifest = "rs/manifests/2016/02/25/13/orders-2016-02-25-13-00-00-00000000-0000-0000-0000-000000000000"
	statement := func(with string) string {
		return "COPY events FROM 's3://archive/" + manifest + "' CREDENTIALS '" + with + "' MANIFEST json 'auto' gzip;"
	}
	for name, row := range map[string]struct {
		env  []string
		text string
		args []string
		code int
		says []string
	}{
		"offline": {nil, toWarehouse(url, "", "  ledger: loaded\n"), []string{"--offline", at2016}, 0, []string{
			"\n  # Password: not shown\n", "pipeline     KPL de-aggregation → GZIP → load (COPY events, ledger loaded)\n", "\nexample load  2016-02-25T13:00:00Z: " + statement("aws_iam_role="+copyRole) + "\n",
			"\nmanifest     2016-02-25T13:00:00Z: s3://archive/" + manifest + ", or if it is given up s3://archive/rs/errors/manifests/2016/02/25/13/orders-2016-02-25-13-00-00-",
		}},
		"offline, as JSON": {nil, toWarehouse(url, "", "  copyCredentials: session\n"), []string{"--offline", "--json", at2016}, 0, []string{
			`"Password": null`, `"exampleLoads": [`, `"statement": "` + statement("<redacted>") + `"`, `"manifest": "s3://archive/` + manifest + `"`,
		}},
		"online": {env, toWarehouse(url, "", "  ledger: loaded\n"), nil, 0, []string{
			"\nok           table orders-shardmill: there is none in region us-east-1; the first worker that stands ready to load creates it",
			"\nnot checked  writes to table orders-shardmill: dynamodb:CreateTable, ", "\nnot checked  markers in bucket archive: s3:PutObject, GetObject and DeleteObject on archive/_shardmill/load/orders/*: needs a write", "\nok           bucket archive: exists",
			"\nok           table events and ledger loaded: they are there, and can be used\n", "\nok           markers in bucket archive below _shardmill/load/orders/: 0 markers wait",
			"\nok           what COPY reads the bucket with: aws_iam_role=" + copyRole, "\nnot checked  manifests in bucket archive: ",
		}},
		"a wrong password":       {env, strings.Replace(toWarehouse(url, ""), canary, canary+"x", 1), nil, 1, []string{"\nwrong        table events: Redshift.AuthenticationFailed: "}},
		"no ledger":              {env, toWarehouse(url, "", "  ledger: lodged\n"), nil, 1, []string{"\nwrong        table events and ledger lodged: Redshift.TableNotFound: "}},
		"nobody there":           {env, toWarehouse("jdbc:redshift://127.0.0.1:1/dev", ""), nil, 1, []string{"\nwrong        table events: Redshift.ConnectionFailed: ", "\nok           bucket archive: exists"}},
		"no file of authorities": {env, toWarehouse(url, "", "  caFile: /none/ca.pem\n"), nil, 1, []string{"\nwrong        ", "shardmill.caFile: open /none/ca.pem: "}},
		"a password in the URL":  {nil, toWarehouse(url+";PWD="+canary, ""), []string{"--offline"}, 2, []string{".ClusterJDBCURL is no URL of a database, and is not shown"}},
		"a key in the options":   {nil, strings.Replace(toWarehouse(url, ""), "json 'auto' gzip", "gzip aws_secret_access_key="+canary, 1), []string{"--offline"}, 2, []string{".CopyCommand.CopyOptions has a key of AWS"}},
		"what only a loader knows": {nil, strings.Replace(toWarehouse(url, ""), "json 'auto' gzip", "json 'auto' gzip;", 1), []string{"--offline"}, 2, []string{
			".CopyCommand.CopyOptions must not have \";\" outside of quotes",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := checks(t, row.env, row.text, row.args...)
			if r.code != row.code || strings.Contains(r.out+r.err, canary) {
				t.Errorf("exit %d\n%s%s", r.code, r.out, r.err)
			}
			for _, says := range row.says {
				if !strings.Contains(r.out+r.err, says) {
					t.Errorf("it does not say %q:\n%s%s", says, r.out, r.err)
				}
			}
		})
	}
	if keys := keysOf(t, stack); len(keys) > 0 {
		t.Errorf("it made %v", keys)
	}
}

// The page has the ledger that is looked for, and each key of ours.
func TestPageOfRedshift(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("..", "..", "docs", "redshift.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		redshiftarchive.LedgerDDL("public.shardmill_loaded"), "| `ledger` |", "| `commitOn` |", "| `copyCredentials` |", "| `copyTimeoutSeconds` |", "| `login` |", "| `clusterIdentifier`, `workgroup` |",
		"| `dbUser` |", "| `clusterEndpoint` |", "| `loaderTable` |", "| `loaderBilling` |", "| `passwordFile` |", "| `caFile` |",
	} {
		if !strings.Contains(string(data), want) {
			t.Errorf("it lacks %s", want)
		}
	}
}
