package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/archiver"
	"github.com/shardmill/shardmill/kcl"
)

// How an archiver does is logged each minute, and once at its end.
func TestProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		begin := time.Now()
		snapshot := func() kcl.Snapshot {
			read := time.Now()
			if read.After(begin.Add(90 * time.Second)) {
				return kcl.Snapshot{Shards: []kcl.ShardStatus{{}}} // no page was read
			}
			return kcl.Snapshot{Shards: []kcl.ShardStatus{
				{LastRead: read, BehindLatest: time.Second},
				{LastRead: read, BehindLatest: time.Hour},
				{LastRead: read, BehindLatest: 2 * time.Hour, Lost: true},
			}}
		}
		failed := errors.New("failed")
		if err := progress(snapshot, new(archiver.Tally), false, zap.New(core), func() error { time.Sleep(150 * time.Second); return failed }); !errors.Is(err, failed) {
			t.Error(err)
		}
		var got []string
		for _, l := range logs.All() {
			got = append(got, fmt.Sprintf("%v %s %v", l.Time.Sub(logs.All()[0].Time), l.Message, l.ContextMap()))
		}
		want := []string{
			"0s progress map[behind_latest:1h0m0s bytes:0 leases:2 objects:0 records:0]",
			"1m0s progress map[bytes:0 leases:1 objects:0 records:0]",
			"1m30s stopped: 0 records, 0 objects map[bytes:0 objects:0 records:0]",
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// The log begins with what is archived and ends with what was, as JSON for
// machines, and in lines if that is asked for.
func TestArchiveTellsItsBeginningAndItsEnd(t *testing.T) {
	t.Parallel()
	stack, env := serve(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for i, format := range []string{"auto", "console"} {
		put, _, errs := program(ctx, t, env, "put", "--stream", "orders", "--create-shards", "1", write(t, "in", "one\ntwo\n"))
		if err := put.Run(); err != nil {
			t.Fatalf("%v: %s", err, errs)
		}
		file := write(t, "archiver.yaml", strings.Replace(goodConfig, "IntervalInSeconds: 60", "IntervalInSeconds: 1", 1))
		cmd, _, errs := program(ctx, t, env, "archive", "--config", file, "--worker-id", format, "--log-format", format)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for countLines(t, stack) < 2*(i+1) && ctx.Err() == nil {
			time.Sleep(50 * time.Millisecond) // between two looks at another process
		}
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait()
		lines := strings.Split(strings.TrimSpace(errs.String()), "\n")
		if i == 1 {
			if last := lines[len(lines)-1]; !strings.Contains(last, "\tinfo\tstopped: ") || !strings.Contains(errs.String(), "\tinfo\tarchiving\t{") {
				t.Errorf("it tells\n%s", errs)
			}
			continue
		}
		var said []string
		for _, line := range lines {
			var l struct{ Msg, Stream, Table, Position, Version string }
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Errorf("%s: %v", line, err)
			}
			if said = append(said, l.Msg); l.Msg == "archiving" && (l.Stream != "orders" || l.Table != "orders" || l.Position != "TRIM_HORIZON" || l.Version == "") {
				t.Errorf("it begins with %s", line)
			}
		}
		if last := said[len(said)-1]; last != "stopped: 2 records, 1 objects" || !slices.Contains(said, "archiving") {
			t.Errorf("it says\n%s", strings.Join(said, "\n"))
		}
	}
}
