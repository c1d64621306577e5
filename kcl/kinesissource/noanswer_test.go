package kinesissource_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
)

// byOperation answers each operation with its own bodies.
type byOperation map[string]*wire

func (b byOperation) Do(r *http.Request) (*http.Response, error) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	return b[operation].Do(r)
}

// What answers in place of the service, with success and without an answer, does
// not end a shard that is closed and not read to its end.
func TestNoAnswerIsNotTheEndOfAShard(t *testing.T) {
	t.Parallel()
	const (
		iterator = `{"ShardIterator":"i"}`
		closed   = `{"Shards":[{"ShardId":"s0","SequenceNumberRange":{"StartingSequenceNumber":"1","EndingSequenceNumber":"9"}},{"ShardId":"s1","ParentShardId":"s0","SequenceNumberRange":{"StartingSequenceNumber":"10"}}]}`
		last     = `{"Records":[{"SequenceNumber":"5","PartitionKey":"k","Data":"eA=="}],"MillisBehindLatest":0}`
	)
	for name, body := range map[string]string{
		"nothing at all":                  "",
		"an empty answer":                 `{}`,
		"null":                            `null`,
		"an error with success":           failure("InternalFailure"),
		"the answer of another operation": iterator,
		"an empty list and no more":       `{"Records":[]}`,
	} {
		for _, o := range []kinesissource.Options{{}, {SDKDecoding: true}} {
			synctest.Test(t, func(t *testing.T) {
				w := byOperation{
					"GetShardIterator": {answers: []wireAnswer{{200, iterator, ""}}},
					"ListShards":       {answers: []wireAnswer{{200, closed, ""}}},
					"GetRecords":       {answers: []wireAnswer{{200, body, ""}, {200, last, ""}}},
				}
				r := newSource(t, client(w, localKey()), o).Open("s0", trimHorizon())
				if p, err := r.Next(t.Context(), kcl.Room{}); err == nil {
					t.Fatalf("%s: Next = %+v", name, p)
				}
				p, err := r.Next(t.Context(), kcl.Room{})
				if err != nil || len(p.Records) != 1 || !p.End || len(p.Children) != 1 {
					t.Errorf("%s: after it Next = %+v, %v", name, p, err)
				}
			})
		}
	}
}
