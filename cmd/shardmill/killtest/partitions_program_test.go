//go:build kill || search || redshift

package killtest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Variables of the environment by which this binary knows what it is to be, and a
// process of it is known.
const (
	programVariable = "SHARDMILL_KILL_PROGRAM" // the transform; the directory of its orders
	childVariable   = "SHARDMILL_KILL_CHILD"   // its child
	nameVariable    = "AWS_SDK_UA_APP_ID"      // the archiver's name
)

// What a program can be told to do with the next batch.
const (
	hold     = "holds it"
	dies     = "is killed"
	fails    = "ends with status 3"
	leaves   = "ends with status 0"
	breaks   = "ends within its answer"
	babbles  = "says something else"
	repeats  = "answers twice"
	hangs    = "never answers, nor does its child"
	isStruck = "is killed from outside"
)

func disturbances() []string {
	return []string{dies, fails, leaves, breaks, babbles, repeats, hangs, isStruck}
}

// programTimeout is how long one may take for a batch, in seconds.
const programTimeout = 4

// runProgram is the transform.
func runProgram(orders string) error {
	if os.Getenv(childVariable) != "" {
		time.Sleep(time.Hour)
		return nil
	}
	for lines := json.NewDecoder(os.Stdin); ; {
		var request struct {
			InvocationID string `json:"invocationId"`
			Records      []struct {
				RecordID string `json:"recordId"`
				Data     []byte `json:"data"`
			} `json:"records"`
		}
		if err := lines.Decode(&request); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading a request: %w", err)
		}
		var answers []any
		for _, r := range request.Records {
			answer, err := answerTo(r.RecordID, r.Data)
			if err != nil {
				return err
			}
			if answer != nil {
				answers = append(answers, answer)
			}
		}
		line, err := json.Marshal(map[string]any{"invocationId": request.InvocationID, "records": answers})
		if err != nil {
			return fmt.Errorf("making an answer: %w", err)
		}
		if line, err = obey(orders, append(line, '\n')); err != nil {
			return err
		}
		// One in four is late, so that the next ones are done before it.
		if time.Sleep(time.Duration(rand.IntN(50)) * time.Millisecond); rand.IntN(4) == 0 {
			time.Sleep(time.Duration(rand.IntN(1000)) * time.Millisecond)
		}
		if _, err := os.Stdout.Write(line); err != nil {
			return fmt.Errorf("answering: %w", err)
		}
	}
}

// answerTo says of a record what its number says; nil for nothing.
func answerTo(id string, data []byte) (any, error) {
	var e entry
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, fmt.Errorf("reading a record: %w", err)
	}
	if !bytes.Equal(data, entryOf(e.N).data()) {
		return nil, fmt.Errorf("record %d is not as it was put", e.N)
	}
	switch fateOf(e.N) {
	case isLeftOut:
		return nil, nil //nolint:nilnil // as documented
	case isDropped:
		return map[string]string{"recordId": id, "result": "Dropped"}, nil
	case isFailed:
		return map[string]string{"recordId": id, "result": "ProcessingFailed"}, nil
	default:
		return map[string]any{"recordId": id, "result": "Ok", "data": []byte(e.made())}, nil
	}
}

// obey does what this archiver's program is told to, once, and returns what to write.
func obey(orders string, line []byte) ([]byte, error) {
	switch order := takeOrder(orders); order {
	case hold:
		time.Sleep(time.Hour)
	case hangs:
		child := exec.Command(os.Args[0]) //nolint:noctx // it is to be killed
		child.Env = append(os.Environ(), childVariable+"=yes")
		child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
		if err := child.Start(); err != nil {
			return nil, fmt.Errorf("starting a child: %w", err)
		}
		time.Sleep(time.Hour)
	case dies:
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			return nil, fmt.Errorf("dying: %w", err)
		}
	case fails:
		os.Exit(3)
	case leaves:
		os.Exit(0)
	case breaks:
		_, _ = os.Stdout.Write(line[:len(line)/2])
		os.Exit(3)
	case babbles:
		return []byte("thinking\n"), nil
	case repeats:
		return append(line, line...), nil
	}
	return line, nil
}

// takeOrder takes the order for programs of this one's archiver; only one of them gets
// it. Its file is then a sign that it is obeyed.
func takeOrder(orders string) string {
	name := filepath.Join(orders, os.Getenv(nameVariable))
	order, err := os.ReadFile(name)
	if err != nil || os.Rename(name, name+".taken") != nil {
		return ""
	}
	return string(order)
}

// program is the transform of all archivers, as the test sees it.
type program struct {
	t   *testing.T
	dir string // of orders
}

func newProgram(t *testing.T, dir string) *program {
	t.Helper()
	p := &program{t: t, dir: filepath.Join(dir, "orders")}
	if err := os.Mkdir(p.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, pid := range p.processes("", "") { // there are some if the test fails
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	return p
}

// tell gives an order to the programs of an archiver.
func (p *program) tell(archiver, order string) {
	p.t.Helper()
	name := filepath.Join(p.dir, archiver)
	if err := errors.Join(os.RemoveAll(name+".taken"), os.WriteFile(name+".next", []byte(order), 0o600), os.Rename(name+".next", name)); err != nil {
		p.t.Fatal(err)
	}
}

// isTold reports whether an order was taken.
func (p *program) isTold(archiver string) bool {
	_, err := os.Stat(filepath.Join(p.dir, archiver+".taken"))
	return err == nil
}

// processes returns the programs of an archiver, or of all for "", and their children; or
// only those that have a variable.
func (p *program) processes(archiver, variable string) (pids []int) {
	p.t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		p.t.Fatal(err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		text, err := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if err != nil {
			continue // it has ended, or is another user's
		}
		environment := "\x00" + string(text)
		if strings.Contains(environment, "\x00"+programVariable+"="+p.dir+"\x00") &&
			(archiver == "" || strings.Contains(environment, "\x00"+nameVariable+"="+archiver+"\x00")) &&
			(variable == "" || strings.Contains(environment, "\x00"+variable+"=")) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// awaitEnd waits until an archiver that is dead has no program any more.
func (p *program) awaitEnd(archiver string) {
	p.t.Helper()
	eventually(p.t, "the programs of "+archiver+" to end", 5*time.Second, func() bool { return len(p.processes(archiver, "")) == 0 })
}
