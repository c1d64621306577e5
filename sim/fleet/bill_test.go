package fleet_test

import (
	"context"
	"math"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/leasedynamo"
	"github.com/shardmill/shardmill/localaws"
)

// bill is what was asked of a table, and the capacity units it took.
type bill struct {
	mu    sync.Mutex // guards what follows
	count map[string]int
	units map[string]float64
	whole int // scans of the whole table
}

func (b *bill) note(op string, units float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count[op]++
	b.units[op] += units
}

func (b *bill) noteWhole() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.whole++
}

func (b *bill) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count, b.units, b.whole = map[string]int{}, map[string]float64{}, 0
}

// onDynamo returns a table for each worker, on one local DynamoDB, which tells
// its capacity units.
func (b *bill) onDynamo(t *testing.T) func() lease.Table {
	t.Helper()
	stack, err := localaws.New(localaws.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stack.Close)
	api := billed{dynamodb.NewFromConfig(stack.AWSConfig()), b}
	return func() lease.Table {
		table, err := leasedynamo.New(api, leasedynamo.Options{TableName: "leases"})
		if err != nil {
			t.Fatal(err)
		}
		return table
	}
}

// billed is a DynamoDB client that asks what each request costs.
type billed struct {
	*dynamodb.Client

	b *bill
}

func units(c *types.ConsumedCapacity) float64 {
	if c == nil || c.CapacityUnits == nil {
		return 0
	}
	return *c.CapacityUnits
}

// DescribeTable implements leasedynamo.API; it takes no capacity.
func (c billed) DescribeTable(ctx context.Context, in *dynamodb.DescribeTableInput, o ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error) {
	c.b.note("describe", 0)
	return c.Client.DescribeTable(ctx, in, o...)
}

// Scan implements leasedynamo.API.
func (c billed) Scan(ctx context.Context, in *dynamodb.ScanInput, o ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	out, err := c.Client.Scan(ctx, in, o...)
	if err == nil {
		c.b.note("scan", units(out.ConsumedCapacity))
	}
	if in.ExclusiveStartKey == nil {
		c.b.noteWhole()
	}
	return out, err
}

// GetItem implements leasedynamo.API.
func (c billed) GetItem(ctx context.Context, in *dynamodb.GetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	out, err := c.Client.GetItem(ctx, in, o...)
	if err == nil {
		c.b.note("get", units(out.ConsumedCapacity))
	}
	return out, err
}

// UpdateItem implements leasedynamo.API.
func (c billed) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, o ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	out, err := c.Client.UpdateItem(ctx, in, o...)
	if err == nil {
		c.b.note("update", units(out.ConsumedCapacity))
	}
	return out, err
}

// rowBytes is what a row of these fleets takes, about; the fleets on DynamoDB
// check it.
const rowBytes = 450

// inMemory returns a table in memory for fleets that are too large for a local
// DynamoDB. It knows what DynamoDB would charge: a unit for each write, and for
// scans, which have pages of 1 MB, one for 8 KB.
func (b *bill) inMemory() func() lease.Table {
	table := &billedMem{b: b}
	table.Fault = func(_ context.Context, op, _ string, applied bool) error {
		if applied && op != "create" {
			b.note("update", 1)
		}
		return nil
	}
	return func() lease.Table { return table }
}

type billedMem struct {
	lease.Mem

	b *bill
}

// List implements lease.Table.
func (m *billedMem) List(ctx context.Context) ([]lease.Lease, []*lease.UnreadableError, error) {
	list, unreadable, err := m.Mem.List(ctx)
	m.b.noteWhole()
	for left := len(list) * rowBytes; left >= 0; left -= 1 << 20 {
		m.b.note("scan", math.Ceil(float64(min(left, 1<<20))/4096)/2)
	}
	return list, unreadable, err
}
