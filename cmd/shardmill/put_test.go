package main

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/feed"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/lines"
	"github.com/shardmill/shardmill/localaws"
)

// A line that is to be packed with others waits no longer for them than one that
// is put by itself.
func TestAPackedLineIsPutSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, api := calm(t)
		if _, err := ensureStream(t.Context(), api, "orders", 2, stdio{err: io.Discard}); err != nil {
			t.Fatal(err)
		}
		feeder := feed.New(api, "orders", nil)
		if err := pack(t.Context(), feeder, api, "orders", stdio{err: io.Discard}); err != nil {
			t.Fatal(err)
		}
		r, w := io.Pipe()
		defer func() { _ = r.Close() }()
		go func() {
			for range 3 {
				_, _ = io.WriteString(w, "a\nb\n")
				time.Sleep(time.Minute)
			}
			_ = w.Close()
		}()
		var mu sync.Mutex
		var put []int64
		for i := range 3 {
			time.AfterFunc(time.Duration(i)*time.Minute+linger+10*time.Millisecond, func() {
				n, _ := feeder.Progress()
				mu.Lock()
				defer mu.Unlock()
				put = append(put, n)
			})
		}
		if err := putRecords(t.Context(), t.Context(), feeder, lines.Input{Files: []string{"-"}, Stdin: r}, 0); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(put, []int64{2, 4, 6}) {
			t.Errorf("so many lines were put soon after they came: %d, want 2, 4, 6", put)
		}
	})
}

// Shards that cannot be listed are told, and nothing is put.
func TestPackNeedsTheShards(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stack, api := calm(t)
		if _, err := ensureStream(t.Context(), api, "orders", 2, stdio{err: io.Discard}); err != nil {
			t.Fatal(err)
		}
		stack.Faults().Add(localaws.Fault{Operation: "ListShards", Kind: localaws.Error(http.StatusBadRequest, "AccessDeniedException")})
		err := pack(t.Context(), feed.New(api, "orders", nil), api, "orders", stdio{err: io.Discard})
		if err == nil || !strings.HasPrefix(err.Error(), "listing the shards of stream orders: ") {
			t.Errorf("got %v", err)
		}
	})
}

// All shards are listed, however many pages that takes, and the closed ones are not.
func TestOpenShards(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, api := calm(t)
		if _, err := ensureStream(t.Context(), api, "orders", 1200, stdio{err: io.Discard}); err != nil {
			t.Fatal(err)
		}
		if _, err := api.SplitShard(t.Context(), &kinesis.SplitShardInput{StreamName: aws.String("orders"), ShardToSplit: aws.String("shardId-000000000000"), NewStartingHashKey: aws.String("5")}); err != nil {
			t.Fatal(err)
		}
		if _, err := waitActive(t.Context(), api, "orders"); err != nil {
			t.Fatal(err)
		}
		starts, err := openShards(t.Context(), api, "orders")
		if err != nil || len(starts) != 1201 {
			t.Errorf("%d shards, %v, want 1201", len(starts), err)
		}
	})
}
