package partition_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shardmill/shardmill/processors/partition"
)

// Two partition keys, one of them computed, and when what the record is of happened.
func ExampleNew() {
	x, err := partition.New(partition.Rules{
		Query:     `{customer_id:.customer_id,device:(.type.device // "none")}`,
		EventTime: ".event_timestamp",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	e := x.Open()
	for _, record := range []string{
		`{"customer_id":1234567890,"type":{"device":"mobile"},"event_timestamp":1565382027}`,
		`{"customer_id":"","event_timestamp":"2019-08-09T20:20:27Z"}`,
	} {
		values, at, err := e.Extract(context.Background(), []byte(record))
		if f, ok := errors.AsType[*partition.Failure](err); ok {
			fmt.Println("fails:", f.Message)
			continue
		}
		fmt.Printf("%s %s %s\n", x.Keys(), values, at.Format(time.RFC3339))
	}
	// Output:
	// [customer_id device] [1234567890 mobile] 2019-08-09T20:20:27Z
	// fails: partitionKeys values must not be null or empty
}

// What is wrong is told at once, with what to do about it.
func ExampleError() {
	_, err := partition.New(partition.Rules{Query: `{(.a):(.b|trim)}`, EventTime: ".t", Formats: []string{"MMM yyyy"}})
	fmt.Println(err)
	// Output:
	// Query has a name that it computes: write each name as it is, since the prefix must mention it
	// Query calls trim/0, which jq 1.6 does not have: write it with what is in the manual of jq 1.6
	// Formats has "MMM yyyy", which has MMM, which is not read here: use epoch-seconds, epoch-milliseconds, rfc3339, or a pattern of y M d H m s S X x Z as in yyyy-MM-dd'T'HH:mm:ss.SSSXXX
}
