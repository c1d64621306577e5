package leasedynamo_test

import (
	"bytes"
	"testing"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease/leasedynamo"
)

func TestJavasPreparedCheckpointsAndSubSequenceNumbersAreRead(t *testing.T) {
	t.Parallel()
	type want struct {
		sub        int64 // of the checkpoint
		pending    bool
		pendingSub int64
		state      []byte
	}
	wants := map[string]want{
		"shardId-000000000000": {sub: 3},
		"shardId-000000000001": {sub: 3, pending: true, pendingSub: 7, state: []byte{0, 1, 0xff, '{', '"'}},
		"shardId-000000000002": {pending: true, pendingSub: 9},
	}
	rows := goldenTables(t, golden+"java-pending.json")["java-pending"]
	if len(rows) != len(wants) {
		t.Fatalf("got %d rows, want %d", len(rows), len(wants))
	}
	for _, row := range rows {
		l, err := leasedynamo.Decode(attributes(t, row))
		if err != nil {
			t.Fatal(err)
		}
		w := wants[l.Key]
		if got := l.Checkpoint.SubSequenceNumber; got != w.sub {
			t.Errorf("%s: got sub-sequence number %d, want %d", l.Key, got, w.sub)
		}
		pending := checkpoint.Prepared{}
		if l.Pending != nil {
			pending = *l.Pending
		}
		if (l.Pending != nil) != w.pending || pending.At.SubSequenceNumber != w.pendingSub || !bytes.Equal(pending.State, w.state) {
			t.Errorf("%s: got prepared checkpoint %+v, want sub-sequence number %d and state %q", l.Key, l.Pending, w.pendingSub, w.state)
		}
		if number := pending.At.SequenceNumber; w.pending && (len(number) != 56 || w.sub != 0 && number != l.Checkpoint.SequenceNumber) {
			t.Errorf("%s: got prepared sequence number %s; the checkpoint is %v", l.Key, number, l.Checkpoint)
		}
	}
}
