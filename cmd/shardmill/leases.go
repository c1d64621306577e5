package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/archiver"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/leaseadmin"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/leasedynamo"
)

const leasesHelp = `shardmill leases ACTION --table NAME [FLAGS]

Looks at the leases of an application, and mends them. The actions:

  list          show who holds what and how far it is
  set KEY       set a lease that nobody holds to another place of its shard
  release KEY   free a lease at once whose holder is gone or hangs
  adopt         make the table that of another stream, or of one created anew

'shardmill leases ACTION --help' tells what each does. All but list change
nothing unless --write is given: they show what would be.
`

func leaseActions() []string { return []string{"list", "set", "release", "adopt"} }

func runLeases(ctx context.Context, args []string, s stdio) error {
	action := ""
	if len(args) > 0 {
		action, args = args[0], args[1:]
	}
	switch action {
	case "list":
		return listLeases(ctx, args, s)
	case "set":
		return setLease(ctx, args, s)
	case "release":
		return releaseLease(ctx, args, s)
	case "adopt":
		return adoptLeases(ctx, args, s)
	case "help", "-h", "-help", "--help":
		return helpError{text: leasesHelp}
	case "":
		s.notef("%s\n", leasesHelp)
		return usagef("leases: an action is needed: list, set, release or adopt")
	default:
		return usagef("leases: there is no action %q; it must be list, set, release or adopt", action)
	}
}

// leaseFlags are the flags that several actions have.
type leaseFlags struct {
	flags

	action   string
	table    string
	stream   string
	arn      string
	failover time.Duration
	write    bool
	abandon  bool

	region string // of the table, once it is open
}

func newLeaseFlags(action, text string) *leaseFlags {
	f := &leaseFlags{flags: newFlags("leases "+action, text), action: action}
	f.StringVar(&f.table, "table", "", "`name` of the lease table, which is the application's; required")
	return f
}

func (f *leaseFlags) withStream(use string) *leaseFlags {
	f.StringVar(&f.stream, "stream", "", "`name` of the stream"+use)
	f.StringVar(&f.arn, "stream-arn", "", "`ARN` of the stream, if its region or account is another; in place of --stream")
	return f
}

func (f *leaseFlags) withWrite() *leaseFlags {
	f.DurationVar(&f.failover, "failover", lease.DefaultFailoverTime, "the failover `time` of workers that do not say theirs, as Java's do not: a lease that is\nnot renewed for so long is nobody's")
	f.BoolVar(&f.write, "write", false, "do it; otherwise only show what would be")
	return f
}

func (f *leaseFlags) withAbandon() *leaseFlags {
	f.BoolVar(&f.abandon, "abandon", false, "remove prepared checkpoints: exactly once is over for the records of that cut, which may\nthen be in two objects")
	return f
}

// parse parses args, of which one may be the argument, and returns it.
// Its error has all that is wrong, further included.
func (f *leaseFlags) parse(args []string, argument string, further func() []error) (key string, err error) {
	if err := f.flags.parse(args); err != nil {
		return "", err
	}
	rest := f.Args()
	if argument != "" && len(rest) > 0 {
		key, rest = rest[0], rest[1:]
	}
	var errs []error
	need := func(ok bool, format string, a ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(f.Name()+": "+format, a...))
		}
	}
	need(argument == "" || key != "", "%s is required", argument)
	need(len(rest) == 0, "there are no further arguments, but %q was given", rest)
	need(f.table != "", "--table is required")
	need(f.stream == "" || f.arn == "", "--stream and --stream-arn exclude each other")
	need(f.arn == "" || isStreamARN(f.arn), "--stream-arn is %q; it must look like arn:aws:kinesis:REGION:ACCOUNT:stream/NAME", f.arn)
	if f.Lookup("failover") != nil {
		need(f.failover >= lease.MinFailoverTime, "--failover is %v; it must be at least %v", f.failover, lease.MinFailoverTime)
	}
	if further != nil {
		for _, err := range further() {
			need(false, "%w", err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return "", usageError{err}
	}
	return key, nil
}

// open returns the table, and the clients. For an action that may write, it must
// be one that workers of this version may write.
func (f *leaseFlags) open(ctx context.Context) (*leasedynamo.Table, archiver.Clients, error) {
	clients, err := loadAWS(ctx, regionOf(f.arn), zap.NewNop())
	if err != nil {
		return nil, clients, err
	}
	f.region = clients.DynamoDB.Options().Region
	t, err := leasedynamo.New(clients.DynamoDB, leasedynamo.Options{TableName: f.table, NeverCreate: true})
	if err == nil && f.Lookup("write") != nil {
		err = t.Ensure(ctx) // it makes none
	}
	return t, clients, f.explain(err)
}

// checkTable returns an error if the table, in which no lease was found, is not
// one of leases. Whether it is cannot be told without a permission that a list
// does not need otherwise; that is said then.
func (f *leaseFlags) checkTable(ctx context.Context, t *leasedynamo.Table, s stdio) error {
	err := f.explain(t.CheckShape(ctx))
	if errors.Is(err, lease.ErrAccessDenied) {
		s.notef("there are no leases, and whether table %s is for leases is not known: %v\n", f.table, err)
		return nil
	}
	return err
}

// explain says of a table that is missing where it was looked for.
func (f *leaseFlags) explain(err error) error {
	if !errors.Is(err, lease.ErrTableNotFound) {
		return err
	}
	return fmt.Errorf("%w: there is no table %s in region %s: --table must be the application's name, and the region and the account those of its workers",
		lease.ErrTableNotFound, f.table, f.region)
}

// listing returns the stream as the service lists it, nil if none was named.
func (f *leaseFlags) listing(ctx context.Context, c archiver.Clients, s stdio) (*leaseadmin.Stream, error) {
	if f.stream == "" && f.arn == "" {
		return nil, nil //nolint:nilnil // it is not asked for
	}
	source, err := kinesissource.New(c.Kinesis, kinesissource.Options{
		StreamName: f.stream, StreamARN: f.arn, FallBackToName: c.Kinesis.Options().BaseEndpoint != nil,
	})
	if err != nil {
		return nil, usageError{err}
	}
	var list kcl.ShardList
	if err := s.while("listing the shards of stream "+cmp.Or(f.stream, f.arn), func() (err error) {
		list, err = source.ListShards(ctx)
		return err
	}); errors.Is(err, kcl.ErrStreamNotFound) {
		if f.arn != "" {
			return nil, fmt.Errorf("%w: there is no stream %s, or these credentials do not reach it: correct --stream-arn", kcl.ErrStreamNotFound, f.arn)
		}
		return nil, fmt.Errorf("%w: there is no stream %s in region %s of these credentials' account: correct its name, or give --stream-arn",
			kcl.ErrStreamNotFound, f.stream, c.Kinesis.Options().Region)
	} else if err != nil {
		return nil, err
	}
	name := f.stream
	if name == "" {
		_, name, _ = strings.Cut(f.arn, ":stream/")
	}
	return &leaseadmin.Stream{Name: name, ARN: f.arn, Shards: list.Shards, At: list.At}, nil
}

// seen is what an action looks at: a table with all its rows, and the stream
// beside it.
type seen struct {
	table      *leasedynamo.Table
	clients    archiver.Clients
	leases     []lease.Lease
	unreadable []*lease.UnreadableError
	stream     *leaseadmin.Stream // nil if none was named
}

// look opens the table and reads it, and lists the stream if one was named.
func (f *leaseFlags) look(ctx context.Context, s stdio) (in seen, err error) {
	if in.table, in.clients, err = f.open(ctx); err != nil {
		return in, err
	}
	if in.stream, err = f.listing(ctx, in.clients, s); err != nil {
		return in, err
	}
	in.leases, in.unreadable, err = f.rows(ctx, in.table, s)
	return in, err
}

// rows returns all rows of a table.
func (f *leaseFlags) rows(ctx context.Context, t leaseadmin.Table, s stdio) (list []lease.Lease, unreadable []*lease.UnreadableError, err error) {
	err = s.while("listing the leases of table "+f.table, func() (err error) {
		list, unreadable, err = t.List(ctx)
		return err
	})
	return list, unreadable, f.explain(err)
}

// regionOf returns the region in an ARN, or "".
func regionOf(name string) string {
	a, err := arn.Parse(name)
	if err != nil {
		return ""
	}
	return a.Region
}

func isStreamARN(name string) bool {
	a, err := arn.Parse(name)
	stream, ok := strings.CutPrefix(a.Resource, "stream/")
	return err == nil && a.Service == "kinesis" && ok && stream != "" && !strings.Contains(stream, "/")
}
