package processors_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/processors"
)

// An operator moves the checkpoint of a held lease forward. The archiver may
// deliver again or skip, but it must not stop for ever.
func TestASeekForwardDoesNotStopAShard(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, shop := kcltest.NewStream(1), new(lease.Mem), &shelf{}
		s.Put(0, numbers(0, 10)...)
		c := config()
		c.Delivery = processors.ExactlyOnce
		key := s.Shard(0).ID
		time.AfterFunc(20*time.Second, func() {
			l, err := table.Get(t.Context(), key)
			if err != nil {
				t.Error(err)
				return
			}
			l.Checkpoint = checkpoint.At("1015", 0, time.Time{})
			table.Put(l)
		})
		time.AfterFunc(time.Hour, func() { s.Put(0, numbers(10, 20)...) })
		archiveFor(t, 4*time.Hour, "me", s, table, c, shop)
		got := shop.words()
		if len(got) == 0 || got[len(got)-1] != "19" {
			l, _ := table.Get(t.Context(), key)
			t.Errorf("four hours later the store has %q; row at %v owner %q counter %d", got, l.Checkpoint, l.Owner, l.Counter)
		}
	})
}
