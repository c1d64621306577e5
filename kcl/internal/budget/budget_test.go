package budget_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/shardmill/shardmill/kcl/internal/budget"
)

func TestReserveWaitsAtTheLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := budget.New(100)
		one, two := b.Open(), b.Open()
		must(t, one.Reserve(t.Context(), 80))
		must(t, two.Reserve(t.Context(), 80)) // it has nothing: it never waits
		got := make(chan error, 1)
		go func() { got <- one.Reserve(t.Context(), 10) }()
		synctest.Wait()
		if len(got) != 0 {
			t.Fatal("a second page was granted beyond the limit")
		}
		two.Close()
		synctest.Wait()
		must(t, <-got)
		one.Release(90)
		if used, _ := b.Used(); used != 0 {
			t.Errorf("%d bytes in use at the end", used)
		}
	})
}

func TestPressureGoesToTheLargestHolder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := budget.New(100)
		small, large, reader := b.Open(), b.Open(), b.Open()
		holdSmall, holdLarge := small.Holder(), large.Holder()
		holdSmall(20)
		holdLarge(70)
		must(t, reader.Reserve(t.Context(), 50))
		done := make(chan error, 1)
		go func() { done <- reader.Reserve(t.Context(), 50) }()
		synctest.Wait()
		if len(large.Pressure()) != 1 || len(small.Pressure()) != 0 {
			t.Fatalf("pressure on large %d, on small %d", len(large.Pressure()), len(small.Pressure()))
		}
		<-large.Pressure()
		holdLarge(0)
		holdSmall(0)
		synctest.Wait()
		must(t, <-done)
	})
}

func TestAbandonedReservationIsGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := budget.New(10)
		a := b.Open()
		must(t, a.Reserve(t.Context(), 10))
		stop := errors.New("stop")
		ctx, cancel := context.WithCancelCause(t.Context())
		got := make(chan error, 1)
		go func() { got <- a.Reserve(ctx, 5) }()
		synctest.Wait()
		cancel(stop)
		if err := <-got; !errors.Is(err, stop) {
			t.Errorf("Reserve = %v, want the cause of its context", err)
		}
		a.Release(10)
		if used, _ := b.Used(); used != 0 {
			t.Errorf("%d bytes in use at the end", used)
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
