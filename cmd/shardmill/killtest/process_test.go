//go:build kill || search || redshift

package killtest_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// process is a running shardmill.
type process struct {
	name   string // also what its requests call it
	log    string // path
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	killed bool
	ended  chan struct{} // closed when it was waited for
	err    error         // of Wait; read after ended is closed
}

// start runs shardmill. Its log is DIR/NAME.log; stdout may be nil.
func start(t *testing.T, dir, name string, env []string, stdout io.Writer, args ...string) *process {
	t.Helper()
	log, err := os.Create(filepath.Join(dir, name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close() // the process has its own descriptor
	p := &process{name: name, log: log.Name(), cmd: exec.CommandContext(t.Context(), binary, args...), ended: make(chan struct{})}
	p.cmd.Env = append([]string{"TMPDIR=" + dir, "AWS_SDK_UA_APP_ID=" + name}, env...)
	p.cmd.Stdout, p.cmd.Stderr = stdout, log
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(p.kill)
	return p
}

// hasBegun reports whether it has logged that it archives: from before that on
// it ends in order when it is told to.
func (p *process) hasBegun() bool {
	log, err := os.ReadFile(p.log)
	return err == nil && bytes.Contains(log, []byte(`"msg":"archiving"`))
}

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// kill ends it with SIGKILL, as a crash would, also if it is stopped.
func (p *process) kill() {
	p.killed = true
	p.signal(syscall.SIGKILL)
	<-p.ended
}

// diedByItself reports whether it has ended although nobody killed it.
func (p *process) diedByItself() bool {
	select {
	case <-p.ended:
		return !p.killed
	default:
		return false
	}
}

// finish waits for it to end by itself with an exit code.
func (p *process) finish(t *testing.T, within time.Duration, code int) {
	t.Helper()
	select {
	case <-p.ended:
		if got := p.cmd.ProcessState.ExitCode(); got != code {
			t.Errorf("%s ended with exit code %d, want %d; %v", p.name, got, code, p.err)
		}
	case <-time.After(within):
		t.Errorf("%s did not end within %v", p.name, within)
		p.signal(syscall.SIGQUIT) // its goroutines go to the log
		time.Sleep(time.Second)
		p.kill()
	}
}
