package redshiftarchive_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// TestConformance has the statements of docs/conformance.md by their numbers, as far as
// they are about what is loaded, and when.
func TestConformance(t *testing.T) {
	t.Parallel()
	conformStatements(t)
	conformBatches(t)
	conformTries(t)
	conformFailures(t)
}

func statement(t *testing.T, name string, test func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(time.Until(time.Date(2016, 2, 25, 13, 0, 0, 0, time.UTC)))
			test(t)
		})
	})
}

// loaded runs a loader over what is staged for a time, and returns the tries.
func (w *world) loaded(cfg redshiftarchive.Config, plan func(int, string) answer, d time.Duration) []try {
	w.t.Helper()
	r := w.load(cfg, plan)
	time.Sleep(d)
	if err := r.stop(); err != nil {
		w.t.Error(err)
	}
	return w.all()
}

const uuid = `[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`

func conformStatements(t *testing.T) {
	t.Helper()
	const rest = ` FROM 's3://b/logs/manifests/2016/02/25/13/orders-2016-02-25-13-00-00-` + uuid + `' CREDENTIALS 'aws_iam_role=` + roleR + `' MANIFEST json 'auto' gzip;$`
	for name, row := range map[string]struct{ columns, want string }{
		"R1": {"id,ts", `^COPY public.events \(id,ts\)` + rest},
		"R2": {"", `^COPY public.events` + rest},
	} {
		statement(t, name, func(t *testing.T) {
			t.Helper()
			w := newWorld(t, false)
			w.stage("a", object(1, 0))
			tries := w.loaded(changed(func(c *redshiftarchive.Config) { c.DataTableColumns = row.columns }), nil, time.Minute)
			if len(tries) != 1 || !regexp.MustCompile(row.want).MatchString(tries[0].sql) {
				t.Errorf("%+v, want %s", tries, row.want)
			}
		})
	}
	statement(t, "R3", func(t *testing.T) {
		t.Helper()
		w := newWorld(t, false)
		w.stage("a", processors.MarkedObject{Bucket: "b", Key: "logs/2016/02/25/13/orders-1-2016-02-25-13-00-00-U.gz"})
		w.loaded(config(), nil, time.Minute)
		const want = `{"entries":[{"url":"s3://b/logs/2016/02/25/13/orders-1-2016-02-25-13-00-00-U.gz","mandatory":true}]}`
		if keys := w.below("logs/manifests/"); len(keys) != 1 || w.bucket[keys[0]] != want {
			t.Errorf("%v: %v", keys, w.bucket)
		}
	})
	statement(t, "R13", func(t *testing.T) {
		t.Helper()
		err := redshiftarchive.Settle(changed(func(c *redshiftarchive.Config) { c.Staging.Compression = processors.Uncompressed }))
		has(t, err, "Redshift.CompressionMismatch", "configured with UNCOMPRESSED", "gzip")
	})
}

func conformBatches(t *testing.T) {
	t.Helper()
	slow := answer{after: 20 * time.Minute}
	statement(t, "R4", func(t *testing.T) {
		t.Helper()
		w := newWorld(t, false)
		w.stage("a", object(1, 0))
		time.AfterFunc(10*time.Minute, func() {
			for i := 2; i <= 4; i++ {
				w.stage(fmt.Sprint("b", i), object(i, i))
			}
		})
		tries := w.loaded(config(), loads(slow), time.Hour)
		want := []string{object(2, 0).URL(), object(3, 0).URL(), object(4, 0).URL()}
		if len(tries) != 2 || !slices.Equal(tries[1].urls, want) || tries[1].at.Sub(tries[0].at) != slow.after {
			t.Errorf("%+v, want %v at once", tries, want)
		}
	})
	statement(t, "R5", func(t *testing.T) { // the world fails the test for two at once
		t.Helper()
		w := newWorld(t, false)
		for i := range 40 {
			time.AfterFunc(time.Duration(i)*time.Minute, func() { w.stage(strconv.Itoa(i), object(i, 0)) })
		}
		tries := w.loaded(config(), always("load", slow), 3*time.Hour)
		for i := range tries[1:] {
			if gap := tries[i+1].at.Sub(tries[i].at); gap < slow.after {
				t.Errorf("COPY %d began after %v", i+1, gap)
			}
		}
		w.settled(true)
	})
}

func conformTries(t *testing.T) {
	t.Helper()
	no := answer{kind: refused}
	for name, row := range map[string]struct {
		retry time.Duration
		plan  func(int, string) answer
		at    []int
	}{
		"R6": {time.Hour, always("load", no), []int{0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60}},
		"R8": {0, always("load", no), []int{0}},
		"R9": {time.Hour, loads(answer{kind: refused, after: 4000 * time.Second}), []int{0}},
	} {
		statement(t, name, func(t *testing.T) {
			t.Helper()
			w := newWorld(t, false)
			w.stage("a", object(1, 0))
			tries := w.loaded(changed(within(row.retry)), row.plan, 4*time.Hour)
			if !slices.Equal(w.at(), row.at) || tries[0].manifest != tries[len(tries)-1].manifest || !w.named[object(1, 0).URL()] {
				t.Errorf("tried at %v, want %v; named %v", w.at(), row.at, w.named)
			}
		})
	}
	statement(t, "R7", func(t *testing.T) {
		t.Helper()
		w := newWorld(t, false)
		w.stage("a", object(1, 0), object(2, 0))
		time.AfterFunc(10*time.Minute, func() { w.stage("b", object(3, 0)) })
		tries := w.loaded(config(), loads(slices.Repeat([]answer{no}, 13)...), 2*time.Hour)
		keys := w.below("logs/errors/")
		if len(keys) != 1 || !regexp.MustCompile(`^logs/errors/manifests/2016/02/25/13/orders-2016-02-25-13-00-00-`+uuid+`$`).MatchString(keys[0]) {
			t.Fatal(keys)
		}
		if same := strings.Replace(keys[0], "errors/", "", 1); w.bucket[keys[0]] != w.bucket[same] {
			t.Errorf("other entries: %s, %s", w.bucket[keys[0]], w.bucket[same])
		}
		if last := tries[len(tries)-1]; len(tries) != 14 || !slices.Equal(last.urls, []string{object(3, 0).URL()}) {
			t.Errorf("then %+v", last)
		}
		w.settled(true)
	})
}

func conformFailures(t *testing.T) {
	t.Helper()
	statement(t, "R10", func(t *testing.T) { // settled looks whether they are there
		t.Helper()
		w := newWorld(t, false)
		w.stage("a", object(1, 0))
		w.loaded(config(), nil, time.Minute)
		w.stage("b", object(2, 0))
		w.loaded(changed(within(0)), always("load", answer{kind: refused}), time.Minute)
		w.settled(true)
		if !w.named[object(2, 0).URL()] || w.named[object(1, 0).URL()] {
			t.Errorf("named %v", w.named)
		}
	})
	for name, hasLedger := range map[string]bool{"R14/without a ledger": false, "R14/with a ledger": true} {
		statement(t, name, func(t *testing.T) {
			t.Helper()
			w := newWorld(t, hasLedger)
			w.stage("a", object(1, 0))
			tries := w.loaded(config(), loads(answer{kind: lost}), time.Hour)
			want := 2
			if hasLedger {
				want = 1
			}
			if n := w.copies[object(1, 0).URL()]; n != want || len(tries) != 2 || tries[0].manifest != tries[1].manifest {
				t.Errorf("loaded %d times, %+v", n, tries)
			}
		})
	}
	statement(t, "R15", func(t *testing.T) {
		t.Helper()
		core, logs := observer.New(zap.WarnLevel)
		w := newWorld(t, false)
		w.stage("a", object(1, 0), object(2, 0))
		f := &redshiftarchive.Fault{
			Code: "Redshift.DataLoadFailed", Message: "Load into table 'events' failed. Check 'stl_load_errors' system table for details.", Undone: true,
			Reasons: []redshiftarchive.LineReason{{Object: object(2, 0).URL(), Line: 7, Column: "ts", Code: 1206, Reason: "Invalid timestamp format"}},
		}
		var given []redshiftarchive.GivenUpEvent
		w.loaded(changed(func(c *redshiftarchive.Config) {
			within(0)(c)
			c.Logger = zap.New(core)
			c.Hooks.GivenUp = func(e redshiftarchive.GivenUpEvent) { given = append(given, e) }
		}), always("load", answer{kind: refused, fault: f}), time.Minute)
		if !w.named[object(1, 0).URL()] || !w.named[object(2, 0).URL()] || len(w.copies) != 0 || len(given) != 1 || !errors.Is(given[0].Err, error(f)) {
			t.Errorf("named %v, loaded %v, %+v", w.named, w.copies, given)
		}
		if lines := logs.FilterMessage("line not loaded").All(); len(lines) != 1 || lines[0].ContextMap()["line"] != int64(7) || lines[0].ContextMap()["object"] != object(2, 0).URL() {
			t.Errorf("%v", lines)
		}
	})
}
