//go:build unix

package command_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shardmill/shardmill/processors/transform"
	"github.com/shardmill/shardmill/processors/transform/command"
)

// programVar names, in the environment, what the test's binary is to be in place of a
// test: a program that is run as a transform.
const programVar = "COMMAND_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if name := os.Getenv(programVar); name != "" {
		program(name)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

type request struct {
	InvocationID string `json:"invocationId"`
	Records      []struct {
		RecordID string `json:"recordId"`
		Data     []byte `json:"data"`
	} `json:"records"`
}

type result struct {
	RecordID string `json:"recordId"`
	Result   string `json:"result"`
	Data     []byte `json:"data"`
}

type answer struct {
	InvocationID string   `json:"invocationId,omitempty"`
	Records      []result `json:"records"`
}

// next reads a request; at the end of the input it ends the program.
func next(in *bufio.Reader) request {
	line, err := in.ReadBytes('\n')
	if err != nil {
		os.Exit(0)
	}
	var r request
	if err := json.Unmarshal(line, &r); err != nil {
		panic(err)
	}
	return r
}

// say writes the answer that has all records, and the number of this process.
func say(r request, change func(*answer)) {
	a := answer{InvocationID: r.InvocationID}
	for _, record := range r.Records {
		a.Records = append(a.Records, result{record.RecordID, "Ok", fmt.Appendf(record.Data, " %d", os.Getpid())})
	}
	if change != nil {
		change(&a)
	}
	line, err := json.Marshal(a)
	if err != nil {
		panic(err)
	}
	_, _ = os.Stdout.Write(append(line, '\n'))
}

// holdVar says for how long what hoards memory does.
const holdVar = "COMMAND_TEST_HOLD"

// hoard has so many MiB in use, and calls then.
func hoard(mbs int, then func()) {
	memory := make([]byte, mbs<<20)
	for i := range memory {
		memory[i] = 1
	}
	then()
	runtime.KeepAlive(memory)
}

// hold waits for as long as the test says.
func hold() {
	d, err := time.ParseDuration(os.Getenv(holdVar))
	if err != nil {
		panic(err)
	}
	time.Sleep(d)
}

// hoarder starts a child that hoards, and returns when it does.
func hoarder() {
	cmd := exec.CommandContext(context.Background(), os.Args[0])
	cmd.Env = append(os.Environ(), programVar+"=hoards")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		panic(err)
	}
	_, _ = bufio.NewReader(out).ReadString('\n')
}

// child starts a process that stays, with the program's pipes, and tells its number.
func child(leavesGroup bool) {
	cmd := exec.CommandContext(context.Background(), os.Args[0])
	cmd.Env = append(os.Environ(), programVar+"=sleeps")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: leavesGroup}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	fmt.Fprintln(os.Stderr, "child", cmd.Process.Pid)
}

func forever() { time.Sleep(time.Hour) }

// program is one of the programs.
func program(name string) {
	in := bufio.NewReaderSize(os.Stdin, 64<<10)
	switch name {
	case "sleeps":
		forever()
	case "hoards":
		hoard(250, func() {
			fmt.Println("it does")
			forever()
		})
	case "deaf": // does not read
		fmt.Fprintln(os.Stderr, "child", os.Getpid())
		forever()
	case "ends":
	case "fails":
		fmt.Fprintln(os.Stderr, "no such table")
		os.Exit(3)
	case "ends-after-reading":
		next(in)
	case "closes-output":
		_ = os.Stdout.Close()
		forever()
	case "closes-input":
		_ = os.Stdin.Close()
		forever()
	case "parent-that-ends":
		child(false)
		time.Sleep(50 * time.Millisecond)
	case "parent-of-one-that-leaves":
		child(true)
		time.Sleep(50 * time.Millisecond)
	case "parent-that-hangs":
		child(false)
		forever()
	case "stubborn":
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
		say(next(in), nil)
		forever()
	case "polite": // needs SIGTERM
		terminated := make(chan os.Signal, 1)
		signal.Notify(terminated, syscall.SIGTERM)
		say(next(in), nil)
		<-terminated
		fmt.Fprintln(os.Stderr, "goodbye")
	case "bench-pipe":
		sameBytes(in)
	case "bench-echo":
		echoes(in)
	case "archiver": // has a program of its own, and tells its number
		c, err := command.New(command.Options{Argv: []string{os.Args[0]}, Env: append(os.Environ(), programVar+"=stubborn")})
		if err != nil {
			panic(err)
		}
		results, err := c.Transform(context.Background(), &transform.Batch{InvocationID: "i", Records: []transform.Record{{ID: "a", Data: []byte("child")}}})
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(os.Stderr, "%s\n", results[0].Data)
		forever()
	case "starts-late": // as one that crashes on the first request
		marker := os.Getenv("COMMAND_TEST_MARKER")
		if _, err := os.Stat(marker); err != nil {
			_ = os.WriteFile(marker, nil, 0o600)
			next(in)
			os.Exit(1)
		}
		answers(name, in)
	default:
		answers(name, in)
	}
}

// answers are the programs that answer.
func answers(name string, in *bufio.Reader) {
	for {
		r := next(in)
		switch name {
		case "half":
			fmt.Print(`{"invocationId":"`)
			forever()
		case "half-and-ends":
			fmt.Print(`{"invocationId":"`)
			return
		case "prints":
			fmt.Println("debug: got", len(r.Records))
			say(r, nil)
		case "no-id":
			say(r, func(a *answer) { a.InvocationID = "" })
		case "wrong-id":
			say(r, func(a *answer) { a.InvocationID = "another" })
		case "no-records":
			fmt.Printf("{\"invocationId\":%q}\n", r.InvocationID)
		case "endless-line":
			junk := strings.Repeat("x", 1<<16)
			for {
				fmt.Print(junk)
			}
		case "large":
			say(r, func(a *answer) {
				if len(a.Records) > 1 {
					a.Records[0].Data = make([]byte, 6<<20)
				}
			})
		case "once":
			say(r, nil)
			return
		case "twice":
			say(r, nil)
			say(r, nil)
		case "late-line":
			say(r, nil)
			time.Sleep(20 * time.Millisecond)
			fmt.Println("something more")
		case "noisy":
			for i := range 10000 {
				fmt.Fprintln(os.Stderr, "line", i)
			}
			fmt.Fprintln(os.Stderr, strings.Repeat("long", 5000))
			fmt.Fprint(os.Stderr, "\xff without an end")
			say(r, nil)
			return
		case "hungry":
			hoard(600, hold)
			say(r, nil)
		case "hungry-children":
			for range 2 {
				hoarder()
			}
			hold()
			say(r, nil)
		case "limits":
			var l syscall.Rlimit
			if err := syscall.Getrlimit(syscall.RLIMIT_DATA, &l); err != nil {
				panic(err)
			}
			say(r, func(a *answer) { a.Records[0].Data = fmt.Appendf(nil, "%d", l.Max>>20) })
		case "moody": // as its record says
			switch string(r.Records[0].Data) {
			case "poison":
				os.Exit(1)
			case "hang":
				forever()
			}
			say(r, nil)
		case "slow":
			time.Sleep(50 * time.Millisecond)
			say(r, nil)
		default:
			say(r, nil)
		}
	}
}

// sameBytes answers each line with itself, less what an answer has less than a request.
func sameBytes(in *bufio.Reader) {
	var line []byte
	for {
		line = readLine(in, line)
		_, _ = os.Stdout.Write(append(bytes.TrimRight(line[:len(line)*answerShare/100], "\n"), '\n'))
	}
}

// answerShare is how much of a request's bytes its answer has, of 100.
const answerShare = 85

// echoes answers with the data of the records, taken from the text without its being
// parsed: as little work as a program can have.
func echoes(in *bufio.Reader) {
	var line, out []byte
	member := func(rest []byte, name string) (value, after []byte) {
		_, rest, _ = bytes.Cut(rest, []byte(`"`+name+`":"`))
		end := bytes.IndexByte(rest, '"')
		return rest[:end], rest[end:]
	}
	for {
		line = readLine(in, line)
		var value []byte
		value, rest := member(line, "invocationId")
		out = append(append(append(out[:0], `{"invocationId":"`...), value...), `","records":[`...)
		for bytes.Contains(rest[:min(len(rest), 2000)], []byte(`"recordId"`)) {
			value, rest = member(rest, "recordId")
			out = append(append(append(out, `{"result":"Ok","recordId":"`...), value...), `","data":"`...)
			value, rest = member(rest, "data")
			out = append(append(out, value...), `"},`...)
		}
		_, _ = os.Stdout.Write(append(out[:len(out)-1], "]}\n"...))
	}
}

// readLine reads a line into room, or ends the program.
func readLine(in *bufio.Reader, room []byte) []byte {
	room = room[:0]
	for {
		part, err := in.ReadSlice('\n')
		room = append(room, part...)
		switch {
		case err == nil:
			return room
		case !errors.Is(err, bufio.ErrBufferFull):
			os.Exit(0)
		}
	}
}
