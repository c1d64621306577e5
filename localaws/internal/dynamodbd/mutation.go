package dynamodbd

import "time"

// mutation is one write of a row, or a check of one: the common form of all
// writing operations.
type mutation struct {
	table     string
	operation string
	key       Item   // of the row; nil: that of put
	put       Item   // the new row of a put
	update    update // of an update
	remove    bool   // a delete
	condition *node  // nil: none
	returnOld bool   // put the row into the error if the condition does not hold
}

// place checks the mutation against the table and gives the place of its row.
func (m *mutation) place(t *table) (string, error) {
	if m.key == nil {
		return t.key.encode(m.put), t.key.checkRow(m.put)
	}
	if err := t.key.check(m.key); err != nil {
		return "", err
	}
	for _, a := range m.update {
		if t.key.has(a.path[0].name) {
			return "", invalidParam("Cannot update attribute %s. This attribute is part of the key", a.path[0].name)
		}
	}
	return t.key.encode(m.key), nil
}

// next gives the row that the mutation leaves of old; nil for none.
func (m *mutation) next(t *table, old Item) (Item, error) {
	if m.condition != nil && !m.condition.holds(old) {
		if !m.returnOld {
			return nil, conditionFailed(nil)
		}
		return nil, conditionFailed(old)
	}
	switch {
	case m.remove:
		return nil, nil //nolint:nilnil // no row is what a delete leaves
	case m.put != nil:
		return m.put, t.check(m.put, putTooLarge)
	case m.update == nil:
		return old, nil // a check
	}
	if old == nil {
		old = m.key
	}
	next, err := m.update.apply(old)
	if err != nil {
		return nil, err
	}
	return next, t.check(next, setTooLarge)
}

// written is what became of a mutation.
type written struct {
	old, next Item
	units     float64
}

// mutate carries out one mutation. It tells OnWrite, so it is called without
// the lock.
func (s *Server) mutate(m *mutation) (written, error) {
	w, err := s.mutateLocked(m)
	s.tell()
	return w, err
}

func (s *Server) mutateLocked(m *mutation) (written, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.usable(m.table)
	if err != nil {
		return written{}, err
	}
	place, err := m.place(t)
	if err != nil {
		return written{}, err
	}
	old := t.rows.get(place)
	next, err := m.next(t, old)
	if err != nil {
		return written{}, err
	}
	return s.commit(time.Now(), t, m.operation, place, next), nil
}

// commit puts a row, or with nil removes it, and notes it for OnWrite. It is
// called under the lock.
func (s *Server) commit(now time.Time, t *table, operation, place string, next Item) written {
	old := t.rows.get(place)
	w := written{old: old, next: next, units: writeUnits(max(old.size(), next.size()))}
	if old == nil && next == nil {
		return w
	}
	w.units += float64(t.write(now, place, next))
	s.committed(Write{Table: t.name, Operation: operation, Old: old, New: next})
	return w
}
