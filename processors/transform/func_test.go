package transform_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"slices"
	"testing"

	"github.com/shardmill/shardmill/processors/transform"
)

// A record at which a function panics is alone with it.
func TestEach(t *testing.T) {
	t.Parallel()
	logger, logs := logged()
	f := transform.Each("each", func(_ context.Context, r *transform.Record) transform.Result {
		switch string(r.Data) {
		case "panic":
			panic("broken on purpose")
		case "drop":
			return transform.Result{Status: transform.Dropped}
		}
		return transform.Result{ID: "not its own", Status: transform.Ok, Data: append(slices.Clone(r.Data), '!'), PartitionKeys: map[string]string{"k": r.PartitionKey}}
	})
	outcomes, err := transform.NewRunner(f, transform.Options{Retries: 3, Logger: logger}).Run(t.Context(), records("a", "panic", "drop", "b"))
	if got, want := lines(outcomes), []string{`"a!" map[k:pk] (1)`, functionError + " (1)", "dropped (1)", `"b!" map[k:pk] (1)`}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v\ngot  %q\nwant %q", err, got, want)
	}
	if e := logs.All(); len(e) != 1 || e[0].ContextMap()["stack"] == nil || f.ARN() != "urn:shardmill:transform:each" {
		t.Errorf("logged %+v", e)
	}
}

// What a transform of Go looks like: it makes one line of each record, drops those that
// are empty, and says where the others belong.
func Example() {
	byCustomer := transform.Each("by-customer", func(_ context.Context, r *transform.Record) transform.Result {
		customer, text, isWhole := bytes.Cut(bytes.TrimSpace(r.Data), []byte(": "))
		switch {
		case len(r.Data) == 0:
			return transform.Result{Status: transform.Dropped}
		case !isWhole:
			return transform.Result{Status: transform.ProcessingFailed}
		}
		return transform.Result{
			Status: transform.Ok, Data: append(bytes.ToUpper(text), '\n'),
			PartitionKeys: map[string]string{"customer": string(customer)}, // !{partitionKeyFromLambda:customer}
		}
	})

	// An archiver does this for each batch, with the Function of its Config.
	runner := transform.NewRunner(byCustomer, transform.Options{Retries: 3})
	outcomes, err := runner.Run(context.Background(), []transform.Record{{Data: []byte("ada: one tea")}, {}, {Data: []byte("nobody")}})
	if err != nil {
		log.Fatal(err)
	}
	for _, o := range outcomes {
		switch {
		case o.Failure != nil:
			fmt.Println(o.Failure)
		case o.Dropped:
			fmt.Println("dropped")
		default:
			fmt.Printf("%q of %s\n", o.Data, o.PartitionKeys["customer"])
		}
	}
	// Output:
	// "ONE TEA\n" of ada
	// dropped
	// Lambda.ProcessingFailedStatus: ProcessingFailed status set for record
}

// A transform that asks another service does it once for a batch.
func ExampleFunc() {
	enrich := transform.Func("enrich", func(_ context.Context, b *transform.Batch) ([]transform.Result, error) {
		results := make([]transform.Result, 0, len(b.Records))
		for i := range b.Records {
			r := &b.Records[i]
			results = append(results, transform.Result{ID: r.ID, Status: transform.Ok, Data: fmt.Appendf(nil, "%s from %s\n", r.Data, r.ShardID)})
		}
		return results, nil // an error is tried again, and then fails the batch
	})
	outcomes, err := transform.NewRunner(enrich, transform.Options{}).Run(context.Background(), []transform.Record{{Data: []byte("x"), ShardID: "shardId-000000000007"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", outcomes[0].Data)
	// Output: x from shardId-000000000007
}
