package redshiftarchive_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// Of more markers than a list has the oldest is loaded first, whatever its name; and a "folder"
// where markers are is none.
func TestManyMarkers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		w := newWorld(t, false)
		const n = 1500
		for i := range n {
			w.stage(fmt.Sprintf("%x-%04d", i%16, i), object(i, 30))
		}
		oldest := object(n, 1)
		w.stage("f-oldest", oldest)
		w.put(markers, "")
		var first redshiftarchive.WaitingEvent
		r := w.load(changed(func(c *redshiftarchive.Config) {
			c.Logger = zap.New(core)
			c.Hooks.Waiting = func(e redshiftarchive.WaitingEvent) {
				if first.Markers == 0 {
					first = e
				}
			}
		}), nil)
		time.Sleep(time.Minute)
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		if left := w.below(markers); len(left) != 1 || first.Markers != n+1 || first.Left != 0 {
			t.Errorf("%d markers are left, of %+v", len(left), first)
		}
		if tries := w.all(); !slices.Contains(tries[0].urls, oldest.URL()) {
			t.Error("the oldest is not in the first batch")
		}
		if told := logs.FilterMessageSnippet("cannot be loaded").Len(); told > 0 {
			t.Errorf("told %d times of a folder", told)
		}
	})
}

// A "folder" where markers are is no marker to a look either.
func TestLooksPassFolders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		w.put(markers, "")
		w.stage("a", object(1, 1))
		l := &link{world: w}
		loader, err := redshiftarchive.New(config(), l, l)
		if err != nil {
			t.Fatal(err)
		}
		if look := loader.Looks(t.Context())[0]; look.Status != redshiftarchive.LookOK || !strings.HasPrefix(look.Text, "1 markers wait") {
			t.Errorf("%+v", look)
		}
	})
}

// What was staged before Bucket or Prefix was changed is loaded, if it is said where that was.
func TestFormerBuckets(t *testing.T) {
	t.Parallel()
	for _, former := range []string{"former", "b"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, false)
			o := object(1, 1)
			if o.Bucket = former; former == "b" {
				o.Key = "before/" + o.Key
			}
			w.stage("a", o)
			r := w.load(changed(func(c *redshiftarchive.Config) { c.Staging.FormerBuckets = []string{former} }), nil)
			time.Sleep(time.Minute)
			if err := r.stop(); err != nil {
				t.Error(err)
			}
			if w.copies[o.URL()] != 1 {
				t.Errorf("%s is not loaded", o.URL())
			}
		})
	}
}
