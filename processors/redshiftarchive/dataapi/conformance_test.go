package dataapi_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// TestConformance has the statements of docs/conformance.md by their numbers, as far as they
// are about what the Data API is sent.
func TestConformance(t *testing.T) {
	t.Parallel()
	t.Run("R14", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, conformLostAnswer)
	})
}

// The load is committed, and the client does not learn of it: the same manifest is copied
// again, and its rows are there twice. With the ledger they are not.
func conformLostAnswer(t *testing.T) {
	t.Helper()
	for hasLedger, rows := range map[bool]int{false: 2, true: 1} {
		s := &service{faults: map[string]fault{"ExecuteStatement": lost, "BatchExecuteStatement": lost}, always: true}
		d := database(t, s)
		limited, stop := context.WithTimeout(t.Context(), 15*time.Minute)
		if f := faultOf(t, d.Load(limited, try(hasLedger, "1"))); f.Undone || f.Code != "Redshift.ConnectionFailed" {
			t.Errorf("the answer was lost: %v", f)
		}
		stop()
		if loaded, _ := s.is(); len(loaded) != 1 {
			t.Fatalf("five requests with one token loaded %d times", len(loaded))
		}
		clear(s.faults)
		err := d.Load(t.Context(), try(hasLedger, "2"))
		if _, isKnown := errors.AsType[*redshiftarchive.KnownError](err); isKnown != hasLedger || err != nil && !isKnown {
			t.Errorf("the next try: %v", err)
		}
		if loaded, _ := s.is(); len(loaded) != rows {
			t.Errorf("with a ledger %v: loaded %d times", hasLedger, len(loaded))
		}
	}
}
