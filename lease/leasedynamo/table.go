package leasedynamo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/lease"
)

// API is what is needed of DynamoDB; a *dynamodb.Client has it.
type API interface {
	DescribeTable(context.Context, *dynamodb.DescribeTableInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error)
	CreateTable(context.Context, *dynamodb.CreateTableInput, ...func(*dynamodb.Options)) (*dynamodb.CreateTableOutput, error)
	Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
}

const defaultRequestTimeout = 10 * time.Second

// Options configures a Table. Fields without a default are required.
type Options struct {
	// TableName is the lease table; Java's default is its application name.
	TableName string

	// CoordinatorTable is where KCL 3.0 to 3.4 keeps what version it speaks.
	// Default TableName-CoordinatorState. It is only read, and need not exist.
	CoordinatorTable string

	// NeverCreate makes Ensure return lease.ErrTableNotFound if the table does not
	// exist instead of creating it.
	NeverCreate bool

	// ReadCapacity and WriteCapacity are the units of a table that Ensure
	// creates. Default: both 0, on demand. Source: KCL BillingMode,
	// initialLeaseTableReadCapacity, initialLeaseTableWriteCapacity.
	ReadCapacity, WriteCapacity int64

	// RequestTimeout is how long a request may take until its answer begins to
	// come, with the SDK's retries if it is a read. It must be positive. Default
	// 10 s: DynamoDB answers in milliseconds, and as long as a scan is waited for
	// in vain the leases of a dead worker stay untaken.
	//
	// Of an answer that has begun 64 KiB must come in each 10 s, or its end. A page
	// of a scan that comes more slowly is asked for again with fewer rows.
	RequestTimeout time.Duration

	// OnSkipped is told after each List that found rows which are not leases
	// how many there were. It is called on List's goroutine and must be quick.
	// Default: nobody is told.
	OnSkipped func(rows int)

	Logger *zap.Logger // default: none
}

// Table is a lease.Table in DynamoDB. It is safe for concurrent use.
type Table struct {
	api     API
	opts    Options
	logger  *zap.Logger
	found   atomic.Bool // the table was there, and of the right shape: it is never created from now on
	ready   atomic.Bool // Ensure has succeeded
	pages   pageSize
	skipped atomic.Int64 // rows that the last List skipped

	unreadable atomic.Pointer[string] // what was wrong with the leases that the last List could not read
}

var _ lease.Table = (*Table)(nil)

// New returns a Table. It does no I/O; Ensure does.
func New(api API, opts Options) (*Table, error) {
	var errs []error
	if api == nil {
		errs = append(errs, errors.New("a DynamoDB client is required"))
	}
	if opts.TableName == "" {
		errs = append(errs, errors.New("TableName is required"))
	}
	if min(opts.ReadCapacity, opts.WriteCapacity) < 0 || (opts.ReadCapacity == 0) != (opts.WriteCapacity == 0) {
		errs = append(errs, fmt.Errorf("ReadCapacity is %d and WriteCapacity %d; both must be positive, or both 0 for on demand", opts.ReadCapacity, opts.WriteCapacity))
	}
	if opts.RequestTimeout < 0 {
		errs = append(errs, fmt.Errorf("RequestTimeout is %v; it must be positive", opts.RequestTimeout))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	opts.RequestTimeout = cmp.Or(opts.RequestTimeout, defaultRequestTimeout)
	opts.CoordinatorTable = cmp.Or(opts.CoordinatorTable, opts.TableName+"-CoordinatorState")
	return &Table{api: api, opts: opts, logger: cmp.Or(opts.Logger, zap.NewNop())}, nil
}

// List implements lease.Store.
func (t *Table) List(ctx context.Context) ([]lease.Lease, []*lease.UnreadableError, error) {
	var leases []lease.Lease
	var unreadable []*lease.UnreadableError
	skipped := 0
	for from := item(nil); ; {
		page, err := t.scan(ctx, from)
		if err != nil {
			return nil, nil, err
		}
		for _, row := range page.Items {
			if !isLease(row) {
				skipped++
				continue
			}
			l, err := decode(row)
			if bad, is := errors.AsType[*lease.UnreadableError](err); is {
				unreadable = append(unreadable, bad)
				continue
			}
			leases = append(leases, l)
		}
		if from = page.LastEvaluatedKey; len(from) == 0 {
			break
		}
	}
	t.noteSkipped(skipped)
	t.noteUnreadable(unreadable)
	return leases, unreadable, nil
}

// noteSkipped tells of rows that are not leases, and logs when their number
// changes.
func (t *Table) noteSkipped(n int) {
	if before := t.skipped.Swap(int64(n)); before != int64(n) {
		t.logger.Info("rows that are not leases were skipped", zap.String("table", t.opts.TableName), zap.Int("rows", n))
	}
	if n > 0 && t.opts.OnSkipped != nil {
		t.opts.OnSkipped(n)
	}
}

// noteUnreadable tells of leases that cannot be read, when they change.
func (t *Table) noteUnreadable(rows []*lease.UnreadableError) {
	why := make([]string, 0, len(rows))
	for _, row := range rows {
		why = append(why, row.Error())
	}
	now := strings.Join(why, "; ")
	if before := t.unreadable.Swap(&now); now != "" && (before == nil || *before != now) {
		t.logger.Error("leases cannot be read; their shards wait until the rows are mended", zap.String("table", t.opts.TableName), zap.Strings("rows", why))
	}
}

// Get implements lease.Store. A row that is not a lease is ErrNotFound.
func (t *Table) Get(ctx context.Context, key string) (lease.Lease, error) {
	row, err := t.get(ctx, t.opts.TableName, item{leaseKey: text(key)})
	if err != nil {
		return lease.Lease{}, fmt.Errorf("lease %s: %w", key, err)
	}
	if !isLease(row) {
		return lease.Lease{}, fmt.Errorf("table %s, lease %s: %w", t.opts.TableName, key, lease.ErrNotFound)
	}
	l, err := decode(row)
	if err != nil {
		return lease.Lease{}, fmt.Errorf("table %s: %w", t.opts.TableName, err)
	}
	return l, nil
}

// get reads one row of a table consistently; it is empty if there is none.
func (t *Table) get(ctx context.Context, table string, key item) (item, error) {
	out, err := send(ctx, t, t.api.GetItem, &dynamodb.GetItemInput{TableName: &table, Key: key, ConsistentRead: aws.Bool(true)})
	if err != nil {
		return nil, classify(ctx, table, err)
	}
	return out.Item, nil
}

// failed classifies an error of a request to the lease table.
func (t *Table) failed(ctx context.Context, err error) error {
	return classify(ctx, t.opts.TableName, err)
}
