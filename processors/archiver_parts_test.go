package processors_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
)

// An archiver sets what it needs of its worker where nobody has, and refuses what
// would lose records.
func TestConfigure(t *testing.T) {
	t.Parallel()
	archiver, err := processors.New(config(), store{})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name          string
		given         kcl.Config
		tick, timeout time.Duration
	}{
		{"nothing is given", kcl.Config{}, time.Second, 140 * time.Second},
		{"a failover time", kcl.Config{FailoverTime: time.Minute}, time.Second, 4 * time.Minute},
		{"a call timeout of the default failover time", kcl.Config{CallTimeout: 10 * time.Second}, time.Second, 10 * time.Second},
		{"all is given", kcl.Config{TickInterval: time.Hour, CallTimeout: time.Minute}, time.Hour, time.Minute},
	} {
		c := row.given
		if err := archiver.Configure(&c); err != nil || c.TickInterval != row.tick || c.CallTimeout != row.timeout {
			t.Errorf("%s: tick %v, call timeout %v, %v", row.name, c.TickInterval, c.CallTimeout, err)
		}
	}
	giveUp := func(context.Context, kcl.DeadLetterInput) error { return nil }
	for _, row := range []struct {
		name       string
		given      kcl.Config
		deadLetter bool
		want       string
	}{
		{"dead letters", kcl.Config{DeadLetter: giveUp}, true, processors.ErrDeadLetter.Error()},
		{
			"a call ends before a write under it",
			kcl.Config{FailoverTime: time.Minute, CallTimeout: 59 * time.Second},
			false,
			`CallTimeout "59s": must be at least the failover time, 1m0s, within which a write of the lease row ends; leave it 0 for 4m0s`,
		},
		{"both", kcl.Config{DeadLetter: giveUp, CallTimeout: 9 * time.Second}, true, processors.ErrDeadLetter.Error() + "\n" +
			`CallTimeout "9s": must be at least the failover time, 10s, within which a write of the lease row ends; leave it 0 for 2m20s`},
	} {
		c := row.given
		err := archiver.Configure(&c)
		if err == nil || err.Error() != row.want || errors.Is(err, processors.ErrDeadLetter) != row.deadLetter {
			t.Errorf("%s: %v\nwant %s", row.name, err, row.want)
		}
		if c.TickInterval != 0 || c.CallTimeout != row.given.CallTimeout {
			t.Errorf("%s: it was changed: %+v", row.name, c)
		}
	}
}

// What a row says of a prepared cut can be read without an archiver.
func TestReadPrepared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := prepared(t, 9, 5, config(), theShard())
		cut, err := processors.ReadPrepared(w.row.pending.State)
		if err != nil || cut.Bucket != "b" || cut.Records == 0 || cut.Last != w.row.pending.At || cut.First.Compare(cut.Last) > 0 || cut.Key == "" {
			t.Errorf("%+v, %v", cut, err)
		}
	})
	if cut, err := processors.ReadPrepared([]byte("of another program")); err == nil {
		t.Errorf("another program's: %+v", cut)
	}
}
