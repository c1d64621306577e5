package redshiftarchive_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/elected"
	"github.com/shardmill/shardmill/localaws"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
	"github.com/shardmill/shardmill/processors/s3archive"
)

// counting is a database that counts COPYs, of which one runs at a time.
type counting struct {
	t       *testing.T
	running atomic.Int32
	copies  atomic.Int32
}

func (c *counting) Load(context.Context, redshiftarchive.Try) error {
	if c.running.Add(1) > 1 {
		c.t.Error("two COPYs at once")
	}
	time.Sleep(3 * time.Second)
	c.running.Add(-1)
	c.copies.Add(1)
	return nil
}

func (c *counting) Check(context.Context, redshiftarchive.Tables) error { return nil }

// Loaders on S3 of which one has the role: as workers come and go all markers are loaded
// once, by one COPY at a time.
func TestLoadersWithARole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stack, err := localaws.New(localaws.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer stack.Close()
		store, err := s3archive.New(s3.NewFromConfig(stack.AWSConfig(), stack.S3Options), s3archive.Options{})
		if err != nil {
			t.Fatal(err)
		}
		put := func(key string, body []byte) {
			if err := store.Put(t.Context(), processors.Object{Bucket: "bucket", Key: key, Body: io.NewSectionReader(bytes.NewReader(body), 0, int64(len(body)))}); err != nil {
				t.Error(err)
			}
		}
		db, table := &counting{t: t}, new(lease.Mem)
		var loaded atomic.Int32
		worker := func(id string) (stop func()) {
			cfg := config()
			cfg.Staging.Bucket = "bucket"
			cfg.Hooks.Loaded = func(e redshiftarchive.LoadedEvent) { loaded.Add(int32(e.Objects)) }
			l, err := redshiftarchive.New(cfg, store, db)
			if err != nil {
				t.Fatal(err)
			}
			role, err := elected.New(elected.Config{Table: table, Job: "orders", WorkerID: id})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				role.Run(ctx, func(ctx context.Context, term *elected.Term) error { return l.Run(ctx, term.CheckTrust) })
			}()
			return func() { cancel(); <-done }
		}
		stop := []func(){worker("w-0"), worker("w-1")}
		for i := range 60 {
			o := object(i, i)
			o.Bucket = "bucket"
			put(o.Key, nil)
			put(fmt.Sprintf("%s%08x", markers, i), processors.Marker{DeliveryStreamName: "orders", Objects: objects{o}}.Encode())
			time.Sleep(4 * time.Second)
			if i%20 == 10 {
				go stop[0]()
				stop = append(stop[1:], worker(fmt.Sprint("w-", i)))
			}
		}
		time.Sleep(time.Minute)
		for _, stop := range stop {
			stop()
		}
		left, err := store.List(t.Context(), "bucket", markers)
		if err != nil || len(left) > 0 || loaded.Load() != 60 || db.copies.Load() < 20 {
			t.Errorf("%d objects loaded by %d COPYs, left %v, %v", loaded.Load(), db.copies.Load(), left, err)
		}
	})
}
