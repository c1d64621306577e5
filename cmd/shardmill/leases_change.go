package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/leaseadmin"
	"github.com/shardmill/shardmill/lease"
)

const leasesSetHelp = `shardmill leases set KEY --table NAME --at PLACE [--write]

Sets a lease to another place of its shard, and prints the row as it is and as it
becomes. It is the way out for a lease at SHARD_END whose shard is open, and to
read a part again. PLACE is one of

  trim-horizon     the oldest record that the stream still has
  latest           what is put from now on
  SEQUENCE[/SUB]   after the record of this sequence number, which must be one of
                   the shard's; of a record of the KPL after its user record SUB,
                   by default the first one, 0
  TIME             what arrived at or after this time, such as 2026-11-28T14:00:00Z

With latest the row says AT which instant, as with TIME: else whoever takes the
lease would begin at a later one, and skip what was put in between. The instant is
the service's with --stream, otherwise this machine's. Java workers do not know
it: use trim-horizon or SEQUENCE where they may take the lease.

Nobody may hold the lease. If the row has an owner it is watched for a failover
time; if it is renewed meanwhile this command refuses. It is written only if it is
as it was shown.

A prepared checkpoint is refused: an archiver had begun to deliver a cut. Start a
worker, which finishes the cut first; to finish it from here is not built. With
--abandon it is removed: records of that cut may then be in two objects.

With --stream the row is checked against the stream's shard, and says whose it is.

Examples:

  shardmill leases set shardId-000000000002 --table orders --at trim-horizon
  shardmill leases set shardId-000000000002 --table orders --at 2026-11-28T14:00:00Z --write
`

const leasesReleaseHelp = `shardmill leases release KEY --table NAME [--write]

Frees a lease at once whose holder is gone or hangs; others would take it by
themselves when it was not renewed for a failover time, if they have room. The row
is watched for that time; if it is renewed meanwhile this command refuses. The
checkpoint stays, a prepared one too: whoever takes the lease goes on from there.

Example:

  shardmill leases release shardId-000000000002 --table orders --write
`

const leasesAdoptHelp = `shardmill leases adopt --table NAME --stream NAME|--stream-arn ARN [--write]

Makes the table that of the stream, and prints what becomes of each row. It is for
a stream that was created anew under its name, and for an application that is to
read another stream. Every worker must be stopped: the table is watched for a
failover time, and if any row changes meanwhile this command refuses.

A row of a shard that the stream has gets the stream's name, the shard's first
sequence number, its hash range and its parents. Its checkpoint stays if it lies
in the shard and nothing says that the row is of another shard or stream; else it
becomes TRIM_HORIZON, so that nothing is missing. Rows of shards that the stream
does not have are deleted. Rows that are not of one stream's shards, and those
that cannot be read, are left alone.

--keep-checkpoints keeps each checkpoint that may lie in its shard, whatever the
row says: for a stream that is the same under another ARN. If it is not the same,
records are skipped.

Each row is written only if it is as it was shown. If this command is stopped, run
it again: it goes on.

Examples:

  shardmill leases adopt --table orders --stream orders
  shardmill leases adopt --table orders --stream orders --write
`

func setLease(ctx context.Context, args []string, s stdio) error {
	f := newLeaseFlags("set", leasesSetHelp).withStream(": check the row against it").withWrite().withAbandon()
	at := f.String("at", "", "the `place` to set the lease to; required")
	var place checkpoint.Position
	key, err := f.parse(args, "KEY", func() []error {
		var err error
		if *at == "" {
			return []error{errors.New("--at is required")}
		}
		if place, err = leaseadmin.ParseAt(*at); err != nil {
			return []error{fmt.Errorf("--at is %q; %w", *at, err)}
		}
		return nil
	})
	if err != nil {
		return err
	}
	in, err := f.look(ctx, s) // at the rows of the shards that follow, too
	if err != nil {
		return err
	}
	return f.changeOne(ctx, in.table, key, s, func(row lease.Lease) (leaseadmin.Change, error) {
		now := time.Now()
		if in.stream != nil && !in.stream.At.IsZero() {
			now = in.stream.At
		}
		return leaseadmin.PlanSet(leaseadmin.SetInput{
			Row: row, Leases: in.leases, Unreadable: in.unreadable, At: place, Now: now, Abandon: f.abandon, Stream: in.stream,
		})
	})
}

func releaseLease(ctx context.Context, args []string, s stdio) error {
	f := newLeaseFlags("release", leasesReleaseHelp).withWrite()
	key, err := f.parse(args, "KEY", nil)
	if err != nil {
		return err
	}
	t, _, err := f.open(ctx)
	if err != nil {
		return err
	}
	return f.changeOne(ctx, t, key, s, leaseadmin.PlanRelease)
}

// changeOne plans what becomes of one row, makes sure that nobody holds it,
// shows it and, if asked to, does it.
func (f *leaseFlags) changeOne(ctx context.Context, t leaseadmin.Table, key string, s stdio, plan func(lease.Lease) (leaseadmin.Change, error)) error {
	read := func(ctx context.Context) ([]lease.Lease, error) {
		row, err := t.Get(ctx, key)
		return []lease.Lease{row}, err
	}
	rows, err := read(ctx)
	if err != nil {
		return err
	}
	if _, err := plan(rows[0]); err != nil { // before the wait
		return err
	}
	if leaseadmin.Owned(rows) {
		life := leaseadmin.Life(rows, f.failover)
		s.notef("watching for %v whether %s renews the lease\n", life, cmp.Or(rows[0].CheckpointOwner, rows[0].Owner))
		if rows, err = leaseadmin.Quiet(ctx, rows, life, read); err != nil {
			return err
		}
	}
	c, err := plan(rows[0])
	if err != nil {
		return err
	}
	if err := printChange(c, s); err != nil {
		return err
	}
	return f.apply(ctx, t, []leaseadmin.Change{c}, s)
}

// apply writes a plan that was shown, or says that it does not.
func (f *leaseFlags) apply(ctx context.Context, t leaseadmin.Table, plan []leaseadmin.Change, s stdio) error {
	todo := 0
	for _, c := range plan {
		if c.Writes() {
			todo++
		}
		for _, w := range c.Warnings {
			s.notef("warning: %s\n", w)
		}
	}
	switch {
	case todo == 0:
		s.printf("there is nothing to do\n")
		return nil
	case !f.write:
		s.printf("nothing was written: --write does it\n")
		return nil
	}
	done := 0
	err := leaseadmin.Apply(ctx, t, plan, func(leaseadmin.Change) { done++ })
	s.printf("%d of %d rows written\n", done, todo)
	return err
}

func adoptLeases(ctx context.Context, args []string, s stdio) error {
	f := newLeaseFlags("adopt", leasesAdoptHelp).withStream("; it or --stream-arn is required").withWrite().withAbandon()
	keep := f.Bool("keep-checkpoints", false, "keep each checkpoint that may lie in its shard, whatever the row says")
	if _, err := f.parse(args, "", func() []error {
		if f.stream == "" && f.arn == "" {
			return []error{errors.New("--stream or --stream-arn is required")}
		}
		return nil
	}); err != nil {
		return err
	}
	in, err := f.look(ctx, s)
	if err != nil {
		return err
	}
	plan := func() ([]leaseadmin.Change, error) {
		return leaseadmin.PlanAdopt(leaseadmin.AdoptInput{Leases: in.leases, Unreadable: in.unreadable, Stream: *in.stream, Keep: *keep, Abandon: f.abandon})
	}
	if _, err := plan(); err != nil { // before the wait
		return err
	}
	life := leaseadmin.Life(in.leases, f.failover)
	s.notef("watching for %v whether a worker runs\n", life)
	in.leases, err = leaseadmin.Quiet(ctx, in.leases, life, func(ctx context.Context) (now []lease.Lease, err error) {
		now, in.unreadable, err = in.table.List(ctx)
		return now, err
	})
	if err != nil {
		return err
	}
	if in.stream, err = f.listing(ctx, in.clients, s); err != nil { // which may have been resharded
		return err
	}
	changes, err := plan()
	if err != nil {
		return err
	}
	if err := printPlan(changes, s); err != nil {
		return err
	}
	return f.apply(ctx, in.table, changes, s)
}

// printChange shows a row before and after a change.
func printChange(c leaseadmin.Change, s stdio) error {
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "%s\tBEFORE\tAFTER\n", cell(c.Before.Key))
	for _, line := range []struct {
		name string
		of   func(lease.Lease) string
	}{
		{"owner", func(l lease.Lease) string { return l.Owner }},
		{"counter", func(l lease.Lease) string { return strconv.FormatInt(l.Counter, 10) }},
		{"checkpoint", func(l lease.Lease) string { return l.Checkpoint.String() }},
		{"until", until},
		{"pending", pending},
		{"released", func(l lease.Lease) string { return string(l.Released) }},
		{"stream", func(l lease.Lease) string { return l.Identity.Stream }},
		{"begins", func(l lease.Lease) string { return l.Identity.Start }},
	} {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", line.name, cell(line.of(c.Before)), cell(line.of(c.After)))
	}
	return w.Flush()
}

// printPlan shows what becomes of each row.
func printPlan(plan []leaseadmin.Change, s stdio) error {
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "LEASE\tACTION\tSTREAM\tBEGINS\tCHECKPOINT\tBECOMES\tWHY")
	for _, c := range plan {
		becomes := ""
		if c.Kind == leaseadmin.Rewrites {
			becomes = c.After.Checkpoint.String()
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", cell(c.Before.Key), c.Kind, cell(c.Before.Identity.Stream), cell(c.Before.Identity.Start),
			cell(c.Before.Checkpoint.String()), cell(becomes), cell(c.Why))
	}
	return w.Flush()
}
