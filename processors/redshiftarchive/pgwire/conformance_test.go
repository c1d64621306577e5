package pgwire_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// TestConformance has the statements of docs/conformance.md by their numbers, as far as they
// are about what a database is sent.
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
	for _, tt := range []struct {
		hasLedger bool
		last      string // what ends the transaction
		rows      int
	}{{false, "COPY", 2}, {true, "COMMIT", 1}} {
		d := &database{faults: map[string]kind{tt.last: hangAfter}}
		db := connectTo(t, d)
		limited, stop := context.WithTimeout(t.Context(), 15*time.Minute)
		if f := faultOf(t, db.Load(limited, try(tt.hasLedger))); f.Undone || f.Code != "Redshift.ConnectionFailed" {
			t.Errorf("the answer was lost: %v", f)
		}
		stop()
		err := db.Load(t.Context(), try(tt.hasLedger))
		d.end(t)
		if _, isKnown := errors.AsType[*redshiftarchive.KnownError](err); isKnown != tt.hasLedger || err != nil && !isKnown {
			t.Errorf("the next try: %v", err)
		}
		if loaded, _, _ := d.is(); len(loaded) != tt.rows {
			t.Errorf("with a ledger %v: loaded %d times", tt.hasLedger, len(loaded))
		}
	}
}
