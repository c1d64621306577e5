package elected

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/lease"
)

// Config configures a Role. Fields without a default are required.
type Config struct {
	Table    lease.Table // of jobs alone
	Job      string      // the key of the lease
	WorkerID string      // unique among the workers that stand ready

	FailoverTime time.Duration // as lease.Config has it; default 10s

	// OnChange is told when this worker begins and ends to do the job, before and after
	// the call of it. It must be quick. A panic of it is logged. Default: nobody is told.
	OnChange func(has bool)

	Logger *zap.Logger // default: none
}

// Job is what one worker does at a time. It has to return when ctx is done, and asks
// Term.CheckTrust before each step that another worker must not see.
type Job func(ctx context.Context, t *Term) error

// Term is the time in which a worker does the job. It is safe for concurrent use.
type Term struct {
	held *lease.Held
}

// CheckTrust returns nil if the lease is held for sure, and else an error that is
// lease.ErrLost. It is asked before each step that another worker must not see.
func (t *Term) CheckTrust() error { return t.held.CheckTrust() }

// Role is a job that one of several workers does. Its methods are safe for concurrent use.
type Role struct {
	cfg      Config
	failover time.Duration
	leases   *lease.Coordinator
	absent   chan struct{} // the table has no row of the job, or none that can be read

	mu       sync.Mutex // guards what follows; never held over I/O
	started  bool
	listed   bool // the list that is being judged has the row
	has      bool
	since    time.Time // of has
	holder   string
	table    fault // the table cannot be used
	job      fault // the job failed
	failures int   // of the job, in a row
}

// fault is an error, and since when there is one.
type fault struct {
	err   error
	since time.Time
}

// set notes an outcome.
func (f *fault) set(err error) {
	switch {
	case err == nil:
		*f = fault{}
	case f.err == nil:
		*f = fault{err, time.Now()}
	default:
		f.err = err
	}
}

// Status is how a Role stands, as far as this worker knows.
type Status struct {
	Has   bool      // it does the job
	Since time.Time // when Has became what it is; of a Role that has not run yet, zero

	// Holder is the worker that holds the lease by the last look at the table; "" if
	// nobody does, or if that is not known.
	Holder string

	// Err is what keeps this worker from standing ready, or else what its last try to do
	// the job ended with, until it or another worker does the job; nil if neither.
	// ErrSince is since when there is an error.
	Err      error
	ErrSince time.Time
}

// Status returns how the Role stands.
func (r *Role) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Status{Has: r.has, Since: r.since, Holder: r.holder, Err: r.table.err, ErrSince: r.table.since}
	if s.Err == nil {
		s.Err, s.ErrSince = r.job.err, r.job.since
	}
	return s
}

// Loops returns the tries that are under way, as lease.Coordinator.Loops does.
func (r *Role) Loops() []lease.LoopStatus { return r.leases.Loops() }

// New returns a Role that does not run. It does no I/O. The error joins all that is wrong.
func New(cfg Config) (*Role, error) {
	cfg.Logger = cmp.Or(cfg.Logger, zap.NewNop()).With(zap.String("job", cfg.Job))
	r := &Role{cfg: cfg, failover: cmp.Or(cfg.FailoverTime, lease.DefaultFailoverTime), absent: make(chan struct{}, 1)}
	var errs []error
	if cfg.Job == "" {
		errs = append(errs, errors.New("Job is required"))
	}
	var err error
	r.leases, err = lease.NewCoordinator(lease.Config{
		Table: cfg.Table, WorkerID: cfg.WorkerID, FailoverTime: cfg.FailoverTime, Judge: r.judge, OnTry: r.looked, Logger: cfg.Logger,
	}, rand.Text())
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, fmt.Errorf("elected: %w", err)
	}
	return r, nil
}

// Run stands ready to do the job until ctx is done: it makes the table and the lease if
// there are none, for as long as that takes, and calls job whenever it has taken the
// lease. It may be called once.
//
// The context of a job ends with the lease, and its cause is then an error that is
// lease.ErrLost, and with ctx. The lease is held until job has returned, also after ctx is done:
// until then no other worker begins. Then it is released, and another worker takes it at
// its next look. If job returned an error, panicked or ended its goroutine, the lease is
// left to others for two failover times, which double with each such end in a row, up to ten
// minutes; nobody takes it before one has passed. If job returned nil although it need not end, it
// is left to others for one failover time. Run returns when job has, if it runs.
func (r *Role) Run(ctx context.Context, job Job) {
	if !r.start() {
		r.cfg.Logger.Error("role was run before; make another one")
		return
	}
	if !r.makeReady(ctx) {
		return
	}
	var keeper sync.WaitGroup
	defer keeper.Wait()
	keeper.Go(func() { r.keepRow(ctx) })
	// A lease outlives ctx until its job has returned.
	r.leases.Run(ctx, context.WithoutCancel(ctx), func(h *lease.Held) { r.hold(ctx, h, job) })
}

// start reports whether this is the first call.
func (r *Role) start() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := !r.started
	if first {
		r.started, r.since = true, time.Now()
	}
	return first
}

// judge lets the coordinator take the lease of the job, and no other one: each other row is another job's.
func (r *Role) judge(l lease.Lease) (lease.Identity, bool) {
	if l.Key != r.cfg.Job {
		return lease.Identity{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listed, r.holder = true, l.Holder()
	if r.holder != "" && r.holder != r.cfg.WorkerID {
		r.job.set(nil)
	}
	return lease.Identity{}, true
}

// looked notes what became of a look at the table. A list that lags may not have the row
// yet; one that is there is not made twice.
func (r *Role) looked(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	listed := r.listed
	r.listed = false
	switch {
	case err != nil:
		r.table.set(err)
	case listed:
		r.table.set(nil)
	default:
		r.holder = ""
		select {
		case r.absent <- struct{}{}:
		default:
		}
	}
}
