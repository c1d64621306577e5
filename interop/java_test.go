//go:build interop

package interop_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
)

// patience bounds each wait for a Java worker. It may take most of a minute to
// start, and longer where many do at once.
const patience = 3 * time.Minute

// event is what a Java worker tells on a line of its own; see Worker.java.
type event struct {
	Event  string
	Shard  string
	Step   string
	Error  string // ShutdownException: a checkpoint of a lease that was lost
	Record string `json:"data"` // base64

	Sequence    string
	SubSequence int64

	Pending            *string // all nil in Java if there is none
	PendingSubSequence *int64
	PendingState       *[]byte
}

func (e event) at() checkpoint.ExtendedSequenceNumber {
	return checkpoint.ExtendedSequenceNumber{SequenceNumber: e.Sequence, SubSequenceNumber: e.SubSequence}
}

func (e event) String() string {
	b, err := json.Marshal(e)
	return fmt.Sprint(string(b), err)
}

// java is a worker of the Java KCL in a process of its own.
type java struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when its output has ended

	mu     sync.Mutex
	events []event
	more   chan struct{} // closed when events grew, and replaced
}

// startJava starts a worker with the options that Worker.java documents. It
// ends with the test at the latest.
func startJava(t *testing.T, worker, table, stream string, options ...string) *java {
	t.Helper()
	return startJavaOf(t, "2.7.2", worker, table, stream, options...)
}

// startJavaOf is startJava with a version of the KCL.
func startJavaOf(t *testing.T, version, worker, table, stream string, options ...string) *java {
	t.Helper()
	args := append([]string{
		"../scripts/referees/java-kcl.sh", "run",
		"--worker=" + worker, "--app=" + table, "--stream=" + stream,
		"--kinesis=" + endpoint(t, "KINESIS_ENDPOINT"), "--dynamodb=" + endpoint(t, "DYNAMODB_ENDPOINT"),
	}, options...)
	cmd := exec.CommandContext(t.Context(), "bash", args...)
	cmd.Env = append(os.Environ(), "JAVA_KCL_VERSION="+version, "JAVA_KCL_LOG=warn")
	cmd.WaitDelay = 10 * time.Second
	if _, err := cmd.StdinPipe(); err != nil { // the worker lives as long as it is open
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = logFile(t, worker)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	j := &java{cmd: cmd, ended: make(chan struct{}), more: make(chan struct{})}
	go j.read(out)
	t.Cleanup(j.kill)
	return j
}

// logFile returns where a worker logs to. The test shows its end if it fails.
func logFile(t *testing.T, worker string) *os.File {
	t.Helper()
	f, err := os.Create(t.TempDir() + "/" + worker + ".log")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if b, err := os.ReadFile(f.Name()); t.Failed() {
			t.Logf("the log of %s ends (%v):\n%s", worker, err, b[max(0, len(b)-8000):])
		}
		_ = f.Close()
	})
	return f
}

func (j *java) read(out io.Reader) {
	defer close(j.ended)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			e = event{Event: "unreadable: " + lines.Text()}
		}
		j.mu.Lock()
		j.events = append(j.events, e)
		close(j.more)
		j.more = make(chan struct{})
		j.mu.Unlock()
	}
}

// told returns all that the worker told so far, and a channel that is closed
// when it tells more.
func (j *java) told() ([]event, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clip(j.events), j.more
}

// until waits until what the worker told so far satisfies ok, and returns it.
func (j *java) until(t *testing.T, what string, ok func([]event) bool) []event {
	t.Helper()
	timeout := time.After(patience)
	for {
		events, more := j.told()
		for _, e := range events {
			if e.Event == "error" && !strings.Contains(e.Error, "ShutdownException") || e.Event == "gaveUp" {
				t.Fatalf("the Java worker: %s", e)
			}
		}
		if ok(events) {
			return events
		}
		select {
		case <-more:
		case <-j.ended:
			t.Fatalf("the Java worker ended before it told %s; it told %v", what, events)
		case <-timeout:
			t.Fatalf("the Java worker did not tell %s; it told %v", what, events)
		}
	}
}

// wait waits until n different shards have an event called name, and returns
// the last such event of each.
func (j *java) wait(t *testing.T, name string, n int) map[string]event {
	t.Helper()
	return last(j.until(t, fmt.Sprintf("%q on %d shards", name, n), func(events []event) bool {
		return len(last(events, name)) >= n
	}), name)
}

// last returns each shard's last event called name.
func last(events []event, name string) map[string]event {
	found := map[string]event{}
	for _, e := range events {
		if e.Event == name {
			found[e.Shard] = e
		}
	}
	return found
}

// kill ends the worker's process without a chance to do anything more, and
// waits for it.
func (j *java) kill() {
	_ = j.cmd.Process.Kill() // it may have ended
	<-j.ended
	_ = j.cmd.Wait() // a killed process never exits with 0
}
