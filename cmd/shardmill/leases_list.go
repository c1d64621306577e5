package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/leaseadmin"
	"github.com/shardmill/shardmill/lease"
)

const leasesListHelp = `shardmill leases list --table NAME [--stream NAME] [--json]

Lists the leases of an application: which worker holds which shard, and how far
it is. UNTIL is the server-side timestamp of the checkpoint: what arrived before
it is done; Java workers store none. STREAM and BEGINS say which shard the lease
is of, by the stream's name and the shard's first sequence number; RELEASED why
its last holder left it. Nothing is written.

What a row says is quoted if a terminal would not show it as it is.

With --stream the shards of that stream are listed too. SHARD says whether a
shard is open or closed, and NOTE what of a row contradicts the stream.

--json prints one object a line: key, owner, counter, owner_switches, checkpoint,
sub_sequence_number, until, pending, parents, children, failover_time, unreadable,
stream, shard_start, stream_arn, released, multi_stream, shard (open, closed or
not listed), no_lease, contradictions.
`

func listLeases(ctx context.Context, args []string, s stdio) error {
	f := newLeaseFlags("list", leasesListHelp).withStream(": list its shards, and what contradicts them")
	asJSON := f.Bool("json", false, "print JSON, one lease a line")
	if _, err := f.parse(args, "", nil); err != nil {
		return err
	}
	in, err := f.look(ctx, s)
	if err == nil && len(in.leases)+len(in.unreadable) == 0 {
		err = f.checkTable(ctx, in.table, s)
	}
	if err != nil {
		return err
	}
	list := judgeLeases(in.leases, in.unreadable, in.stream)
	if *asJSON {
		return printLeasesJSON(list, s)
	}
	return printLeases(list, in.stream != nil, s)
}

// judged is a row, or a shard without one, and what the stream says to it.
type judged struct {
	lease.Lease

	missing        bool   // there is no row
	unreadable     string // why the row, of which only the key is known, is malformed; "" if it is not
	shard          string // open, closed, not listed; "" if the stream was not asked
	manyStreams    bool
	contradictions []string
}

// judgeLeases returns the rows and, if a stream is given, its shards without one.
func judgeLeases(list []lease.Lease, unreadable []*lease.UnreadableError, stream *leaseadmin.Stream) []judged {
	var out []judged
	leased := make(map[string]bool)
	for _, l := range list {
		leased[l.Key] = true
		j := judged{Lease: l, manyStreams: lease.IsMultiStreamKey(l.Key)}
		if stream != nil {
			j.shard, j.contradictions = shardState(stream, l.Key), stream.Contradictions(l)
		}
		out = append(out, j)
	}
	for _, row := range unreadable {
		leased[row.Key] = true
		j := judged{Lease: lease.Lease{Key: row.Key}, unreadable: row.Error(), manyStreams: lease.IsMultiStreamKey(row.Key)}
		if stream != nil {
			j.shard = shardState(stream, row.Key)
		}
		out = append(out, j)
	}
	if stream != nil {
		for _, sh := range stream.Shards {
			if !leased[sh.ID] {
				out = append(out, judged{Lease: lease.Lease{Key: sh.ID}, missing: true, shard: shardState(stream, sh.ID)})
			}
		}
	}
	slices.SortFunc(out, func(a, b judged) int { return cmp.Compare(a.Key, b.Key) })
	return out
}

func shardState(stream *leaseadmin.Stream, id string) string {
	sh, ok := stream.Shard(id)
	switch {
	case !ok:
		return "not listed"
	case sh.EndingSequenceNumber == "":
		return "open"
	}
	return "closed"
}

// note says what is to be known of a row that no column has.
func (j judged) note() string {
	var out []string
	if j.missing {
		out = append(out, "no lease")
	}
	if j.unreadable != "" {
		out = append(out, j.unreadable)
	}
	if j.manyStreams {
		out = append(out, "of a fleet that reads several streams")
	}
	for _, c := range j.contradictions {
		out = append(out, "contradicts the stream: "+c)
	}
	return strings.Join(out, "; ")
}

func printLeases(list []judged, withStream bool, s stdio) error {
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	head := "LEASE\tOWNER\tCOUNTER\tCHECKPOINT\tUNTIL\tPENDING\tRELEASED\tSTREAM\tBEGINS\t"
	if withStream {
		head += "SHARD\t"
	}
	_, _ = fmt.Fprintln(w, head+"NOTE")
	for _, l := range list {
		cells := []string{
			l.Key, l.Owner, strconv.FormatInt(l.Counter, 10), l.Checkpoint.String(), until(l.Lease), pending(l.Lease),
			string(l.Released), l.Identity.Stream, l.Identity.Start,
		}
		if l.missing || l.unreadable != "" {
			cells[2] = "" // a counter of 0 is one, too
		}
		if withStream {
			cells = append(cells, l.shard)
		}
		for i, c := range cells {
			cells[i] = cell(c)
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\n", strings.Join(cells, "\t"), cell(l.note()))
	}
	return w.Flush()
}

func pending(l lease.Lease) string {
	if l.Pending == nil {
		return ""
	}
	return l.Pending.At.String()
}

func until(l lease.Lease) string {
	if l.Checkpoint.Arrival.IsZero() {
		return ""
	}
	return l.Checkpoint.Arrival.UTC().Format("2006-01-02T15:04:05.000Z")
}

// leaseJSON is a lease as --json prints it; the names stay.
type leaseJSON struct {
	Key            string   `json:"key"`
	Owner          string   `json:"owner,omitempty"`
	Counter        int64    `json:"counter"`
	OwnerSwitches  int64    `json:"owner_switches"`
	Checkpoint     string   `json:"checkpoint"`
	Sub            int64    `json:"sub_sequence_number"`
	Until          string   `json:"until,omitempty"`
	Pending        string   `json:"pending,omitempty"`
	Parents        []string `json:"parents,omitempty"`
	Children       []string `json:"children,omitempty"`
	Failover       string   `json:"failover_time,omitempty"`
	Unreadable     string   `json:"unreadable,omitempty"`
	Stream         string   `json:"stream,omitempty"`
	Start          string   `json:"shard_start,omitempty"`
	ARN            string   `json:"stream_arn,omitempty"`
	Released       string   `json:"released,omitempty"`
	ManyStreams    bool     `json:"multi_stream,omitempty"`
	Shard          string   `json:"shard,omitempty"`
	Missing        bool     `json:"no_lease,omitempty"`
	Contradictions []string `json:"contradictions,omitempty"`
}

func printLeasesJSON(list []judged, s stdio) error {
	enc := json.NewEncoder(s.out)
	var errs []error
	for _, l := range list {
		out := leaseJSON{
			Key: l.Key, Owner: l.Owner, Counter: l.Counter, OwnerSwitches: l.OwnerSwitches,
			Checkpoint: l.Checkpoint.SequenceNumber, Sub: l.Checkpoint.SubSequenceNumber, Until: until(l.Lease), Pending: pending(l.Lease),
			Parents: l.Parents, Children: l.Children, Unreadable: l.unreadable,
			Stream: l.Identity.Stream, Start: l.Identity.Start, ARN: l.Identity.ARN, Released: string(l.Released),
			ManyStreams: l.manyStreams, Shard: l.shard, Missing: l.missing, Contradictions: l.contradictions,
		}
		if l.FailoverTime > 0 {
			out.Failover = l.FailoverTime.Round(time.Millisecond).String()
		}
		errs = append(errs, enc.Encode(out)) //nolint:errchkjson // joined below
	}
	return errors.Join(errs...)
}
