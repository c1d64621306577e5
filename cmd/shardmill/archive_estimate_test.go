package main

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
)

func TestRate(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]rate{
		"5MiB/s": 5 << 20, "5 MiB/s": 5 << 20, "1.5KiB": 1536, "800kB/s": 800_000, "2KB/s": 2000, "3MB/s": 3_000_000, "1GiB/s": 1 << 30, "1GB": 1_000_000_000, "7B/s": 7, "1200000": 1_200_000, "1": 1, "1e3": 1000, "1e12": 1e12,
		"": 0, "0": 0, "-5": 0, "5Mb/s": 0, "5MiB/h": 0, "x": 0, "NaN": 0, "Inf": 0, "1001GB": 0, "0.4": 0, "MiB/s": 0,
	} {
		var got rate
		if err := got.Set(text); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
}

// What comes of a rate is told of as many shards as were said, or as the stream has.
func TestArchiveCheckEstimates(t *testing.T) {
	t.Parallel()
	stack, env := serve(t)
	const text = `estimate     at 3145728 bytes/s in 3 shards, evenly: a cut of 61865984 bytes every 59 s in each shard
estimate     an hour: 183 objects, 0 objects of the backup, 549 PUT requests, 0 DELETE requests, 366 writes of the lease table for checkpoints
`
	if r := checks(t, nil, checkedConfig, "--offline", "--rate", "3MiB/s", "--shards", "3"); r.code != 0 || !strings.HasSuffix(r.out, text) {
		t.Errorf("exit %d, %s%s", r.code, r.out, r.err)
	}
	if r := checks(t, env, checkedConfig, "--rate", "3MiB/s"); !strings.HasSuffix(r.out, "estimate     not made, as the number of shards is not known; give --shards\n") {
		t.Errorf("without a stream: exit %d, %s%s", r.code, r.out, r.err)
	}
	client := kinesis.NewFromConfig(stack.AWSConfig())
	if _, err := client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String("orders"), ShardCount: aws.Int32(3)}); err != nil {
		t.Fatal(err)
	}
	if r := checks(t, env, checkedConfig, "--rate", "3MiB/s"); !strings.HasSuffix(r.out, text) {
		t.Errorf("of a stream: exit %d, %s%s", r.code, r.out, r.err)
	}
	const json = `
  "estimate": {
    "bytesPerSecond": 3145728,
    "shards": 2,
    "cutSeconds": 42.666666666666664,
    "cutBytes": 67108864,
    "objectsPerHour": 169,
    "backupObjectsPerHour": 0,
    "putRequestsPerHour": 506,
    "deleteRequestsPerHour": 0,
    "tableWritesPerHour": 338
  },
`
	if r := checks(t, env, checkedConfig, "--rate", "3MiB/s", "--shards", "2", "--json"); !strings.Contains(r.out, json) {
		t.Errorf("as JSON: exit %d, %s%s", r.code, r.out, r.err)
	}
	for _, args := range [][]string{{"--offline", "--rate", "1"}, {"--offline", "--rate", "1", "--shards", "0"}, {"--rate", "x"}} {
		if r := checks(t, nil, checkedConfig, args...); r.code != exitUsage || r.out != "" || !strings.Contains(r.err, "-rate") && !strings.Contains(r.err, "--shards is 0; it must be at least 1") {
			t.Errorf("%v: exit %d, %s%s", args, r.code, r.out, r.err)
		}
	}
}
