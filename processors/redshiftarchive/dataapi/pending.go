package dataapi

import (
	"context"
	"time"

	"github.com/shardmill/shardmill/processors/redshiftarchive"
	"github.com/shardmill/shardmill/processors/redshiftarchive/internal/judge"
)

// pending is a batch that was handed in, or may have been, and whose end is not known. The
// service may begin it at any time, so what another batch finds in the ledger meanwhile says nothing.
type pending struct {
	id      string // "" if that was not answered
	sqls    []string
	token   string
	secrets judge.Secrets // that sqls has
	since   time.Time     // when it was handed in for the last time, be that answered or not
}

// pendingFor is after how long nothing is pending any more, whatever is answered. Source: quotas of the
// Data API, by which a statement ends within 24 h.
const pendingFor = 25 * time.Hour

// endPending returns nil when no batch of an earlier try is pending any more. One whose id is not known
// is handed in again: as it has the same token it is executed once, maybe only then. The fault is
// not Undone, but if that took all the time that the try has.
func (d *Database) endPending(ctx context.Context, t redshiftarchive.Try) *redshiftarchive.Fault {
	p := d.pending
	if p == nil {
		return nil
	}
	if time.Since(p.since) < pendingFor {
		if fault := d.awaitPending(ctx, p, t.Tell); fault != nil {
			return fault
		}
	}
	d.pending = nil
	if ctx.Err() != nil {
		f := judge.Lost("COPY, which was not asked as the end of an earlier try took all its time", context.Cause(ctx), p.secrets)
		f.Undone = true
		return f
	}
	return nil
}

// awaitPending waits for the end of what is pending.
func (d *Database) awaitPending(ctx context.Context, p *pending, tell func(string, error)) *redshiftarchive.Fault {
	const doing = "an earlier try, which may have been taken"
	tell(doing, nil)
	if p.id == "" {
		id, fault := d.handIn(ctx, doing, p.sqls, p.token, p.secrets)
		if fault != nil && fault.Undone { // not by this request, but the earlier one may have been taken
			fault.Undone = false
			return fault
		}
		if p.since = time.Now(); fault != nil {
			return fault
		}
		p.id = id
	}
	_, fault := d.end(ctx, doing, p.id, tell, p.secrets)
	return fault
}
