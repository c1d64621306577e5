//go:build unix

package command_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/shardmill/shardmill/processors/transform"
	"github.com/shardmill/shardmill/processors/transform/command"
)

// pipes is a program that answers with as many bytes as an answer has, and what a pipe
// and two processes can do at best: nothing is made of the bytes.
type pipes struct {
	in  *os.File
	out *bufio.Reader
}

func openPipes(b *testing.B) *pipes {
	b.Helper()
	theirIn, in, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), programVar+"=bench-pipe")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirIn, theirOut, os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	_, _ = theirIn.Close(), theirOut.Close()
	b.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
		_ = out.Close()
	})
	return &pipes{in, bufio.NewReaderSize(out, 64<<10)}
}

// exchange writes a request and reads the answer to it.
func (p *pipes) exchange(b *testing.B, request []byte) {
	b.Helper()
	written := make(chan error, 1)
	go func() {
		_, err := p.in.Write(request)
		written <- err
	}()
	for {
		_, err := p.out.ReadSlice('\n')
		if err == nil {
			break
		}
		if err != bufio.ErrBufferFull { //nolint:errorlint // it is never wrapped
			b.Fatal(err)
		}
	}
	if err := <-written; err != nil {
		b.Fatal(err)
	}
}

// A command beside the bare pipes, with the same bytes in both directions, in turns: what
// is made of records and answers, and the runner, cost the rest. of-pipes is the share of the
// pipes' speed; MB are of the records' data. The program does as little as it can.
func BenchmarkCommand(b *testing.B) {
	for _, size := range []int{100, 1000, 10000} {
		b.Run(fmt.Sprint(1<<20/size, "-of-", size, "B"), func(b *testing.B) {
			list := batch(size)
			c, err := command.New(command.Options{Argv: []string{os.Args[0]}, Env: append(os.Environ(), programVar+"=bench-echo"), Processes: 1})
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			r := transform.NewRunner(c, transform.Options{})
			bare := openPipes(b)
			for i := range list {
				list[i].ID = fmt.Sprintf("%s%012d", list[i].SequenceNumber, i)
			}
			request := append(transform.Request(&transform.Batch{InvocationID: "0f8a6b34-3a1c-4a7e-9d57-0c4f5f6f7a01", Records: list}), '\n')
			bare.exchange(b, request)
			var pipe, all time.Duration
			b.ReportAllocs()
			for b.Loop() {
				begun := time.Now()
				bare.exchange(b, request)
				between := time.Now()
				outcomes, err := r.Run(b.Context(), list)
				if err != nil || outcomes[0].Failure != nil {
					b.Fatal(err, outcomes[0].Failure)
				}
				pipe, all = pipe+between.Sub(begun), all+time.Since(between)
			}
			report(b, size*len(list), pipe, all, "pipes", "command")
		})
	}
}

// The same records through a function of Go.
func BenchmarkFunc(b *testing.B) {
	list := batch(1000)
	r := transform.NewRunner(transform.Each("same", func(_ context.Context, r *transform.Record) transform.Result {
		return transform.Result{Status: transform.Ok, Data: r.Data}
	}), transform.Options{})
	b.ReportAllocs()
	b.SetBytes(int64(1000 * len(list)))
	for b.Loop() {
		if _, err := r.Run(b.Context(), list); err != nil {
			b.Fatal(err)
		}
	}
}

// batch returns a MiB of records of one size.
func batch(size int) []transform.Record {
	var list []transform.Record
	for i := range 1 << 20 / size {
		list = append(list, transform.Record{
			Data: make([]byte, size), ShardID: "shardId-000000000000", PartitionKey: "customer-1", SequenceNumber: fmt.Sprintf("%056d", i), Arrival: time.UnixMilli(1456405200000),
		})
	}
	return list
}

func report(b *testing.B, bytes int, one, other time.Duration, oneName, otherName string) {
	b.Helper()
	mb := float64(bytes) * float64(b.N) / 1e6
	b.ReportMetric(mb/one.Seconds(), oneName+"-MB/s")
	b.ReportMetric(mb/other.Seconds(), otherName+"-MB/s")
	b.ReportMetric(one.Seconds()/other.Seconds(), "of-"+oneName)
}
