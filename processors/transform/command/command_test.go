//go:build unix

package command_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/processors/transform"
	"github.com/shardmill/shardmill/processors/transform/command"
)

// patience is for what must happen, and may take a while on a busy machine.
const patience = 30 * time.Second

// open returns the program as a transform, and what is logged.
func open(t *testing.T, name string, o command.Options) (*command.Command, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	o.Argv, o.Logger = []string{os.Args[0]}, zap.New(core)
	o.Env = append(o.Env, os.Environ()...)
	o.Env = append(o.Env, programVar+"="+name)
	o.Name = "program"
	c, err := command.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c, logs
}

func records(data ...string) []transform.Record {
	list := make([]transform.Record, len(data))
	for i, d := range data {
		list[i] = transform.Record{Data: []byte(d), SequenceNumber: "1"}
	}
	return list
}

// run transforms the records, and returns of each what became of it: its data but for the
// number of the process, and that number.
func run(t *testing.T, c *command.Command, o transform.Options, list []transform.Record) (got []string, pid int) {
	t.Helper()
	outcomes, err := transform.NewRunner(c, o).Run(t.Context(), list)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range outcomes {
		if o.Failure != nil {
			got = append(got, fmt.Sprintf("%s (%d)", o.Failure.Code, o.Attempts))
			continue
		}
		data, number, _ := bytes.Cut(o.Data, []byte(" "))
		pid, _ = strconv.Atoi(string(number))
		got = append(got, fmt.Sprintf("%s (%d)", data, o.Attempts))
	}
	return got, pid
}

// said waits for a line of the program, and returns what follows start in it.
func said(t *testing.T, logs *observer.ObservedLogs, start string) string {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(5 * time.Millisecond) {
		for _, e := range logs.FilterMessage("command says").All() {
			if line, _ := e.ContextMap()["stderr"].(string); strings.HasPrefix(line, start) {
				return line[len(start):]
			}
		}
	}
	t.Fatalf("the program did not say %q", start)
	return ""
}

// gone waits until there is no process pid.
func gone(t *testing.T, pid int) {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		if pid <= 0 || errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || isZombie(pid) {
			break
		}
		if time.Since(begun) > patience {
			t.Fatalf("process %d still runs", pid)
		}
	}
	if pid <= 0 {
		t.Fatalf("%d is no process", pid)
	}
}

// isZombie reports whether pid has ended, and waits for who adopted it.
func isZombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.HasPrefix(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " Z")
}

// One process answers batch after batch, and ends with its input.
func TestAnswers(t *testing.T) {
	t.Parallel()
	c, logs := open(t, "answers", command.Options{Processes: 3})
	large := strings.Repeat("x", 3<<20)
	var first int
	for i, list := range [][]transform.Record{records("a", "b"), records("c"), records(large), {}} {
		got, pid := run(t, c, transform.Options{}, list)
		for i := range list {
			if want := string(list[i].Data) + " (1)"; got[i] != want {
				t.Errorf("got %.40q, want %.40q", got[i], want)
			}
		}
		if i == 0 {
			first = pid
		} else if len(list) > 0 && pid != first {
			t.Errorf("process %d answered, after %d", pid, first)
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	gone(t, first)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if got, _ := run(t, c, transform.Options{}, records("d")); !slices.Equal(got, []string{"Lambda.InvocationFailure (1)"}) {
		t.Errorf("after Close: %q", got)
	}
	if n := logs.FilterMessage("command started").Len(); n != 1 || c.ARN() != "urn:shardmill:transform:program" {
		t.Errorf("%d starts of %s", n, c.ARN())
	}
}

// Calls run side by side, each with a process to itself, and no more than there may be;
// one process is enough while they come one by one.
func TestSideBySide(t *testing.T) {
	t.Parallel()
	c, logs := open(t, "slow", command.Options{Processes: 3})
	r := transform.NewRunner(c, transform.Options{})
	var calls sync.WaitGroup
	for i := range 12 {
		calls.Go(func() {
			outcomes, err := r.Run(t.Context(), records(strconv.Itoa(i)))
			if err != nil || outcomes[0].Failure != nil || !strings.HasPrefix(string(outcomes[0].Data), fmt.Sprint(i, " ")) {
				t.Errorf("%v, %v", outcomes, err)
			}
		})
	}
	calls.Wait()
	if n := logs.FilterMessage("command started").Len(); n < 2 || n > 3 {
		t.Errorf("%d processes were started", n)
	}
}

// What a program does in place of answering, and what becomes of the batch. None of it
// outlives the call.
func TestFaults(t *testing.T) {
	t.Parallel()
	const failed, timedOut = "Lambda.FunctionError (2)", "Lambda.FunctionTimedOut (2)"
	for name, row := range map[string]struct{ want, log string }{
		"deaf":                      {timedOut, "limit"},
		"ends":                      {failed, "exit status 0"},
		"fails":                     {failed, "exit status 3"},
		"ends-after-reading":        {failed, "exit status 0"},
		"closes-output":             {failed, "killed"},
		"closes-input":              {failed, "broken pipe"},
		"parent-that-ends":          {failed, "exit status 0"},
		"parent-of-one-that-leaves": {failed, "exit status 0"},
		"parent-that-hangs":         {timedOut, "limit"},
		"half":                      {timedOut, "limit"},
		"half-and-ends":             {failed, "exit status 0"},
		"prints":                    {failed, "standard error"},
		"no-id":                     {failed, "lacks the request's invocationId"},
		"wrong-id":                  {failed, "not the request's"},
		"endless-line":              {"Lambda.FunctionError (1)", "more than"},
		"no-records":                {"Lambda.MissingRecordId (1)", "no array named records"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, logs := open(t, name, command.Options{})
			core, told := observer.New(zap.WarnLevel)
			timeout := patience
			if row.want == timedOut {
				timeout = 500 * time.Millisecond
			}
			size := 1
			if name == "closes-input" {
				size = 1 << 20
			}
			got, _ := run(t, c, transform.Options{Retries: 1, Timeout: timeout, Logger: zap.New(core)}, records(strings.Repeat("a", size)))
			if !slices.Equal(got, []string{row.want}) {
				t.Errorf("got %.100q, want %q", got, row.want)
			}
			var all strings.Builder
			for _, e := range append(told.All(), logs.All()...) {
				fmt.Fprintln(&all, e.Message, e.ContextMap())
			}
			if !strings.Contains(all.String(), row.log) && row.log != "limit" {
				t.Errorf("nothing tells of %q:\n%s", row.log, all.String())
			}
			if name == "deaf" || strings.HasPrefix(name, "parent") && name != "parent-of-one-that-leaves" {
				pid, _ := strconv.Atoi(said(t, logs, "child "))
				gone(t, pid)
			}
			if name == "parent-of-one-that-leaves" { // it is not followed
				for _, e := range logs.FilterMessage("command says").All() {
					pid, _ := strconv.Atoi(strings.TrimPrefix(e.ContextMap()["stderr"].(string), "child "))
					if pid > 1 {
						_ = syscall.Kill(pid, syscall.SIGKILL)
					}
				}
			}
		})
	}
}

// One that ends after each answer is started again for the next, without a failure.
func TestOnce(t *testing.T) {
	t.Parallel()
	c, logs := open(t, "once", command.Options{Processes: 1})
	pids := map[int]bool{}
	for i := range 5 {
		got, pid := run(t, c, transform.Options{}, records("a"))
		if !slices.Equal(got, []string{"a (1)"}) {
			t.Fatalf("batch %d: %q", i, got)
		}
		pids[pid] = true
	}
	if n := logs.FilterMessage("command started").FilterLevelExact(zap.InfoLevel).Len(); len(pids) != 5 || n != 1 {
		t.Errorf("%d processes, of which %d starts were told", len(pids), n)
	}
}

// What is more than an answer is never taken for the next one.
func TestStray(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"twice", "late-line"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, logs := open(t, name, command.Options{Processes: 1})
			for i := range 3 {
				if got, _ := run(t, c, transform.Options{}, records(strconv.Itoa(i))); !slices.Equal(got, []string{fmt.Sprint(i, " (1)")}) {
					t.Errorf("batch %d: %q", i, got)
				}
				time.Sleep(200 * time.Millisecond) // for the second line to come
			}
			if n := logs.FilterMessage("command is started anew").FilterLevelExact(zap.WarnLevel).Len(); n != 2 {
				t.Errorf("told %d times", n)
			}
		})
	}
}

// An answer that is too large is asked for in halves, of new processes.
func TestLarge(t *testing.T) {
	t.Parallel()
	c, _ := open(t, "large", command.Options{Processes: 1})
	if got, _ := run(t, c, transform.Options{}, records("a", "b", "c")); !slices.Equal(got, []string{"a (2)", "b (3)", "c (3)"}) {
		t.Errorf("got %q", got)
	}
}

// A program that broke is started again, and the same batch tried.
func TestRestart(t *testing.T) {
	t.Parallel()
	c, logs := open(t, "starts-late", command.Options{Processes: 1, Env: []string{"COMMAND_TEST_MARKER=" + filepath.Join(t.TempDir(), "marker")}})
	if got, _ := run(t, c, transform.Options{Retries: 1}, records("a")); !slices.Equal(got, []string{"a (2)"}) {
		t.Errorf("got %q", got)
	}
	if e := logs.FilterMessage("command is killed").All(); len(e) != 1 || e[0].ContextMap()["state"] != "exit status 1" {
		t.Errorf("told %v", logs.All())
	}
}

// Close ends whatever it takes: what heeds the end of its input, what heeds SIGTERM, what
// heeds neither, and what is busy.
func TestClose(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"answers", "polite", "stubborn"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, logs := open(t, name, command.Options{Grace: 300 * time.Millisecond})
			got, pid := run(t, c, transform.Options{}, records("a"))
			if !slices.Equal(got, []string{"a (1)"}) {
				t.Fatalf("got %q", got)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("after Close: %v", err)
			}
			if name == "polite" {
				said(t, logs, "goodbye")
			}
		})
	}
	t.Run("busy", func(t *testing.T) {
		t.Parallel()
		c, logs := open(t, "parent-that-hangs", command.Options{Processes: 1})
		done := make(chan error)
		go func() {
			_, err := c.Transform(context.WithoutCancel(t.Context()), &transform.Batch{Records: records("a")})
			done <- err
		}()
		pid, _ := strconv.Atoi(said(t, logs, "child "))
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if e, ok := errors.AsType[*transform.Error](<-done); !ok || e.Code != "Lambda.FunctionError" {
			t.Errorf("its call returned %v", e)
		}
		gone(t, pid)
	})
}

// When nobody waits any more, the process is killed and the call returns.
func TestCancel(t *testing.T) {
	t.Parallel()
	c, logs := open(t, "parent-that-hangs", command.Options{Processes: 1})
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("lease lost")
	done := make(chan error)
	go func() {
		_, err := transform.NewRunner(c, transform.Options{Retries: 3}).Run(ctx, records("a"))
		done <- err
	}()
	pid, _ := strconv.Atoi(said(t, logs, "child "))
	cancel(why)
	if err := <-done; !errors.Is(err, why) {
		t.Error(err)
	}
	gone(t, pid)
	if _, _, err := c.Enter(ctx); !errors.Is(err, why) {
		t.Errorf("the place is not free, or was given to nobody: %v", err)
	}
}

// What is written to the standard error is logged within bounds, and what is left out is told.
func TestStderr(t *testing.T) {
	t.Parallel()
	c, logs := open(t, "noisy", command.Options{Processes: 1})
	begun := time.Now()
	if got, _ := run(t, c, transform.Options{}, records("a")); !slices.Equal(got, []string{"a (1)"}) {
		t.Fatalf("got %q", got)
	}
	_ = c.Close()
	says := logs.FilterMessage("command says").FilterLevelExact(zap.WarnLevel).All()
	told := len(says)
	for _, e := range says {
		if line, _ := e.ContextMap()["stderr"].(string); len(line) > 4096 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
	left := int64(0)
	for _, e := range logs.FilterMessage("command says more than is logged").All() {
		left += e.ContextMap()["left_out_lines"].(int64)
	}
	if most := 20 * (int(time.Since(begun).Seconds()) + 2); told+int(left) != 10002 || told < 20 || told > most {
		t.Errorf("%d lines are logged and %d left out, of 10002", told, left)
	}
	if says[0].ContextMap()["stderr"] != "line 0" || says[0].ContextMap()["command"] != "program" {
		t.Errorf("the first is %v", says[0].ContextMap())
	}
}

// A program that cannot be started fails its batches, after pauses, and Check says why.
func TestNotThere(t *testing.T) {
	t.Parallel()
	c, err := command.New(command.Options{Argv: []string{filepath.Join(t.TempDir(), "none")}})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := run(t, c, transform.Options{Retries: 1}, records("a")); !slices.Equal(got, []string{"Lambda.InvocationFailure (2)"}) {
		t.Errorf("got %q", got)
	}
	if err := c.Check(); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("Check: %v", err)
	}
	there, _ := open(t, "answers", command.Options{})
	if err := there.Check(); err != nil {
		t.Errorf("Check of one that is there: %v", err)
	}
	noDir, _ := open(t, "answers", command.Options{Dir: filepath.Join(t.TempDir(), "none")})
	if err := noDir.Check(); err == nil || !strings.Contains(err.Error(), "Dir") {
		t.Errorf("Check without the directory: %v", err)
	}
}

// place is one that was entered.
type place struct {
	c     *command.Command
	ctx   context.Context
	leave func()
}

func enter(ctx context.Context, t *testing.T, c *command.Command) place {
	t.Helper()
	entered, leave, err := c.Enter(ctx)
	if err != nil {
		t.Error(err)
		return place{c, ctx, func() {}}
	}
	return place{c, entered, leave}
}

// call has one record transformed, and returns which process did it.
func (p place) call(data string) (pid string, err error) {
	return p.callWithin(patience, data)
}

func (p place) callWithin(limit time.Duration, data string) (pid string, err error) {
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	results, err := p.c.Transform(ctx, &transform.Batch{InvocationID: "i", Records: []transform.Record{{ID: "a", Data: []byte(data)}}})
	if err != nil {
		return "", err
	}
	_, number, _ := bytes.Cut(results[0].Data, []byte(" "))
	return string(number), nil
}

// slowly returns a context under which pauses are nearly as long as they may be.
func slowly(t *testing.T) context.Context {
	t.Helper()
	return pause.WithChance(t.Context(), func(string) float64 { return 0.9 })
}

// No batch waits for the pause of a process that broke while another process is idle, or
// becomes so.
func TestIdleProcessesAreNotWaitedFor(t *testing.T) {
	t.Parallel()
	ctx := slowly(t)
	c, _ := open(t, "moody", command.Options{Processes: 2})
	broken, idle := enter(ctx, t, c), enter(ctx, t, c)
	want, err := idle.call("good")
	if err != nil {
		t.Fatal(err)
	}
	for range 9 { // its pause becomes half a minute
		if pid, err := broken.call("poison"); err == nil {
			t.Fatalf("process %s answers", pid)
		}
	}
	idle.leave()
	broken.leave() // the last one that was free

	next := enter(ctx, t, c)
	if pid, err := next.call("good"); pid != want {
		t.Errorf("process %s answers, not %s that was idle: %v", pid, want, err)
	}
	limited, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var waiting sync.WaitGroup
	waiting.Go(func() {
		last := enter(limited, t, c)
		defer last.leave()
		if pid, err := last.call("good"); pid != want {
			t.Errorf("process %s answers, not %s that has become idle: %v", pid, want, err)
		}
	})
	time.Sleep(300 * time.Millisecond) // it waits
	next.leave()
	waiting.Wait()
}

// A process that was killed because its call had ended did not break: there is no pause.
func TestNoPauseAfterTheEndOfACall(t *testing.T) {
	t.Parallel()
	ctx := slowly(t)
	c, _ := open(t, "moody", command.Options{Processes: 1})
	p := enter(ctx, t, c)
	for range 9 { // else the pause became half a minute
		if pid, err := p.callWithin(20*time.Millisecond, "hang"); err == nil {
			t.Fatalf("process %s answers", pid)
		}
	}
	p.leave()
	limited, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	p = enter(limited, t, c)
	defer p.leave()
	if pid, err := p.call("good"); err != nil {
		t.Errorf("process %s: %v", pid, err)
	}
}

// Who waits for the pause before a program is started again is alive.
func TestPausesAlive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, err := command.New(command.Options{Argv: []string{"/none/such"}, Processes: 1})
		if err != nil {
			t.Fatal(err)
		}
		limited, call := deadline.Start(t.Context(), 5*time.Second)
		defer call.End()
		begun := time.Now()
		for range 15 {
			if _, err = c.Transform(limited, &transform.Batch{}); limited.Err() != nil {
				break
			}
		}
		if e, ok := errors.AsType[*transform.Error](err); !ok || e.Code != "Lambda.InvocationFailure" || time.Since(begun) < time.Minute || time.Since(begun) > 5*time.Minute {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
	})
}

// A batch that waits for a process says so, each minute.
func TestWaitsAreTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		c, err := command.New(command.Options{Argv: []string{"none"}, Processes: 1, Logger: zap.New(core)})
		if err != nil {
			t.Fatal(err)
		}
		_, leave, err := c.Enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(150*time.Second, leave)
		limited, call := deadline.Start(t.Context(), 5*time.Second)
		defer call.End()
		begun := time.Now()
		_, leave, err = c.Enter(limited)
		if err != nil || time.Since(begun) < 150*time.Second || logs.FilterMessage("all processes of the command are busy: a batch waits").Len() != 2 {
			t.Errorf("%v after %v; told %v", err, time.Since(begun), logs.All())
		}
		leave()
	})
}

func TestNew(t *testing.T) {
	t.Parallel()
	_, err := command.New(command.Options{Processes: 1001, MemoryMBs: -1, Grace: -1})
	for _, want := range []string{"Argv []: must", "Processes 1001: must be 1-1000", "MemoryMBs -1: must be 1-1048576", "Grace -1ns: must be positive"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\ndoes not say %q", err, want)
		}
	}
}
