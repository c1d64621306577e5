package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/processors/transform"
)

const (
	firstPause = 100 * time.Millisecond // before a program that ended badly is started anew
	longPause  = 30 * time.Second       // to which this grows

	takeEvery = 100 * time.Millisecond // who waits for a pause looks for a process that has come free meanwhile
)

// Options say which program runs, and how.
type Options struct {
	// Argv is the program and its arguments; no shell reads them. A name without a
	// slash is looked for in PATH. Required.
	Argv []string

	// Dir is the working directory. Default: that of this process.
	Dir string

	// Env is the environment, each "NAME=value". Default nil: that of this process, with
	// its credentials.
	Env []string

	// Processes is how many may run side by side: 1-1000. They are started as calls need
	// them, and calls wait while all are busy. Default: as many as Go uses processors.
	Processes int

	// MemoryMBs is how many MiB of memory the program may have, on Linux only: 1-1048576.
	// No process of it may have more data (RLIMIT_DATA: its heap and stacks, in use or
	// not): what it asks for beyond that it does not get. And its group may have no more
	// in use together, shared memory counted for each: it is looked at four times a
	// second, and killed then, as the kernel keeps not all runtimes, such as Go's, to the
	// former. Default 0: no limit.
	MemoryMBs int

	// Grace is how long Close lets a process that is idle take to end by itself, and then
	// again after SIGTERM, before it is killed. Default 2 s.
	Grace time.Duration

	// Name is what transform.URN makes the ARN of. Default: the last part of Argv[0].
	Name string

	// Logger. Default none. What the program writes to its standard error goes there.
	Logger *zap.Logger
}

func (o Options) withDefaults() Options {
	o.Processes = cmp.Or(o.Processes, runtime.GOMAXPROCS(0))
	o.Grace = cmp.Or(o.Grace, 2*time.Second)
	if len(o.Argv) > 0 {
		o.Name = cmp.Or(o.Name, filepath.Base(o.Argv[0]))
	}
	o.Logger = cmp.Or(o.Logger, zap.NewNop()).With(zap.String("command", o.Name))
	return o
}

// wrong says which option has a value that cannot be used, and what can.
func wrong(option string, value any, remedy string) error {
	return fmt.Errorf("%s %v: %s", option, value, remedy)
}

func (o Options) check() error {
	var errs []error
	if len(o.Argv) == 0 || o.Argv[0] == "" {
		errs = append(errs, wrong("Argv", o.Argv, "must name a program"))
	}
	if o.Processes < 1 || o.Processes > 1000 {
		errs = append(errs, wrong("Processes", o.Processes, "must be 1-1000"))
	}
	if o.MemoryMBs < 0 || o.MemoryMBs > 1<<20 {
		errs = append(errs, wrong("MemoryMBs", o.MemoryMBs, "must be 1-1048576, or 0 for no limit"))
	}
	if o.MemoryMBs != 0 && !canLimitMemory {
		errs = append(errs, wrong("MemoryMBs", o.MemoryMBs, "this system, "+runtime.GOOS+", has no such limit: leave it out"))
	}
	if o.Grace < 0 {
		errs = append(errs, wrong("Grace", o.Grace, "must be positive"))
	}
	if !canSupervise {
		errs = append(errs, wrong("Argv", o.Argv, "this system, "+runtime.GOOS+", has no process groups, in which a program and its children can be ended"))
	}
	return errors.Join(errs...)
}

// Command is a program as a transform.Function. It is safe for concurrent use. Who made it
// closes it, when the worker's Run has returned.
type Command struct {
	o     Options
	slots chan struct{} // has one for each seat that is taken

	mu       sync.Mutex // guards what follows
	seats    []*seat    // that are free; the last one was so last
	running  map[*process]struct{}
	isClosed bool

	watch    sync.Once // of the memory
	watching sync.WaitGroup
	closing  chan struct{}
}

var (
	_ transform.Queue = (*Command)(nil)

	errClosed = &transform.Error{Code: transform.CodeInvocationFailure, Message: "The command is closed."}
)

// New returns a Command. It starts nothing and asks the system nothing: Check does. The
// error names each option that is wrong, and what it must be. On systems that are not
// Unix's there is always one.
func New(o Options) (*Command, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	c := &Command{o: o, slots: make(chan struct{}, o.Processes), running: map[*process]struct{}{}, closing: make(chan struct{})}
	for range o.Processes {
		c.seats = append(c.seats, &seat{c: c, pauses: pause.NewBackOff("start "+o.Name, firstPause, longPause, 0.5)})
	}
	return c, nil
}

// ARN implements transform.Function.
func (c *Command) ARN() string { return transform.URN(c.o.Name) }

// Check returns nil if the program is there to be run.
func (c *Command) Check() error {
	if c.o.Dir != "" {
		if info, err := os.Stat(c.o.Dir); err != nil {
			return fmt.Errorf("%w: %w", wrong("Dir", c.o.Dir, "must be a directory"), err)
		} else if !info.IsDir() {
			return wrong("Dir", c.o.Dir, "must be a directory")
		}
	}
	name := c.o.Argv[0]
	if c.o.Dir != "" && filepath.Base(name) != name && !filepath.IsAbs(name) {
		name = filepath.Join(c.o.Dir, name)
	}
	if _, err := exec.LookPath(name); err != nil {
		return fmt.Errorf("%w: %w", wrong("Argv", c.o.Argv, "must be there, and be executable"), err)
	}
	return nil
}

type seatKey struct{}

// Enter implements transform.Queue: it waits for a process that is not busy. A pause before
// one is started after it ended badly is waited for only while there is no other.
func (c *Command) Enter(ctx context.Context) (context.Context, func(), error) {
	told := pause.Remind(time.Minute, time.Minute, func(passed time.Duration) {
		c.o.Logger.Warn("all processes of the command are busy: a batch waits", zap.Duration("waited", passed), zap.Int("processes", c.o.Processes))
	})
	err := deadline.Enter(ctx, c.slots)
	told()
	if err != nil {
		return nil, nil, fmt.Errorf("waiting for a process of the command: %w", err)
	}
	s, err := c.seat(ctx)
	if err != nil {
		<-c.slots
		return nil, nil, err
	}
	leave := func() {
		c.mu.Lock()
		c.seats = append(c.seats, s)
		c.mu.Unlock()
		<-c.slots
	}
	return context.WithValue(ctx, seatKey{}, s), leave, nil
}

// seat takes a seat for who has a slot, once a call may begin there; it waits for that,
// alive.
func (c *Command) seat(ctx context.Context) (*seat, error) {
	for {
		s, left, err := c.take()
		if s != nil || err != nil {
			return s, err
		}
		if err := pause.For(ctx, min(left, takeEvery)); err != nil {
			return nil, fmt.Errorf("waiting to start the command again: %w", err)
		}
		deadline.Beat(ctx)
	}
}

// take takes, of the seats where a call may begin, the one that was free last: its process
// is the most likely to run. If there is none it says how long all have to wait.
func (c *Command) take() (s *seat, left time.Duration, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isClosed {
		return nil, 0, errClosed
	}
	left = time.Duration(math.MaxInt64)
	for i, s := range slices.Backward(c.seats) {
		if rest := s.rest(); rest > 0 {
			left = min(left, rest)
			continue
		}
		c.seats = slices.Delete(c.seats, i, i+1)
		return s, 0, nil
	}
	return nil, left, nil
}

// Transform implements transform.Function. It returns soon after ctx is done, when the
// program's group is killed.
func (c *Command) Transform(ctx context.Context, b *transform.Batch) ([]transform.Result, error) {
	s, ok := ctx.Value(seatKey{}).(*seat)
	if !ok || s.c != c {
		entered, leave, err := c.Enter(ctx)
		if err != nil {
			return nil, err
		}
		defer leave()
		return c.Transform(entered, b)
	}
	return s.transform(ctx, b)
}

// Close ends all processes of the program, and returns when they have: one that is idle
// when its input has ended, or else after SIGTERM, or else by SIGKILL; one that is busy by
// SIGKILL, so that its call returns. Later calls fail. The error is always nil.
func (c *Command) Close() error {
	c.mu.Lock()
	if !c.isClosed {
		c.isClosed = true
		close(c.closing)
	}
	c.mu.Unlock()
	var ending sync.WaitGroup
	for _, p := range c.all() {
		ending.Go(func() { p.end(c.o.Grace) })
	}
	ending.Wait()
	c.watching.Wait()
	return nil
}

// started keeps a process for Close, unless that was called.
func (c *Command) started(p *process) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isClosed {
		return false
	}
	c.running[p] = struct{}{}
	if c.o.MemoryMBs > 0 {
		c.watch.Do(func() { c.watching.Go(c.watchMemory) })
	}
	return true
}

// all returns the processes that run.
func (c *Command) all() []*process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Keys(c.running))
}

// lookEvery is how often the memory of the groups is looked at.
const lookEvery = 250 * time.Millisecond

// watchMemory kills the groups that have too much memory in use, until the Command is
// closed.
func (c *Command) watchMemory() {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	limit := int64(c.o.MemoryMBs) << 20
	for {
		select {
		case <-c.closing:
			return
		case <-look.C:
		}
		all := c.all()
		if len(all) == 0 {
			continue
		}
		inUse, err := memoryInUse()
		if err != nil {
			c.o.Logger.Error("the memory of the command cannot be looked at", zap.Error(err))
		}
		for _, p := range all {
			p.signal(func(pid int) {
				if n := inUse[pid]; n > limit {
					p.took.Store(n)
					killGroup(pid)
				}
			})
		}
	}
}

// forget is what follows its end.
func (c *Command) forget(p *process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.running, p)
}
