package dynamodbd

import "time"

// getInput names a row to read, and the parts of it.
type getInput struct {
	TableName                string
	Key                      Item
	ProjectionExpression     *string
	ExpressionAttributeNames map[string]string
}

// parse gives the paths to answer; nil for the whole row.
func (in *getInput) parse() ([]path, error) {
	if err := checkTableName("tableName", in.TableName); err != nil {
		return nil, err
	}
	if in.Key == nil {
		return nil, errNull("key")
	}
	return parsePaths(in.ProjectionExpression, in.ExpressionAttributeNames)
}

// parsePaths reads a projection expression that stands alone in its request.
func parsePaths(expression *string, names map[string]string) ([]path, error) {
	sc, err := newScope(expressionNames{ExpressionAttributeNames: names}, expression != nil)
	if err != nil || expression == nil {
		return nil, err
	}
	paths, err := parseProjection(*expression, sc)
	if err != nil {
		return nil, err
	}
	return paths, sc.finish()
}

// cut gives the asked parts of a row, the whole row if paths is nil. A row of
// which no part was asked for is still a row.
func cut(it Item, paths []path) Item {
	if paths == nil || it == nil {
		return it
	}
	if part := project(it, paths); part != nil {
		return part
	}
	return Item{}
}

// read gives a row by its key, nil if there is none. It is called under the
// lock.
func (s *Server) read(tableName string, key Item, consistent bool) (Item, error) {
	t, err := s.usable(tableName)
	if err != nil {
		return nil, err
	}
	if err := t.key.check(key); err != nil {
		return nil, err
	}
	return t.rows.seen(time.Now(), consistent).get(t.key.encode(key)), nil
}

type getItemInput struct {
	getInput

	ConsistentRead         bool
	ReturnConsumedCapacity string
}

type itemOutput struct {
	Item             *Item        `json:"Item,omitempty"`
	ConsumedCapacity *consumption `json:"ConsumedCapacity,omitempty"`
}

func (s *Server) getItem(in *getItemInput) (any, error) {
	paths, err := in.parse()
	if err != nil {
		return nil, err
	}
	if err := checkCapacity(in.ReturnConsumedCapacity); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	it, err := s.read(in.TableName, in.Key, in.ConsistentRead)
	if err != nil {
		return nil, err
	}
	units := readUnits(it.size(), in.ConsistentRead)
	return itemOutput{Item: answered(it, paths), ConsumedCapacity: consumed(in.ReturnConsumedCapacity, in.TableName, units)}, nil
}

// answered is the row as an answer carries it: left out if there is none.
func answered(it Item, paths []path) *Item {
	if it == nil {
		return nil
	}
	part := cut(it, paths)
	return &part
}
