package partition_test

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/processors/partition"
)

// objects is a record that is small for what it becomes.
func objects(size int) string {
	const one = `{"b":1,"a":1}`
	return "[" + one + strings.Repeat(","+one, size/(len(one)+1)) + "]"
}

// What a record becomes is in the bounds, too.
func TestDecodedIsCounted(t *testing.T) {
	t.Parallel()
	x := compiled(t, partition.Rules{Query: `{k:(length|tostring)}`}).Within(time.Minute, 64<<20)
	if got, _, message := extract(t, x, objects(10<<20)); message != "jq: the query makes too much of this record" {
		t.Errorf("it is %q, %q", got, message)
	}
	if got, _, message := extract(t, x, objects(1<<20)); got == "" {
		t.Errorf("one of 1 MiB fails: %s", message)
	}
}

// Nothing of a record remains when its keys are taken.
func TestNothingRemains(t *testing.T) { //nolint:paralleltest // it measures the heap of the process
	x := compiled(t, partition.Rules{Query: `{k:(length|tostring)}`, EventTime: `[0,length][0]`}).Within(time.Minute, 64<<20)
	record := []byte(objects(3 << 19))
	e := x.Open()
	before := live()
	if _, _, err := e.Extract(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	if after := live(); after > before+(8<<20) {
		t.Errorf("%d MiB remain", (after-before)>>20)
	}
	runtime.KeepAlive(record)
	runtime.KeepAlive(e)
}

func live() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Of large records that jq is needed for one at a time is decoded; others pass by, and who waits is alive.
func TestOneLargeRecordAtATime(t *testing.T) {
	t.Parallel()
	for _, rules := range []partition.Rules{{Query: `{k:(.a|tostring)}`}, {Query: `{k:.a}`, EventTime: `.t+0`}} {
		big := `{"a":"x","t":0,"b":"` + strings.Repeat("b", 2<<20) + `"}`
		synctest.Test(t, func(t *testing.T) {
			x := compiled(t, rules)
			ctx, call := deadline.Start(t.Context(), 5*time.Second)
			defer call.End()
			x.Turn() <- struct{}{}
			done := make(chan error)
			go func() {
				_, _, err := x.Open().Extract(context.WithoutCancel(ctx), []byte(big))
				done <- err
			}()
			time.Sleep(time.Minute)
			synctest.Wait()
			select {
			case err := <-done:
				t.Fatalf("it did not wait: %v", err)
			default:
			}
			if call.Silent() > 5*time.Second || ctx.Err() != nil {
				t.Errorf("who waits seems dead: %v, %v", call.Silent(), context.Cause(ctx))
			}
			if got, _, message := extract(t, x, `{"a":"small","t":0}`); got != "small" {
				t.Errorf("a small one: %q, %q", got, message)
			}
			<-x.Turn()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if got, _, message := extract(t, x, big); got != "x" { // the turn was given back
				t.Errorf("the next one: %q, %q", got, message)
			}
		})
	}
}

// Those that need no jq do not wait.
func TestPlainDoesNotWait(t *testing.T) {
	t.Parallel()
	x := compiled(t, partition.Rules{Query: `{k:.a}`, EventTime: `.t`})
	x.Turn() <- struct{}{}
	if got, _, message := extract(t, x, `{"a":"x","t":0,"b":"`+strings.Repeat("b", 2<<20)+`"}`); got != "x" {
		t.Errorf("it is %q, %q", got, message)
	}
}
