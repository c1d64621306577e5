package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/leasedynamo"
)

const leasesHelp = `shardmill leases list --table NAME [--json]

Lists the leases of an application: which worker holds which shard, and how far
it is. UNTIL is the server-side timestamp of the checkpoint: what arrived before
it is done; Java workers store none. Nothing is written.

--json prints one object a line: key, owner, counter, owner_switches, checkpoint,
sub_sequence_number, until, pending, parents, children.
`

func runLeases(ctx context.Context, args []string, s stdio) error {
	f := newFlags("leases", leasesHelp)
	table := f.String("table", "", "`name` of the lease table, which is the application's; required")
	asJSON := f.Bool("json", false, "print JSON, one lease a line")
	if len(args) > 0 && args[0] == "list" {
		args = args[1:]
	} else if len(args) == 0 || !strings.HasPrefix(args[0], "-") {
		return usagef("leases: the only action is list: shardmill leases list --table NAME")
	}
	if err := f.parse(args); err != nil {
		return err
	}
	if *table == "" || f.NArg() > 0 {
		return usagef("leases list: --table is required, and there are no arguments")
	}
	clients, err := loadAWS(ctx, "", zap.NewNop())
	if err != nil {
		return err
	}
	t, err := leasedynamo.New(clients.DynamoDB, leasedynamo.Options{TableName: *table, NeverCreate: true})
	if err != nil {
		return err
	}
	var list []lease.Lease
	if err := s.while("listing the leases of table "+*table, func() error {
		list, err = t.List(ctx)
		return err
	}); err != nil {
		return err
	}
	slices.SortFunc(list, func(a, b lease.Lease) int { return cmp.Compare(a.Key, b.Key) })
	if *asJSON {
		return printLeasesJSON(list, s)
	}
	return printLeases(list, s)
}

func printLeases(list []lease.Lease, s stdio) error {
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "LEASE\tOWNER\tCOUNTER\tCHECKPOINT\tUNTIL\tPENDING")
	for _, l := range list {
		if l.Unreadable != "" {
			_, _ = fmt.Fprintf(w, "%s\t-\t-\t-\t-\t%s\n", l.Key, l.Unreadable)
			continue
		}
		pending := "-"
		if l.Pending != nil {
			pending = l.Pending.At.String()
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%d\t%v\t%s\t%s\n", l.Key, cmp.Or(l.Owner, "-"), l.Counter, l.Checkpoint, cmp.Or(until(l), "-"), pending)
	}
	return w.Flush()
}

func until(l lease.Lease) string {
	if l.Checkpoint.Arrival.IsZero() {
		return ""
	}
	return l.Checkpoint.Arrival.UTC().Format("2006-01-02T15:04:05.000Z")
}

// leaseJSON is a lease as --json prints it; the names stay.
type leaseJSON struct {
	Key           string   `json:"key"`
	Owner         string   `json:"owner,omitempty"`
	Counter       int64    `json:"counter"`
	OwnerSwitches int64    `json:"owner_switches"`
	Checkpoint    string   `json:"checkpoint"`
	Sub           int64    `json:"sub_sequence_number"`
	Until         string   `json:"until,omitempty"`
	Pending       string   `json:"pending,omitempty"`
	Parents       []string `json:"parents,omitempty"`
	Children      []string `json:"children,omitempty"`
	Failover      string   `json:"failover_time,omitempty"`
	Unreadable    string   `json:"unreadable,omitempty"`
}

func printLeasesJSON(list []lease.Lease, s stdio) error {
	enc := json.NewEncoder(s.out)
	var errs []error
	for _, l := range list {
		out := leaseJSON{
			Key: l.Key, Owner: l.Owner, Counter: l.Counter, OwnerSwitches: l.OwnerSwitches,
			Checkpoint: l.Checkpoint.SequenceNumber, Sub: l.Checkpoint.SubSequenceNumber, Until: until(l),
			Parents: l.Parents, Children: l.Children, Unreadable: l.Unreadable,
		}
		if l.Pending != nil {
			out.Pending = l.Pending.At.String()
		}
		if l.FailoverTime > 0 {
			out.Failover = l.FailoverTime.Round(time.Millisecond).String()
		}
		errs = append(errs, enc.Encode(out)) //nolint:errchkjson // joined below
	}
	return errors.Join(errs...)
}
