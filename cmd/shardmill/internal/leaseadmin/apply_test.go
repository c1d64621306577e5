package leaseadmin_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/leaseadmin"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/leasedynamo"
	"github.com/shardmill/shardmill/localaws"
)

// world is a lease table in this process.
type world struct {
	*testing.T
	*leasedynamo.Table

	stack *localaws.Stack
}

// read returns the rows that can be read.
func (w world) read(ctx context.Context) ([]lease.Lease, error) {
	rows, _, err := w.List(ctx)
	return rows, err
}

// inWorld runs f in virtual time.
func inWorld(t *testing.T, f func(w world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		stack, err := localaws.New(localaws.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer stack.Close()
		table, err := leasedynamo.New(dynamodb.NewFromConfig(stack.AWSConfig()), leasedynamo.Options{TableName: "orders"})
		if err == nil {
			err = table.Ensure(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		f(world{t, table, stack})
	})
}

// lease makes a lease and, if it shall have one, an owner for it.
func (w world) lease(shard int, place, owner string) lease.Lease {
	w.Helper()
	l := lease.Lease{Key: shardID(shard), Checkpoint: at(place)}
	err := w.Create(w.Context(), l)
	if err == nil && owner != "" {
		_, err = w.Take(w.Context(), l, lease.Claim{Owner: owner, Instance: "i", FailoverTime: 10 * time.Second})
	}
	if err != nil {
		w.Fatal(err)
	}
	return w.row(shard)
}

func (w world) row(shard int) lease.Lease {
	w.Helper()
	l, err := w.Get(w.Context(), shardID(shard))
	if err != nil {
		w.Fatal(err)
	}
	return l
}

// rewrites is the change of a row that is set to TRIM_HORIZON.
func rewrites(t *testing.T, row lease.Lease) leaseadmin.Change {
	t.Helper()
	c, err := leaseadmin.PlanSet(leaseadmin.SetInput{Row: row, At: at("TRIM_HORIZON"), Now: noon()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func deletes(row lease.Lease) leaseadmin.Change {
	after := row
	after.Owner, after.Checkpoint, after.Counter = "", at("SHARD_END"), row.Counter+1
	return leaseadmin.Change{Kind: leaseadmin.Deletes, Before: row, After: after}
}

// whole is a plan with one change of each kind, and one that writes nothing.
func whole(w world) []leaseadmin.Change {
	w.Helper()
	freed, err := leaseadmin.PlanRelease(w.lease(1, "1200", "gone"))
	if err != nil {
		w.Fatal(err)
	}
	kept := w.lease(4, "1200", "gone")
	return []leaseadmin.Change{
		rewrites(w.T, w.lease(0, "SHARD_END", "gone")), freed, deletes(w.lease(2, "1200", "gone")), deletes(w.lease(3, "SHARD_END", "")),
		{Kind: leaseadmin.Keeps, Before: kept, After: kept},
	}
}

// done checks what whole leaves.
func done(w world, told []string) {
	w.Helper()
	if want := []string{shardID(0), shardID(1), shardID(2), shardID(3)}; !slices.Equal(told, want) {
		w.Errorf("told of %v", told)
	}
	if l := w.row(0); l.Owner != "" || l.Checkpoint != at("TRIM_HORIZON") {
		w.Errorf("the rewritten one is %+v", l)
	}
	if l := w.row(1); l.Owner != "" || l.Checkpoint != at("1200") {
		w.Errorf("the released one is %+v", l)
	}
	for _, deleted := range []int{2, 3} {
		if l, err := w.Get(w.Context(), shardID(deleted)); !errors.Is(err, lease.ErrNotFound) {
			w.Errorf("%+v is there: %v", l, err)
		}
	}
	if l := w.row(4); l.Owner != "gone" {
		w.Errorf("the one to keep is %+v", l)
	}
}

// Whatever becomes of the requests, a plan is carried out once, or its error
// says that it was not.
func TestApply(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]localaws.Kind{
		"a service that is well": localaws.Latency(time.Millisecond),
		"answers that are lost":  localaws.LostAnswer(),
		"throttling":             localaws.Throttle(),
		"errors":                 localaws.ServerError(500),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w world) {
				plan := whole(w)
				for _, operation := range []string{"UpdateItem", "DeleteItem"} {
					for shard := range 4 {
						w.stack.Faults().Add(localaws.Fault{Service: localaws.DynamoDB, Operation: operation, Body: shardID(shard), Times: 2, Kind: kind})
					}
				}
				var told []string
				err := leaseadmin.Apply(w.Context(), w, plan, func(c leaseadmin.Change) { told = append(told, c.Before.Key) })
				w.stack.Faults().Clear()
				if err != nil {
					t.Error(err)
				}
				done(w, told)
			})
		})
	}
}

// A worker that takes a lease after it was looked at keeps it, whatever the
// change, and the rows after it stay.
func TestApplyRefusesARowThatChanged(t *testing.T) {
	t.Parallel()
	for i, kind := range []string{"rewrite", "release", "delete", "delete of a finished one"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w world) {
				plan := whole(w)[i:]
				taken, err := w.Take(w.Context(), plan[0].Before, lease.Claim{Owner: "quick", Instance: "q", FailoverTime: time.Second})
				if err != nil {
					t.Fatal(err)
				}
				err = leaseadmin.Apply(w.Context(), w, plan, func(leaseadmin.Change) { t.Error("it says that it wrote") })
				if !errors.Is(err, lease.ErrLost) || !strings.Contains(err.Error(), "was not written") {
					t.Errorf("Apply = %v", err)
				}
				if now := w.row(i); now.Owner != "quick" || now.Counter != taken.Counter {
					t.Errorf("the row became %+v", now)
				}
			})
		})
	}
}

// A service that does not answer, or is throttled for ever, is not waited for
// longer than a row's time; what is not known is said.
func TestApplyEnds(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		kind localaws.Kind
		want string
	}{
		"never answered":   {localaws.Stall(time.Hour), "it is not known whether lease shardId-000000000000 was written"},
		"answered by 500":  {localaws.ServerError(500), "it is not known whether lease shardId-000000000000 was written"},
		"always throttled": {localaws.Throttle(), "lease shardId-000000000000 was not written"},
		"cut off":          {localaws.Refuse(), "it is not known whether lease shardId-000000000000 was written"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w world) {
				plan := []leaseadmin.Change{rewrites(w.T, w.lease(0, "SHARD_END", ""))}
				w.stack.Faults().Add(localaws.Fault{Service: localaws.DynamoDB, Operation: "UpdateItem", Kind: tt.kind})
				begun := time.Now()
				err := leaseadmin.Apply(w.Context(), w, plan, func(leaseadmin.Change) { t.Error("it says that it wrote") })
				if took := time.Since(begun); err == nil || !strings.Contains(err.Error(), tt.want) || took > 31*time.Second {
					t.Errorf("Apply = %v after %v", err, took)
				}
				w.stack.Faults().Clear()
			})
		})
	}
}

// denied is a table that may not be written.
type denied struct {
	world

	tries int
}

func (d *denied) Rewrite(context.Context, lease.Lease, lease.Lease) (lease.Lease, error) {
	d.tries++
	return lease.Lease{}, lease.ErrAccessDenied
}

func TestApplyWithoutAccess(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		d := &denied{world: w}
		err := leaseadmin.Apply(w.Context(), d, []leaseadmin.Change{rewrites(w.T, w.lease(0, "SHARD_END", ""))}, func(leaseadmin.Change) {})
		if !errors.Is(err, lease.ErrAccessDenied) || !strings.Contains(err.Error(), "was not written") || d.tries != 1 {
			t.Errorf("Apply = %v after %d tries", err, d.tries)
		}
	})
}

// Told to end, it ends between two rows.
func TestApplyIsInterrupted(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		plan := whole(w)
		stop := errors.New("stop")
		ctx, cancel := context.WithCancelCause(w.Context())
		n := 0
		err := leaseadmin.Apply(ctx, w, plan, func(leaseadmin.Change) { n++; cancel(stop) })
		if !errors.Is(err, stop) || n != 1 || w.row(0).Checkpoint != at("TRIM_HORIZON") || w.row(1).Owner != "gone" {
			t.Errorf("Apply = %v after %d rows", err, n)
		}
	})
}

// A row that takes two writes gets both, also if it is told to end between them.
func TestApplyFinishesARow(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		plan := []leaseadmin.Change{deletes(w.lease(0, "1200", "gone"))}
		w.stack.Faults().Add(localaws.Fault{Service: localaws.DynamoDB, Kind: localaws.Latency(2 * time.Second)})
		ctx, cancel := context.WithCancel(w.Context())
		time.AfterFunc(time.Second, cancel)
		if err := leaseadmin.Apply(ctx, w, plan, func(leaseadmin.Change) {}); err != nil {
			t.Error(err)
		}
		w.stack.Faults().Clear()
		if l, err := w.Get(w.Context(), shardID(0)); !errors.Is(err, lease.ErrNotFound) {
			t.Errorf("%+v is there: %v", l, err)
		}
	})
}

func TestQuiet(t *testing.T) {
	t.Parallel()
	const life = 10 * time.Second
	tests := []struct {
		name string
		do   func(w world, held lease.Lease) // beside the watching
		want string                          // the error; "" for none
	}{
		{"nobody writes", func(world, lease.Lease) {}, ""},
		{"a worker that renews", func(w world, l lease.Lease) {
			time.Sleep(3 * time.Second)
			_, _ = w.Renew(w.Context(), l)
		}, "lease shardId-000000000000 is held by me, which renewed it less than 2s ago: stop that worker first"},
		{"one that renews at the last moment", func(w world, l lease.Lease) {
			time.Sleep(life - time.Millisecond)
			_, _ = w.Renew(w.Context(), l)
		}, "lease shardId-000000000000 is held by me, which renewed it less than 2s ago: stop that worker first"},
		{"another that takes it", func(w world, l lease.Lease) {
			time.Sleep(time.Second)
			_, _ = w.Take(w.Context(), l, lease.Claim{Owner: "you", Instance: "j", FailoverTime: time.Second})
		}, "lease shardId-000000000000 is held by you, which renewed it less than 2s ago: stop that worker first"},
		{"one that releases it", func(w world, l lease.Lease) {
			time.Sleep(time.Second)
			_, _ = w.Release(w.Context(), l, lease.Plain)
		}, "lease shardId-000000000000 was changed less than 2s ago: a worker runs; stop it first"},
		{"one that makes another", func(w world, _ lease.Lease) {
			time.Sleep(time.Second)
			_ = w.Create(w.Context(), lease.Lease{Key: shardID(5), Checkpoint: at("TRIM_HORIZON")})
		}, "lease shardId-000000000005 was changed less than 2s ago: a worker runs; stop it first"},
		{"one that deletes another", func(w world, _ lease.Lease) {
			time.Sleep(time.Second)
			_ = w.Delete(w.Context(), w.row(1))
		}, "lease shardId-000000000001 was changed less than 2s ago: a worker runs; stop it first"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w world) {
				held := w.lease(0, "1200", "me")
				w.lease(1, "SHARD_END", "")
				rows, _, err := w.List(w.Context())
				if err != nil {
					t.Fatal(err)
				}
				begun := time.Now()
				go tt.do(w, held) // ends with the bubble
				got, err := leaseadmin.Quiet(w.Context(), rows, life, w.read)
				if tt.want != "" {
					if err == nil || err.Error() != tt.want {
						t.Errorf("Quiet = %v, want %s", err, tt.want)
					}
					return
				}
				if took := time.Since(begun); err != nil || len(got) != 2 || took <= life {
					t.Errorf("Quiet = %v, %v after %v", got, err, took)
				}
			})
		})
	}
}

func TestQuietEnds(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		stop := errors.New("stop")
		ctx, cancel := context.WithCancelCause(w.Context())
		time.AfterFunc(3*time.Second, func() { cancel(stop) })
		if _, err := leaseadmin.Quiet(ctx, nil, time.Hour, w.read); !errors.Is(err, stop) {
			t.Errorf("Quiet = %v", err)
		}
		if _, err := leaseadmin.Quiet(w.Context(), nil, time.Second, func(context.Context) ([]lease.Lease, error) { return nil, stop }); !errors.Is(err, stop) {
			t.Errorf("Quiet = %v", err)
		}
	})
}

func TestLife(t *testing.T) {
	t.Parallel()
	rows := []lease.Lease{{Owner: "a", FailoverTime: 20 * time.Second}, {Owner: "java"}}
	if got := leaseadmin.Life(rows, 10*time.Second); got != 20*time.Second {
		t.Errorf("Life = %v", got)
	}
	if got := leaseadmin.Life(rows, time.Minute); got != time.Minute || !leaseadmin.Owned(rows) || leaseadmin.Owned([]lease.Lease{{}}) {
		t.Errorf("Life = %v", got)
	}
}
