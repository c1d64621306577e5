package checkpoint_test

import (
	"bytes"
	"testing"

	"github.com/shardmill/shardmill/checkpoint"
)

// TestDigits puts every byte at every place of a number.
func TestDigits(t *testing.T) {
	t.Parallel()
	if (checkpoint.ExtendedSequenceNumber{}).IsRecord() {
		t.Error("the empty text is taken for a number")
	}
	for length := 1; length <= 25; length++ {
		for at := range length {
			for c := range 256 {
				number := bytes.Repeat([]byte("7"), length)
				number[at] = byte(c)
				got := checkpoint.ExtendedSequenceNumber{SequenceNumber: string(number)}.IsRecord()
				if want := c >= '0' && c <= '9'; got != want {
					t.Fatalf("%q is taken for a number: %v", number, got)
				}
			}
		}
	}
}

// BenchmarkCompare is what telling a new record from one processed before
// costs.
func BenchmarkCompare(b *testing.B) {
	x := checkpoint.ExtendedSequenceNumber{SequenceNumber: "49590338271490256608559692538361571095921575989136588898"}
	y := checkpoint.ExtendedSequenceNumber{SequenceNumber: "49590338271490256608559692538361571095921575989136588899"}
	b.ReportAllocs()
	for b.Loop() {
		if x.Compare(y) >= 0 {
			b.Fatal("not before")
		}
	}
}
