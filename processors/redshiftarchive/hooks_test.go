package redshiftarchive_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// Whatever a hook does, each batch is loaded, or named, once; and what the hook did is told
// each time.
func TestHooksThatDoNotReturnWell(t *testing.T) {
	t.Parallel()
	for how, bad := range map[string]func(){"panics": func() { panic("CANARY") }, "ends its goroutine": runtime.Goexit} {
		for _, row := range []struct {
			name    string
			hook    func(*redshiftarchive.Hooks, func())
			answers []answer
		}{
			{"Tried", func(h *redshiftarchive.Hooks, f func()) { h.Tried = func(redshiftarchive.TriedEvent) { f() } }, nil},
			{"Loaded", func(h *redshiftarchive.Hooks, f func()) { h.Loaded = func(redshiftarchive.LoadedEvent) { f() } }, nil},
			{"GivenUp", func(h *redshiftarchive.Hooks, f func()) { h.GivenUp = func(redshiftarchive.GivenUpEvent) { f() } }, []answer{{kind: refused}, {kind: refused}}},
			{"Waiting", func(h *redshiftarchive.Hooks, f func()) { h.Waiting = func(redshiftarchive.WaitingEvent) { f() } }, nil},
		} {
			t.Run(row.name+" "+how, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					core, logs := observer.New(zap.ErrorLevel)
					w := newWorld(t, false)
					w.stage("a", object(1, 1))
					calls := 0
					r := w.load(changed(func(c *redshiftarchive.Config) {
						within(0)(c)
						c.Logger = zap.New(core)
						row.hook(&c.Hooks, func() { calls++; bad() })
					}), loads(row.answers...))
					time.Sleep(time.Minute)
					w.stage("b", object(2, 2))
					time.Sleep(time.Minute)
					if err := r.stop(); err != nil {
						t.Error(err)
					}
					w.settled(true)
					if !slices.Equal(w.at(), []int{0, 1}) || len(w.named) != len(row.answers) {
						t.Errorf("tried at %v, named %v", w.at(), w.named)
					}
					told := logs.FilterMessage("hook panicked, or ended its goroutine").FilterField(zap.String("hook", row.name))
					if calls < 2 || told.Len() != calls {
						t.Errorf("called %d times, told %d times", calls, told.Len())
					}
				})
			})
		}
	}
}

// A hook that takes long is told, at once and each minute.
func TestHookThatTakesLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		w := newWorld(t, false)
		w.stage("a", object(1, 1))
		r := w.load(changed(func(c *redshiftarchive.Config) {
			c.Logger = zap.New(core)
			c.Hooks.Loaded = func(redshiftarchive.LoadedEvent) { time.Sleep(3 * time.Minute) }
		}), nil)
		time.Sleep(5 * time.Minute)
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		w.settled(true)
		told := logs.FilterMessage("hook does not return; loading waits for it")
		if told.Len() != 3 || fmt.Sprint(told.All()[0].ContextMap()) != "map[delivery_stream:orders duration:5s hook:Loaded]" {
			t.Errorf("told %d times: %v", told.Len(), told.All())
		}
	})
}
