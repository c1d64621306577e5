package leasetest_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/leasetest"
)

// countingTable is a table of one's own: here one that counts what another is
// asked. It has lease.Mem's other methods.
type countingTable struct {
	lease.Mem

	lists atomic.Int64
}

func (c *countingTable) List(ctx context.Context) ([]lease.Lease, []*lease.UnreadableError, error) {
	c.lists.Add(1)
	return c.Mem.List(ctx)
}

// A lease table of one's own is right if it passes the suite.
func ExampleRun() {
	_ = testCountingTable // in a program's own test: func TestCountingTable(t *testing.T)
}

func testCountingTable(t *testing.T) {
	t.Helper()
	leasetest.Run(t, func(testing.TB) lease.Table {
		return new(countingTable) // a new and empty one each time: the tests run in parallel
	})
}
