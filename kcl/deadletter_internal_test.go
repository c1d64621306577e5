package kcl

import (
	"strconv"
	"testing"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
)

// What went to DeadLetter is remembered until a checkpoint covers it, and as one
// where it is one.
func TestDeadLettersAreForgotten(t *testing.T) {
	t.Parallel()
	place := func(i int) checkpoint.ExtendedSequenceNumber {
		return checkpoint.At(strconv.Itoa(1000+i), 0, time.Time{}).ExtendedSequenceNumber
	}
	c := new(consumer)
	for i := range 100 {
		c.noteDead(place(i), span{place(i + 1), place(i + 1)}, checkpoint.TrimHorizon)
	}
	if len(c.dead) != 1 || c.dead[0] != (span{place(1), place(100)}) {
		t.Errorf("of one stretch %v are remembered", c.dead)
	}
	for i := 200; i < 300; i += 2 {
		c.noteDead(place(i), span{place(i + 1), place(i + 1)}, place(i-2).SequenceNumber)
	}
	if want := (span{place(299), place(299)}); len(c.dead) != 2 || c.dead[1] != want {
		t.Errorf("%v are remembered, want what comes after the checkpoint %v", c.dead, place(296))
	}
}
