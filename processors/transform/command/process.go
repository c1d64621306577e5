package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/processors/transform"
)

// lastWords is how long after the end of a process what it wrote may still be read, if
// somebody who left its group keeps its pipes open.
const lastWords = time.Second

var (
	errNotStarted   = errors.New("the command cannot be started")
	errEnded        = errors.New("the command ended before it had answered")
	errEndedWell    = errors.New("the command ended")
	errTooLong      = fmt.Errorf("the command wrote a line of more than %d bytes", transform.MaxAnswerBytes)
	errClosedOutput = errors.New("the command closed its standard output")
	errStray        = errors.New("the command wrote something that is not the answer to a request")
)

// process is one of the program's.
type process struct {
	pid     int
	in, out *os.File
	lines   *bufio.Reader
	line    []byte // the last one, reused
	busy    sync.Mutex
	took    atomic.Int64 // bytes of memory, if they were too many

	mu     sync.Mutex // guards exists
	exists bool       // the group pid is ours: started, and not yet reaped

	ended chan struct{} // closed when it is reaped, and its group killed
	state string        // how it ended, once it has
	good  bool          // with status 0
}

// pipes are the ends of a process's.
type pipes struct{ ours, theirs [3]*os.File }

func newPipes() (*pipes, error) {
	var p pipes
	for i := range 3 {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(p.ours[:], p.theirs[:])
			return nil, err //nolint:wrapcheck // start does
		}
		if i == 0 {
			r, w = w, r
		}
		p.ours[i], p.theirs[i] = r, w
	}
	return &p, nil
}

func closeAll(lists ...[]*os.File) {
	for _, list := range lists {
		for _, f := range list {
			if f != nil {
				_ = f.Close() // nothing is buffered
			}
		}
	}
}

// start starts a process. It outlives ctx.
func start(ctx context.Context, c *Command) (*process, error) {
	ends, err := newPipes()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotStarted, err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), c.o.Argv[0], c.o.Argv[1:]...) //nolint:gosec // which program runs is what the option is for
	cmd.Dir, cmd.Env, cmd.SysProcAttr = c.o.Dir, c.o.Env, attributes()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = ends.theirs[0], ends.theirs[1], ends.theirs[2]
	p := &process{in: ends.ours[0], out: ends.ours[1], lines: bufio.NewReaderSize(ends.ours[1], 64<<10), ended: make(chan struct{})}
	if !c.started(p) {
		closeAll(ends.ours[:], ends.theirs[:])
		return nil, errClosed
	}
	begun := make(chan error)
	go p.live(c, cmd, ends, begun)
	if err := <-begun; err != nil {
		return nil, fmt.Errorf("%w: %w", errNotStarted, err)
	}
	return p, nil
}

// live is the life of a process, on the thread that must not end before it does: the
// death of a parent, for the kernel, is that of the thread which has started the child.
func (p *process) live(c *Command, cmd *exec.Cmd, ends *pipes, begun chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer c.forget(p)
	defer close(p.ended)
	err := cmd.Start()
	closeAll(ends.theirs[:])
	if err != nil {
		closeAll(ends.ours[:])
		begun <- err
		return
	}
	p.pid = cmd.Process.Pid
	p.setExists(true)
	if err := limitMemory(p.pid, c.o.MemoryMBs); err != nil {
		c.o.Logger.Error("the limit of memory cannot be set: the command is killed", zap.Int("pid", p.pid), zap.Error(err))
		p.kill()
	}
	var listening sync.WaitGroup
	listening.Go(func() { listen(ends.ours[2], c.o.Logger.With(zap.Int("pid", p.pid))) })
	begun <- nil

	err = reap(cmd, func() {
		p.kill() // what is left of its group
		p.setExists(false)
	})
	p.state, p.good = cmd.ProcessState.String(), err == nil
	soon := time.Now().Add(lastWords)
	for _, f := range ends.ours {
		_ = f.SetDeadline(soon) // of pipes it is possible
	}
	listening.Wait()
	_ = ends.ours[2].Close()
}

func (p *process) setExists(exists bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.exists = exists
}

// signal has send signal the group, if that is ours.
func (p *process) signal(send func(pid int)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.exists {
		send(p.pid)
	}
}

// kill kills the process and its group.
func (p *process) kill() { p.signal(killGroup) }

// release closes the pipes of a process that has ended.
func (p *process) release() { closeAll([]*os.File{p.in, p.out}) }

// exchange writes a request and reads a line. It returns when both are done, the process
// has ended, or ctx is done, upon which it is killed. The answer is good until the next call.
func (p *process) exchange(ctx context.Context, request []byte) ([]byte, error) {
	p.busy.Lock()
	defer p.busy.Unlock()
	stop := context.AfterFunc(ctx, p.kill)
	defer stop()
	written := make(chan error, 1)
	go func() {
		_, err := p.in.Write(request)
		if err != nil {
			p.kill() // who does not read all of it is not waited for
		}
		written <- err
	}()
	answer, err := p.readLine()
	select {
	case writeErr := <-written: // it ended first
		if err = errors.Join(err, writeErr); err != nil {
			p.kill()
		}
	default:
		if err != nil {
			p.kill() // so that the write ends
		}
		if writeErr := <-written; err == nil {
			err = writeErr
		}
	}
	if errors.Is(err, errTooLong) || err == nil {
		return answer, err
	}
	return nil, p.why(err, len(answer) > 0)
}

// why is the error of a process that did not answer, when it has ended.
func (p *process) why(err error, beganAnswer bool) error {
	<-p.ended
	if n := p.took.Load(); n > 0 {
		return fmt.Errorf("%w: it had %d MiB of memory in use, more than MemoryMBs", errEnded, n>>20)
	}
	if p.good && !beganAnswer {
		return fmt.Errorf("%w: %w: %s", errEnded, errEndedWell, p.state)
	}
	return fmt.Errorf("%w: %s: %w", errEnded, p.state, err)
}

// readLine returns the next line without its end, or what there is of it, and why not more.
func (p *process) readLine() ([]byte, error) {
	p.line = p.line[:0]
	for {
		part, err := p.lines.ReadSlice('\n')
		if len(p.line)+len(part) > transform.MaxAnswerBytes+1 {
			return nil, errTooLong
		}
		p.line = append(p.line, part...)
		switch {
		case err == nil:
			return p.line[:len(p.line)-1], nil
		case errors.Is(err, io.EOF):
			return p.line, io.ErrUnexpectedEOF
		case !errors.Is(err, bufio.ErrBufferFull):
			return p.line, err //nolint:wrapcheck // why does
		}
	}
}

// isUsable returns nil if a request can be written to the process, or why not.
func (p *process) isUsable() error {
	select {
	case <-p.ended:
		if p.good {
			return errEndedWell
		}
		return errEnded
	default:
	}
	more, isClosed := pending(p.out)
	switch {
	case p.lines.Buffered() > 0 || more:
		return errStray
	case isClosed && p.endsWithin(lastWords):
		return p.isUsable()
	case isClosed:
		return errClosedOutput
	}
	return nil
}

// end ends the process, as gently as it lets, and waits for that.
func (p *process) end(grace time.Duration) {
	if !p.busy.TryLock() {
		p.kill()
		<-p.ended
		return
	}
	defer p.busy.Unlock()
	_ = p.in.Close()
	if !p.endsWithin(grace) {
		p.signal(terminate)
		if !p.endsWithin(grace) {
			p.kill()
		}
	}
	<-p.ended
	p.release()
}

func (p *process) endsWithin(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.ended:
		return true
	case <-timer.C:
		return false
	}
}
