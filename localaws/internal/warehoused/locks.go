package warehoused

import (
	"context"
	"maps"
)

// mode is how a transaction holds a table, until it ends. The greater one includes the
// lesser.
type mode int

const (
	reads  mode = iota + 1 // SELECT
	writes                 // COPY, INSERT, DELETE
	locked                 // LOCK, and what changes the table
)

// conflicts reports whether two transactions may not hold a table so at once.
func (m mode) conflicts(other mode) bool {
	return m == locked || other == locked || m == writes && other == writes
}

// locks are who holds which table, and who waits. The Server's mu guards them.
type locks struct {
	held    map[*table]map[*transaction]mode
	waiting map[*transaction]wish
	changed chan struct{} // closed when somebody gives a table up
}

type wish struct {
	table *table
	mode  mode
}

func newLocks() locks {
	return locks{make(map[*table]map[*transaction]mode), make(map[*transaction]wish), make(chan struct{})}
}

// blockers are the transactions that a wish has to wait for.
func (l *locks) blockers(tx *transaction, w wish) []*transaction {
	var list []*transaction
	for other, m := range l.held[w.table] {
		if other != tx && w.mode.conflicts(m) {
			list = append(list, other)
		}
	}
	return list
}

// deadlocked reports whether who waits for these transactions waits for himself.
func (l *locks) deadlocked(tx *transaction, blockers []*transaction) bool {
	seen := make(map[*transaction]bool)
	for len(blockers) > 0 {
		next := blockers[0]
		blockers = blockers[1:]
		if next == tx {
			return true
		}
		if w, waits := l.waiting[next]; waits && !seen[next] {
			seen[next] = true
			blockers = append(blockers, l.blockers(next, w)...)
		}
	}
	return false
}

// lock has a transaction hold a table, when it can be had.
//
// Errors: 40P01 if it would wait for ever; the cause of ctx.
func (s *Server) lock(ctx context.Context, tx *transaction, t *table, m mode) error {
	w := wish{t, m}
	for {
		s.mu.Lock()
		blockers := s.locks.blockers(tx, w)
		switch {
		case len(blockers) == 0:
			s.locks.take(tx, w)
			s.mu.Unlock()
			return nil
		case s.locks.deadlocked(tx, blockers):
			delete(s.locks.waiting, tx)
			s.mu.Unlock()
			return failure("40P01", "deadlock detected")
		}
		s.locks.waiting[tx] = w
		changed := s.locks.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			s.mu.Lock()
			delete(s.locks.waiting, tx)
			s.mu.Unlock()
			return context.Cause(ctx)
		}
	}
}

// take gives a transaction a table.
func (l *locks) take(tx *transaction, w wish) {
	delete(l.waiting, tx)
	if l.held[w.table] == nil {
		l.held[w.table] = make(map[*transaction]mode)
	}
	l.held[w.table][tx] = max(l.held[w.table][tx], w.mode)
}

// release ends what a transaction holds.
func (l *locks) release(tx *transaction) {
	delete(l.waiting, tx)
	for _, holders := range l.held {
		delete(holders, tx)
	}
	maps.DeleteFunc(l.held, func(_ *table, holders map[*transaction]mode) bool { return len(holders) == 0 })
	close(l.changed)
	l.changed = make(chan struct{})
}

// Waiting is how many transactions wait for a table.
func (s *Server) Waiting(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	count := 0
	for _, w := range s.locks.waiting {
		if w.table.name == name || w.table.String() == name {
			count++
		}
	}
	return count
}
