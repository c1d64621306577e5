package dynamodbd

import "time"

const (
	maxBatchReads      = 100
	maxBatchWrites     = 25
	maxBatchReadsBytes = 16 << 20
)

// keysInput is what BatchGetItem reads from one table.
type keysInput struct {
	Keys                     []Item
	ConsistentRead           bool              `json:"ConsistentRead,omitempty"`
	ProjectionExpression     *string           `json:"ProjectionExpression,omitempty"`
	ExpressionAttributeNames map[string]string `json:"ExpressionAttributeNames,omitempty"`
}

type batchGetInput struct {
	RequestItems           map[string]keysInput
	ReturnConsumedCapacity string
}

type batchGetOutput struct {
	Responses        map[string][]Item
	UnprocessedKeys  map[string]keysInput
	ConsumedCapacity []consumption `json:"ConsumedCapacity,omitempty"`

	size int
}

func (s *Server) batchGetItem(in *batchGetInput) (any, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	out := &batchGetOutput{Responses: map[string][]Item{}, UnprocessedKeys: map[string]keysInput{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range sortedKeys(in.RequestItems) {
		units, err := s.readKeys(name, in.RequestItems[name], out)
		if err != nil {
			return nil, err
		}
		if c := consumed(in.ReturnConsumedCapacity, name, units); c != nil {
			out.ConsumedCapacity = append(out.ConsumedCapacity, *c)
		}
	}
	return out, nil
}

func (in *batchGetInput) check() error {
	if err := checkCapacity(in.ReturnConsumedCapacity); err != nil {
		return err
	}
	if len(in.RequestItems) == 0 {
		return errNull("requestItems")
	}
	total := 0
	for _, name := range sortedKeys(in.RequestItems) {
		if err := checkTableName("requestItems", name); err != nil {
			return err
		}
		n := len(in.RequestItems[name].Keys)
		if n == 0 {
			return invalid("The list of keys in RequestItems for BatchGetItem is required")
		}
		total += n
	}
	if total > maxBatchReads {
		return invalid("Too many items requested for the BatchGetItem call")
	}
	return nil
}

// readKeys reads the rows of one table and returns the units they cost. It is
// called under the lock.
func (s *Server) readKeys(name string, in keysInput, out *batchGetOutput) (float64, error) {
	paths, err := parsePaths(in.ProjectionExpression, in.ExpressionAttributeNames)
	if err != nil {
		return 0, err
	}
	t, err := s.usable(name)
	if err != nil {
		return 0, err
	}
	if err := t.checkDistinct(in.Keys); err != nil {
		return 0, err
	}
	units := 0.0
	out.Responses[name] = []Item{}
	for i, key := range in.Keys {
		if out.size > maxBatchReadsBytes {
			rest := in
			rest.Keys = in.Keys[i:]
			out.UnprocessedKeys[name] = rest
			break
		}
		it, err := s.read(name, key, in.ConsistentRead)
		if err != nil {
			return 0, err
		}
		units += readUnits(it.size(), in.ConsistentRead)
		out.size += it.size()
		if it != nil {
			out.Responses[name] = append(out.Responses[name], cut(it, paths))
		}
	}
	return units, nil
}

// checkDistinct refuses keys that are not of the table, or of which two are the
// same.
func (t *table) checkDistinct(keys []Item) error {
	places := map[string]bool{}
	for _, key := range keys {
		if err := t.key.check(key); err != nil {
			return err
		}
		place := t.key.encode(key)
		if places[place] {
			return errDuplicates()
		}
		places[place] = true
	}
	return nil
}

func errDuplicates() error { return invalid("Provided list of item keys contains duplicates") }

type writeRequest struct {
	PutRequest    *struct{ Item Item }
	DeleteRequest *struct{ Key Item }
}

func (r writeRequest) mutation(table string) (*mutation, error) {
	const operation = "BatchWriteItem"
	switch {
	case r.PutRequest != nil && r.PutRequest.Item != nil && r.DeleteRequest == nil:
		return &mutation{table: table, operation: operation, put: r.PutRequest.Item}, nil
	case r.DeleteRequest != nil && r.DeleteRequest.Key != nil && r.PutRequest == nil:
		return &mutation{table: table, operation: operation, key: r.DeleteRequest.Key, remove: true}, nil
	}
	return nil, invalid("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
}

type batchWriteInput struct {
	RequestItems                map[string][]writeRequest
	ReturnConsumedCapacity      string
	ReturnItemCollectionMetrics string
}

type batchWriteOutput struct {
	UnprocessedItems map[string][]writeRequest
	ConsumedCapacity []consumption `json:"ConsumedCapacity,omitempty"`
}

func (s *Server) batchWriteItem(in *batchWriteInput) (any, error) {
	mutations, err := in.mutations()
	if err != nil {
		return nil, err
	}
	units, err := s.writeAll(mutations)
	s.tell()
	if err != nil {
		return nil, err
	}
	out := batchWriteOutput{UnprocessedItems: map[string][]writeRequest{}}
	out.ConsumedCapacity = consumedByTable(in.ReturnConsumedCapacity, units)
	return out, nil
}

// consumedByTable gives the ConsumedCapacity of several tables.
func consumedByTable(asked string, units map[string]float64) []consumption {
	var all []consumption
	for _, name := range sortedKeys(units) {
		if c := consumed(asked, name, units[name]); c != nil {
			all = append(all, *c)
		}
	}
	return all
}

func (in *batchWriteInput) mutations() ([]*mutation, error) {
	if err := checkCapacity(in.ReturnConsumedCapacity); err != nil {
		return nil, err
	}
	if err := checkMetrics(in.ReturnItemCollectionMetrics); err != nil {
		return nil, err
	}
	if len(in.RequestItems) == 0 {
		return nil, errNull("requestItems")
	}
	var all []*mutation
	for _, name := range sortedKeys(in.RequestItems) {
		if err := checkTableName("requestItems", name); err != nil {
			return nil, err
		}
		if len(in.RequestItems[name]) == 0 {
			return nil, invalid("The batch write request list for a table cannot be null or empty: %s", name)
		}
		for _, r := range in.RequestItems[name] {
			m, err := r.mutation(name)
			if err != nil {
				return nil, err
			}
			all = append(all, m)
		}
	}
	if len(all) > maxBatchWrites {
		return nil, invalid("Too many items requested for the BatchWriteItem call")
	}
	return all, nil
}

// writeAll checks all mutations and then carries all of them out. It returns
// the units by table.
func (s *Server) writeAll(mutations []*mutation) (map[string]float64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	targets, err := s.targets(mutations, errDuplicates())
	if err != nil {
		return nil, err
	}
	for i, m := range mutations {
		if _, err := m.next(targets[i].table, nil); err != nil {
			return nil, err
		}
	}
	now := time.Now()
	units := map[string]float64{}
	for i, m := range mutations {
		units[m.table] += s.commit(now, targets[i].table, m.operation, targets[i].place, m.put).units
	}
	return units, nil
}

// target is where a mutation writes.
type target struct {
	table *table
	place string
}

// targets gives where the mutations write; two in one place are the error
// given. It is called under the lock.
func (s *Server) targets(mutations []*mutation, duplicate error) ([]target, error) {
	seen := map[target]bool{}
	targets := make([]target, len(mutations))
	for i, m := range mutations {
		t, err := s.usable(m.table)
		if err != nil {
			return nil, err
		}
		place, err := m.place(t)
		if err != nil {
			return nil, err
		}
		targets[i] = target{t, place}
		if seen[targets[i]] {
			return nil, duplicate
		}
		seen[targets[i]] = true
	}
	return targets, nil
}
