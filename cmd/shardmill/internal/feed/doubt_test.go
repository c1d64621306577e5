package feed_test

import (
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/shardmill/shardmill/localaws"
)

// What was not answered may be in the stream, also if the SDK asked again and
// was answered then; what was refused is not.
func TestDoubt(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		fault        localaws.Fault
		fails        bool
		known, doubt int64
	}{
		"answered":                           {localaws.Fault{Operation: "none"}, false, 2, 0},
		"lost, and asked again":              {localaws.Fault{Times: 1, Kind: localaws.LostAnswer()}, false, 2, 2},
		"lost whenever asked":                {localaws.Fault{Kind: localaws.LostAnswer()}, true, 0, 6},
		"an error of the service's":          {localaws.Fault{Times: 1, Kind: localaws.ServerError(http.StatusInternalServerError)}, false, 2, 2},
		"throttled, and asked again":         {localaws.Fault{Times: 1, Kind: localaws.Error(http.StatusBadRequest, "ThrottlingException")}, false, 2, 0},
		"refused":                            {localaws.Fault{Kind: localaws.Error(http.StatusBadRequest, "AccessDeniedException")}, true, 0, 0},
		"lost, asked again and refused then": {localaws.Fault{Times: 1, Kind: localaws.LostAnswer()}, true, 0, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				stack, f := open(t)
				if row.fault.Operation == "" {
					row.fault.Operation = "PutRecords"
				}
				stack.Faults().Add(row.fault)
				if row.fails && row.fault.Times > 0 {
					stack.Faults().Add(localaws.Fault{Operation: "PutRecords", Kind: localaws.Error(http.StatusBadRequest, "AccessDeniedException")})
				}
				add(t, f, 2)
				err := f.Flush(t.Context())
				if there := count(t, stack); there < row.known || there > row.known+row.doubt {
					t.Errorf("%d records are in the stream, and %d to %d were told of", there, row.known, row.known+row.doubt)
				}
				if known, _ := f.Progress(); (err != nil) != row.fails || known != row.known || f.Doubt() != row.doubt {
					t.Errorf("%d records are put, and %d may be: %v", known, f.Doubt(), err)
				}
			})
		})
	}
}

// count returns how many records the one shard of the stream has.
func count(t *testing.T, stack *localaws.Stack) int64 {
	t.Helper()
	stack.Faults().Clear()
	api := kinesis.NewFromConfig(stack.AWSConfig())
	shards, err := api.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: aws.String("orders")})
	if err != nil {
		t.Fatal(err)
	}
	from, err := api.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{
		StreamName: aws.String("orders"), ShardId: shards.Shards[0].ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
	})
	if err != nil {
		t.Fatal(err)
	}
	page, err := api.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: from.ShardIterator})
	if err != nil {
		t.Fatal(err)
	}
	return int64(len(page.Records))
}
