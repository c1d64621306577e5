package dataapi_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// set has operations, or statements, fail from now on.
func (s *service) set(faults map[string]fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = faults
}

// tokens returns those with which batches were begun.
func (s *service) tokens() (tokens []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.statements {
		if len(st.sqls) > 1 {
			tokens = append(tokens, st.token)
		}
	}
	return tokens
}

// A batch whose end is not known is over before the next try looks in the ledger: what is begun
// late does not load behind its back.
func TestWhatIsPendingEndsBeforeTheNextTry(t *testing.T) {
	t.Parallel()
	const batch, limit = "BatchExecuteStatement", time.Hour
	for name, s := range map[string]*service{
		"taken, and begun late":           {faults: map[string]fault{batch: lost}, delay: 30 * time.Minute},
		"taken, and told as failed":       {faults: map[string]fault{batch: doneFails}, delay: 30 * time.Minute},
		"never taken":                     {faults: map[string]fault{batch: silent}},
		"its end is not told":             {faults: map[string]fault{"DescribeStatement": silent, "CancelStatement": silent}, delay: 90 * time.Minute},
		"neither ends nor is cancelled":   {faults: map[string]fault{"COPY": stubborn}, delay: -4*time.Hour - 30*time.Minute},
		"taken, and told as unclear":      {faults: map[string]fault{batch: unclear}, delay: 10 * time.Minute},
		"taken, begun late, takes longer": {faults: map[string]fault{batch: lost}, delay: 30 * time.Minute, takes: 10 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s.always = true
				d := database(t, s)
				load := func(number string) error {
					limited, stop := context.WithTimeout(t.Context(), limit)
					defer stop()
					return d.Load(limited, try(true, number))
				}
				if f := faultOf(t, load("1")); f.Undone {
					t.Fatal(f)
				}
				s.set(nil)
				err := load("2")
				known := new(redshiftarchive.KnownError)
				if loaded, ledger := s.is(); !errors.As(err, &known) || len(loaded) != 1 || len(ledger) != 1 {
					t.Errorf("%v; %v are loaded", err, loaded)
				}
				if got := s.tokens(); !slices.Equal(got, []string{try(true, "1").Token, try(true, "2").Token}) {
					t.Errorf("begun %v", got)
				}
				time.Sleep(10 * time.Minute)
				if err := load("3"); !errors.As(err, &known) || len(s.tokens()) != 3 {
					t.Errorf("%v; begun %v", err, s.tokens())
				}
			})
		})
	}
}

// As long as nobody says how a batch has ended, or will, nothing else is begun, and the doubt is
// told: for a day.
func TestWhatIsPendingStays(t *testing.T) {
	t.Parallel()
	const batch = "BatchExecuteStatement"
	for _, again := range []fault{refused, throttled, failing, silent, lost} {
		t.Run(string(again), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &service{faults: map[string]fault{batch: silent}, always: true}
				d := database(t, s)
				_ = d.Load(t.Context(), try(true, "1"))
				s.set(map[string]fault{batch: again})
				for range 3 {
					time.Sleep(8 * time.Hour)
					f := faultOf(t, d.Load(t.Context(), try(true, "2")))
					if f.Undone || f.NotInLedger {
						t.Error(f)
					}
					hasNoSecret(t, f)
				}
				for _, in := range s.inputs {
					if in["ClientToken"] != try(true, "1").Token {
						t.Errorf("handed in %v", in["ClientToken"])
					}
				}
				time.Sleep(2 * time.Hour)
				f := faultOf(t, d.Load(t.Context(), try(true, "3")))
				isOver := again == refused || again == throttled // the others may have been taken by then
				if last := s.inputs[len(s.inputs)-1]["ClientToken"]; (last == try(true, "3").Token) != isOver {
					t.Errorf("after a day: %v, %v", last, f)
				}
			})
		})
	}
}

// A try that has spent its time on the end of an earlier one asks for nothing, and says so.
func TestWhatIsPendingTakesAllTheTime(t *testing.T) {
	t.Parallel()
	for kind, isKnown := range map[fault]bool{endless: true, stubborn: false} {
		synctest.Test(t, func(t *testing.T) {
			s := &service{faults: map[string]fault{"BatchExecuteStatement": lost, "COPY": kind}, always: true}
			d := database(t, s)
			_ = d.Load(t.Context(), try(true, "1"))
			s.set(nil)
			limited, stop := context.WithTimeout(t.Context(), time.Hour)
			defer stop()
			f := faultOf(t, d.Load(limited, try(true, "2")))
			if f.Undone != isKnown || f.NotInLedger || len(s.tokens()) != 1 {
				t.Errorf("%s: %+v; begun %v", kind, f, s.tokens())
			}
		})
	}
}

// What has an id is not handed in again: the service may have forgotten its token.
func TestWhatIsPendingIsAskedAboutByItsID(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{faults: map[string]fault{"COPY": stubborn}}
		d := database(t, s)
		for _, number := range []string{"1", "2", "3"} {
			limited, stop := context.WithTimeout(t.Context(), time.Hour)
			if f := faultOf(t, d.Load(limited, try(true, number))); f.Undone || s.count("BatchExecuteStatement") != 1 {
				t.Errorf("handed in %d times: %v", s.count("BatchExecuteStatement"), f)
			}
			stop()
		}
	})
}

// Without a ledger nothing waits for an earlier try.
func TestNothingIsPendingWithoutALedger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{faults: map[string]fault{"ExecuteStatement": lost}, always: true, delay: time.Hour}
		d := database(t, s)
		_ = d.Load(t.Context(), try(false, "1"))
		s.set(nil)
		begun := time.Now()
		if err := d.Load(t.Context(), try(false, "2")); err != nil || time.Since(begun) > time.Minute {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
}
