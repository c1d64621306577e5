package kinesistest

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
)

type test struct {
	name   string
	shards int32 // of its stream
	run    func(*kit)
}

// Run checks a server by a client of it, one subtest for each behaviour. Each
// makes a stream with a name of its own and deletes it afterwards; they run in
// parallel. The client should retry throttled requests, as it does when nothing
// is set.
func Run(t *testing.T, client *kinesis.Client, features Features) {
	t.Helper()
	var tests []test
	tests = append(tests, iteratorTests()...)
	tests = append(tests, reshardTests()...)
	tests = append(tests, listTests()...)
	tests = append(tests, putTests()...)
	tests = append(tests, streamTests()...)
	for _, row := range tests {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.run(newKit(t, client, features, row.shards))
		})
	}
}
