package lease

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"
)

// Config configures a Coordinator. Fields without a default are required.
type Config struct {
	Table    Table
	WorkerID string // unique among the workers of the application; leaseOwner

	// FailoverTime is how long a lease lives unrenewed: after so long without
	// a sign of life another worker takes it. All workers of an application
	// should have the same. Default 10s. Source: KCL failoverTimeMillis.
	FailoverTime time.Duration

	// ScanInterval is how often the table is read to find leases to take, or up
	// to a tenth sooner, and also when a lease that nobody renews runs out.
	// Default: half of FailoverTime. Each read costs one read unit per 8 KB of the table.
	ScanInterval time.Duration

	// MaxLeases is the most leases held at once. Default: no limit.
	// Source: KCL maxLeasesForWorker.
	MaxLeases int

	// MaxSteal is the most leases stolen at once from a Java worker. Default 1.
	// Source: KCL maxLeasesToStealAtOneTime.
	MaxSteal int

	// Judge says of each lease that a list showed whether this worker may take
	// it, and what identity it has by what is known of the stream. A lease that
	// it may not take is left alone, and is no load of anybody; that somebody owns
	// it gives him no share of the others. One that is held stays held. Judge is
	// called on Run's goroutine, once for each row of each list that could be read,
	// also for those that are held or finished, and must be quick; while it blocks
	// nothing is taken. Default: every lease, of an identity that is not known.
	Judge func(Lease) (Identity, bool)

	// OnChange is told of every lease taken, lost and released. Default: nobody
	// is told.
	//
	// It, OnScan and OnScanFailed are called in the order in which things
	// happened, one at a time, on a goroutine that Run starts: leases are taken,
	// held and released meanwhile. One that does not return within five seconds, or
	// panics, is logged, at most once a minute, under the name that kcl.Hooks has
	// for it. Run waits for them at its end, ten seconds at most.
	OnChange func(Change)

	// OnTry is told of every reading of the table what OnScan or OnScanFailed is
	// told of later: nil, or the error. It is called at once, on Run's goroutine,
	// so it must be quick, and no other hook can keep it waiting. Default: nobody
	// is told.
	OnTry func(error)

	// OnScan is told of every reading of the table, after what it led to was
	// done. Default: nobody is told.
	OnScan func(Scan)

	// OnScanFailed is told, instead of OnScan, of a reading that failed, and of
	// one after which no lease was taken because the table refused the takes
	// (ErrAccessDenied, ErrTableNotFound). Default: nobody is told.
	OnScanFailed func(error)

	Logger *zap.Logger // default: none
}

// MinFailoverTime is the shortest failover time that New accepts: below it,
// ordinary delays of a table cost leases.
const MinFailoverTime = 500 * time.Millisecond

// DefaultFailoverTime is the failover time of workers that are not told
// another one. Source: KCL failoverTimeMillis.
const DefaultFailoverTime = 10 * time.Second

// DefaultScanInterval is the scan interval of workers that are told no other
// than a failover time: half of it. Of a failover time that is too short it is one
// that can be used, as that is one fault and not two.
func DefaultScanInterval(failover time.Duration) time.Duration {
	return max(failover, MinFailoverTime) / 2
}

func (c Config) withDefaults() Config {
	c.FailoverTime = cmp.Or(c.FailoverTime, DefaultFailoverTime)
	c.ScanInterval = cmp.Or(c.ScanInterval, DefaultScanInterval(c.FailoverTime))
	c.Logger = cmp.Or(c.Logger, zap.NewNop())
	return c
}

func (c Config) validate(instance string) error {
	var errs []error
	need := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	need(c.Table != nil, "Table is required")
	need(c.WorkerID != "", "WorkerID is required")
	need(instance != "", "the instance is required")
	need(!strings.Contains(instance, "/"), "the instance is %q; it must have no slash", instance)
	need(c.FailoverTime >= MinFailoverTime, "FailoverTime is %v; it must be at least %v", c.FailoverTime, MinFailoverTime)
	need(c.ScanInterval > 0, "ScanInterval is %v; it must be positive", c.ScanInterval)
	need(c.MaxLeases >= 0, "MaxLeases is %d; it must be positive, or 0 for no limit", c.MaxLeases)
	need(c.MaxSteal >= 0, "MaxSteal is %d; it must be positive, or 0 for the default", c.MaxSteal)
	return errors.Join(errs...)
}
