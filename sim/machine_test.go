package sim_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/lease"
)

var (
	errNet  = errors.New("connection reset")
	errDead = errors.New("the machine is gone")
)

// machine is the computer that one worker runs on.
type machine struct {
	w      *world
	slot   int
	name   string
	dice   dice
	rate   float64 // of its clock
	frozen bool    // its clock does not move

	mu        sync.Mutex // guards what follows
	dead      bool
	throttled time.Time // until then it is, after an answer that was lost
}

// newMachine returns the next machine of a slot. If it is a twin it has the
// worker ID of the one before.
func (w *world) newMachine(slot, life int, before *machine, isTwin bool) *machine {
	m := &machine{w: w, slot: slot, name: fmt.Sprintf("worker-%d", slot), dice: dice(w.seed*1000 + uint64(100*slot+life)), rate: w.rate[slot]}
	switch {
	case isTwin:
		m.name = before.name
	case m.dice.below(3, "id", 0) > 0: // else an ID that was there before, perhaps
		m.name += fmt.Sprintf(".%d", life)
	}
	if w.frozen && slot == 0 && life == 0 {
		m.frozen, m.rate = true, 0.001
	}
	return m
}

// failover is the machine's failover time as the world's clock shows it.
func (m *machine) failover() time.Duration {
	f := m.w.failover[m.slot]
	if m.frozen {
		return f
	}
	return time.Duration(float64(f) / m.rate)
}

// clocked returns a time of the machine's own clock.
func (m *machine) clocked(d time.Duration) time.Duration { return time.Duration(float64(d) / m.rate) }

// throw is chance for something that the machine does now.
func (m *machine) throw(what string) float64 {
	return m.dice.throw(what, int64(time.Since(m.w.begun)))
}

func (m *machine) upTo(d time.Duration, what string) time.Duration {
	return time.Duration(m.throw(what) * float64(d))
}

func (m *machine) isDead() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}

func (m *machine) die() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = true
}

// wait passes the time that the machine stands still, whatever a context says:
// a stopped process does not hear it.
// What stood still goes on one after the other, as on any machine.
func (m *machine) wait(doing string) {
	for {
		left := m.w.stalledFor(m.slot)
		if left <= 0 {
			return
		}
		m.w.count("requests and calls that stood still")
		time.Sleep(left + m.upTo(5*time.Millisecond, "go on with "+doing))
	}
}

// meets reports whether a trouble strikes what the machine does now.
func (m *machine) meets(trouble what, doing string) bool {
	chance := m.w.chance(trouble, m.slot)
	if chance == 0 || m.throw(trouble.String()+doing) >= chance {
		return false
	}
	m.w.count(trouble.String())
	return true
}

// send is one request over the network: apply happens or not, and its sender
// learns of it or not.
func (m *machine) send(ctx context.Context, op string, apply func(context.Context) error) error {
	if !*logs {
		return m.transmit(ctx, op, apply)
	}
	m.w.note("%s: %s ...", m.name, op)
	err := m.transmit(ctx, op, apply)
	m.w.note("%s: %s: %v", m.name, op, err)
	return err
}

// fetched is what a request brings. One that takes effect after its sender gave
// it up brings it to nobody: what comes with an error is not looked at.
func fetched[T any](send func(apply func(context.Context) error) error, get func(context.Context) (T, error)) (T, error) {
	var got, none T
	err := send(func(ctx context.Context) error {
		answer, err := get(ctx)
		got = answer
		return err
	})
	if err != nil {
		return none, err
	}
	return got, nil
}

func (m *machine) transmit(ctx context.Context, op string, apply func(context.Context) error) error {
	m.wait(op)
	if m.isDead() {
		return errDead
	}
	if m.meets(silent, op) {
		return m.unanswered(ctx, op, apply)
	}
	way := time.Millisecond + m.upTo(20*time.Millisecond, "way "+op)
	if m.meets(slows, op) {
		way += m.upTo(3*m.failover()/2, "slow "+op)
	}
	arrives := m.meets(late, op)
	if err := pause.For(ctx, way); err != nil {
		if arrives {
			m.w.later(m.upTo(2*m.failover(), "late "+op), func() { _ = apply(context.WithoutCancel(ctx)) })
		}
		return err
	}
	switch {
	case m.isDead() && !arrives, m.meets(fails, op):
		return errNet
	case m.isThrottled(), m.meets(throttle, op):
		return lease.ErrThrottled
	}
	if err := apply(ctx); err != nil {
		return err
	}
	lost := m.meets(loses, op)
	if err := pause.For(ctx, time.Millisecond+m.upTo(20*time.Millisecond, "back "+op)); err != nil {
		return err
	}
	m.wait("answer of " + op)
	if lost {
		m.mu.Lock()
		m.throttled = time.Now().Add(m.upTo(m.failover()/2, "then throttled"))
		m.mu.Unlock()
		return errNet
	}
	if m.isDead() {
		return errDead
	}
	return nil
}

// unanswered is a request that is never answered. Over the local services the
// adapters give it up; in memory whoever made it does, half of the time, and else
// this network does in their place.
func (m *machine) unanswered(ctx context.Context, op string, apply func(context.Context) error) error {
	if m.throw("unanswered "+op) < 0.5 {
		_ = apply(context.WithoutCancel(ctx))
	}
	limit := m.clocked(10 * time.Second)
	if m.w.kind == awsWorld || m.throw("given up "+op) < 0.5 {
		limit = time.Hour
	}
	if err := pause.For(ctx, limit); err != nil {
		return err
	}
	m.wait("no answer of " + op)
	return errNet
}

func (m *machine) isThrottled() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Now().Before(m.throttled)
}

// live runs one machine after the other in a slot until the world ends.
func (w *world) live(ctx context.Context, slot int) {
	var wg sync.WaitGroup
	defer wg.Wait()
	var m *machine
	var how what
	for life := 0; ctx.Err() == nil; life++ {
		m = w.newMachine(slot, life, m, how == twin)
		var end time.Duration
		end, how = w.endOfLife(slot)
		if m.frozen && (end > w.trouble || how == twin) {
			end, how = min(end, w.trouble), crash // it cannot become well
		}
		lifetime, stop := context.WithCancel(ctx)
		done := make(chan struct{})
		wg.Go(func() {
			defer close(done)
			w.work(lifetime, m)
		})
		select {
		case <-ctx.Done():
			stop()
			return
		case <-time.After(end - time.Since(w.begun)):
		}
		switch how {
		case restart:
			w.note("%s is to shut down", m.name)
			stop()
			<-done
		case twin:
			w.note("%s gets a twin", m.name)
			w.count("twins")
			older := m
			wg.Go(func() {
				defer stop()
				_ = pause.For(lifetime, w.dice().upTo(min(time.Minute, w.trouble-time.Since(w.begun)), "twins", int64(life)))
				w.crash(older)
			})
		default:
			w.crash(m)
			stop()
			_ = pause.For(ctx, w.dice().upTo(20*time.Second, "rest", int64(life)))
		}
	}
}

func (w *world) crash(m *machine) {
	w.note("%s crashes", m.name)
	w.count("crashes")
	m.die()
}

// endOfLife returns when the machine that starts now in a slot ends, and how.
func (w *world) endOfLife(slot int) (at time.Duration, how what) {
	for _, i := range w.incidents {
		if i.slot == slot && (i.what == crash || i.what == restart || i.what == twin) && w.begun.Add(i.at).After(time.Now()) {
			return i.at, i.what
		}
	}
	// In the calm one worker shuts down: its leases must be picked up.
	if at := w.trouble + 4*time.Minute; slot == 0 && time.Since(w.begun) < at {
		return at, restart
	}
	return 2 * (w.trouble + w.calm), restart
}

// work runs a worker until ctx is done.
func (w *world) work(ctx context.Context, m *machine) {
	ctx = pause.WithChance(ctx, m.throw)
	failover := w.failover[m.slot]
	cfg := kcl.Config{
		ApplicationName: "app", StreamName: "s", StreamARN: "arn:aws:kinesis:us-east-1:000000000000:stream/s", Source: w.parts.source(m), Leases: w.parts.table(m), WorkerID: m.name,
		FailoverTime: m.clocked(failover), ScanInterval: m.clocked(scanEvery), ShardSyncInterval: m.clocked(40 * time.Second),
		KeepFinishedLeases: m.clocked(keepFinished), ShutdownTimeout: 2 * failover, MaxAttempts: 6, Hooks: w.hooks(m), Logger: w.logger(m),
		MaxBytes: 64 << 20,
	}
	if w.scarce {
		cfg.MaxBytes = 256 << (2 * w.dice().below(10, "memory", int64(m.slot))) // 256 bytes to 64 MiB
	}
	if w.loads {
		cfg.MaxBytes = max(cfg.MaxBytes, 16<<10) // what waits to be loaded is in memory: with less the calm is too short
	}
	if w.kind != processorWorld {
		cfg.TickInterval = time.Second
	}
	worker, err := kcl.New(cfg, w.parts.factory(m))
	if err != nil {
		w.violate("the worker is refused: %v", err)
		return
	}
	w.note("%s starts", m.name)
	w.alive(m, true)
	err = w.loadWhile(ctx, m, func() error {
		defer w.alive(m, false) // whose clock stands still may hold the loader's lease for long, though he is gone
		return worker.Run(ctx)
	})
	if err != nil && !errors.Is(err, kcl.ErrShutdownTimeout) {
		w.violate("%s ends by itself: %v", m.name, err)
	}
	w.note("%s ends: %v", m.name, err)
	if s := worker.Snapshot(); s.BytesInUse != 0 || len(s.Shards) != 0 {
		w.violate("%s has ended and has %d bytes of records and %d shards", m.name, s.BytesInUse, len(s.Shards))
	}
}

func (w *world) hooks(m *machine) kcl.Hooks {
	return kcl.Hooks{
		LeaseTaken: func(e kcl.LeaseEvent) {
			w.note("%s takes %s, counter %d, stolen %v", m.name, short(e.Lease.Key), e.Lease.Counter, e.Stolen)
			w.count("leases taken")
			if e.Stolen {
				w.count("leases stolen")
			}
		},
		LeaseLost: func(e kcl.LeaseEvent) {
			why, _, _ := strings.Cut(e.Reason, "; the last write") // of two errors of one instant either may be the last
			w.note("%s loses %s, counter %d: %s", m.name, short(e.Lease.Key), e.Lease.Counter, why)
			w.count("leases lost")
		},
		LeaseReleased: func(e kcl.LeaseEvent) {
			w.note("%s releases %s, counter %d", m.name, short(e.Lease.Key), e.Lease.Counter)
			w.count("leases released")
		},
		RecordsLost: func(e kcl.LossEvent) { w.gap(m, e) },
	}
}

// logger returns a logger to the timeline, or none.
func (w *world) logger(m *machine) *zap.Logger {
	if !*logs {
		return nil
	}
	encoder := zapcore.NewJSONEncoder(zapcore.EncoderConfig{MessageKey: "msg", LevelKey: "level", EncodeLevel: zapcore.LowercaseLevelEncoder, EncodeDuration: zapcore.StringDurationEncoder})
	return zap.New(zapcore.NewCore(encoder, zapcore.AddSync(noted{w, m.name}), zapcore.DebugLevel))
}

// noted writes to the timeline.
type noted struct {
	w    *world
	name string
}

func (n noted) Write(line []byte) (int, error) {
	n.w.note("%s: %s", n.name, strings.TrimSpace(string(line)))
	return len(line), nil
}
