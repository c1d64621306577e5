package processors_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
		{"all is given", kcl.Config{TickInterval: time.Hour, CallTimeout: time.Minute}, time.Hour, time.Minute},
	} {
		c := row.given
		if err := archiver.Configure(&c); err != nil || c.TickInterval != row.tick || c.CallTimeout != row.timeout {
			t.Errorf("%s: tick %v, call timeout %v, %v", row.name, c.TickInterval, c.CallTimeout, err)
		}
	}
	c := kcl.Config{DeadLetter: func(context.Context, kcl.DeadLetterInput) error { return nil }}
	if err := archiver.Configure(&c); !errors.Is(err, processors.ErrDeadLetter) {
		t.Errorf("a worker with dead letters: %v", err)
	}
}

// A parcel of several objects goes on with the one that failed; what is durable
// is not put again.
func TestAParcelGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(shelf)
		archiver, err := processors.New(config(), s)
		if err != nil {
			t.Fatal(err)
		}
		publish := processors.Publisher(t, archiver, "a ", "b ", "c ")
		puts := 0
		s.fail = func() error {
			if puts++; puts == 2 {
				return fmt.Errorf("the second put: %w", kcl.ErrLeaseLost)
			}
			return nil
		}
		if err := publish(t.Context()); !errors.Is(err, kcl.ErrLeaseLost) || !slices.Equal(s.words(), []string{"a"}) {
			t.Errorf("first: %v, the store has %v", err, s.words())
		}
		for range 2 {
			if err := publish(t.Context()); err != nil || !slices.Equal(s.words(), []string{"a", "b", "c"}) || puts != 4 {
				t.Errorf("then: %v, the store has %v after %d puts", err, s.words(), puts)
			}
		}
	})
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
