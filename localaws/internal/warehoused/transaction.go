package warehoused

import (
	"slices"

	"github.com/shardmill/shardmill/localaws/internal/sqlwire"
)

// transaction is what one has seen and done. Its session's goroutine uses it.
type transaction struct {
	id       int64
	seen     map[*table]view           // nil until the snapshot is taken
	added    map[*table][]row          // not committed
	deleted  map[*table]map[int64]bool // ids of rows that were committed before
	read     map[*table]bool
	undo     []func(*Server) // of what others see already
	onCommit []func(*Server)
}

// view is a table as a snapshot has it.
type view struct {
	rows    []row
	version int64
}

func (s *Server) begin() *transaction {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastTx++
	return &transaction{
		id: s.lastTx, added: make(map[*table][]row), deleted: make(map[*table]map[int64]bool), read: make(map[*table]bool),
	}
}

// snapshot fixes what a transaction sees, unless it is fixed.
func (s *Server) snapshot(tx *transaction) {
	if tx.seen != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	tx.seen = make(map[*table]view, len(s.tables))
	for _, t := range s.tables {
		tx.seen[t] = view{t.rows, t.version}
	}
}

// rows are those of a table that a transaction sees.
func (tx *transaction) rows(t *table) []row {
	tx.read[t] = true
	rows := tx.seen[t].rows
	if gone := tx.deleted[t]; len(gone) > 0 {
		rows = slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return gone[r.id] })
	}
	return append(slices.Clip(rows), tx.added[t]...)
}

// isolated is the error that another transaction came between.
func isolated(tx *transaction, t *table) error {
	return &sqlwire.Error{
		Code:    "40001",
		Message: "1023",
		Detail: "Serializable isolation violation on table - " + decimal(t.id) + ", transactions forming the cycle are: " +
			decimal(tx.id) + ", 0 (pid:0)",
	}
}

// mayWrite reports what forbids a transaction to write a table, which it holds.
func (s *Server) mayWrite(tx *transaction, t *table) error {
	if !s.options.Serializable || !tx.read[t] {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if tx.seen[t].version != t.version {
		return isolated(tx, t)
	}
	return nil
}

// insert adds rows.
func (s *Server) insert(tx *transaction, t *table, values [][]*string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range values {
		s.lastRow++
		tx.added[t] = append(tx.added[t], row{s.lastRow, v})
	}
}

// remove deletes rows that a transaction sees.
//
// Errors: 40001 if another deleted one of them since.
func (s *Server) remove(tx *transaction, t *table, ids map[int64]bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := len(tx.added[t])
	tx.added[t] = slices.DeleteFunc(tx.added[t], func(r row) bool { return ids[r.id] })
	found := own - len(tx.added[t])
	if tx.deleted[t] == nil {
		tx.deleted[t] = make(map[int64]bool)
	}
	for _, r := range t.rows {
		if ids[r.id] {
			tx.deleted[t][r.id] = true
			found++
		}
	}
	if found < len(ids) {
		return isolated(tx, t)
	}
	return nil
}

// commit has others see what a transaction did.
func (s *Server) commit(tx *transaction) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for t := range tx.added {
		s.apply(tx, t)
	}
	for t := range tx.deleted {
		s.apply(tx, t)
	}
	for _, f := range tx.onCommit {
		f(s)
	}
	s.locks.release(tx)
}

// apply changes a table as a transaction did; a second time it changes nothing. The caller
// holds mu.
func (s *Server) apply(tx *transaction, t *table) {
	added, gone := tx.added[t], tx.deleted[t]
	delete(tx.added, t)
	delete(tx.deleted, t)
	if len(added) == 0 && len(gone) == 0 {
		return
	}
	if len(gone) > 0 {
		t.rows = slices.DeleteFunc(slices.Clone(t.rows), func(r row) bool { return gone[r.id] })
	}
	t.rows = append(t.rows, added...)
	t.version++
}

// rollback undoes what a transaction did.
func (s *Server) rollback(tx *transaction) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range slices.Backward(tx.undo) {
		f(s)
	}
	s.locks.release(tx)
}
