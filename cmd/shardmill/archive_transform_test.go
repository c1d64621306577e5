package main

import (
	"context"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/localaws"
)

// The whole job with a command and partitions: each record is where the command says, once,
// what fails is in an error object, what is dropped nowhere, and the metrics tell of it.
func TestArchiveTransformsAndPartitions(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	stack, env := serve(t)
	var text strings.Builder
	for range 100 {
		text.WriteString("apple\nbanana\ndrop\nfail\navocado\n")
	}
	put, out, errs := program(ctx, t, env, "put", "--stream", "orders", "--create-shards", "2", write(t, "in", text.String()))
	if err := put.Run(); err != nil {
		t.Fatalf("%v: %s%s", err, out, errs)
	}
	configuration, err := os.ReadFile(withCommand(t))
	if err != nil {
		t.Fatal(err)
	}
	h := startHealthy(ctx, t, env, string(configuration)+"  healthAddress: 127.0.0.1:0\n  failoverTimeSeconds: 2\n  bufferingHints: {SizeInMBs: 1, IntervalInSeconds: 1}\n")
	h.until(ctx, "all records are delivered", func() bool {
		return h.metric("SucceedProcessing_Records") == 400 && h.metric("RecordsFailed") == 100
	})
	for name, want := range map[string]float64{"RecordsDropped": 100, "PartitionCountExceeded": 0, "SucceedProcessing_Bytes": 100 * float64(len("apple\nbanana\navocado\n"))} {
		if got := h.metric(name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if calls := h.metric("ExecuteProcessing_Success"); calls < 2 || calls != h.metric("ExecuteProcessing_Duration_count") {
		t.Errorf("%v calls of the command succeeded of %v", calls, h.metric("ExecuteProcessing_Duration_count"))
	}
	h.until(ctx, "nothing is open of what both shards may have", func() bool {
		return h.metric("PartitionCount") == 0 && h.metric("ActivePartitionsLimit") == 500
	})
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	h.end()
	year := time.Now().UTC().Format("2006")
	got := linesByPrefix(t, stack)
	failed := got["errors/processing-failed/"+year]
	want := map[string][]string{"A/" + year: slices.Concat(slices.Repeat([]string{"APPLE"}, 100), slices.Repeat([]string{"AVOCADO"}, 100)), "B/" + year: slices.Repeat([]string{"BANANA"}, 100), "errors/processing-failed/" + year: failed}
	if diff := cmp.Diff(want, got); diff != "" || len(failed) != 100 {
		t.Errorf("%d failed, -want +got:\n%s", len(failed), diff)
	}
}

// linesByPrefix returns the lines of all objects, sorted, by what stands before their names.
func linesByPrefix(t *testing.T, stack *localaws.Stack) map[string][]string {
	t.Helper()
	client := s3.NewFromConfig(stack.AWSConfig(), stack.S3Options)
	list, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("archive")})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, o := range list.Contents {
		got, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("archive"), Key: o.Key})
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(got.Body)
		if err != nil {
			t.Fatal(err)
		}
		_ = got.Body.Close()
		before := (*o.Key)[:strings.LastIndexByte(*o.Key, '/')]
		found[before] = append(found[before], strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")...)
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		slices.Sort(found[name])
	}
	return found
}
