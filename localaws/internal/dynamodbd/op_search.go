package dynamodbd

import (
	"maps"
	"slices"
	"time"
)

const maxPageBytes = 1 << 20

// The values of Select.
const (
	selectAll       = "ALL_ATTRIBUTES"
	selectProjected = "ALL_PROJECTED_ATTRIBUTES"
	selectSpecific  = "SPECIFIC_ATTRIBUTES"
	selectCount     = "COUNT"
)

// searchInput are the parameters that Query and Scan have in common.
type searchInput struct {
	expressionNames

	TableName              string
	IndexName              *string
	Select                 string
	Limit                  *int
	ConsistentRead         bool
	ExclusiveStartKey      Item
	ReturnConsumedCapacity string
	ProjectionExpression   *string
	FilterExpression       *string
}

// search is a Query or Scan that was understood; from and to bound the places
// it looks at.
type search struct {
	paths    []path
	filter   *node
	keys     *node // of a query
	limit    int
	backward bool
	from, to string
}

type searchOutput struct {
	Items            *[]Item      `json:"Items,omitempty"`
	Count            int          `json:"Count"`
	ScannedCount     int          `json:"ScannedCount"`
	LastEvaluatedKey Item         `json:"LastEvaluatedKey,omitempty"`
	ConsumedCapacity *consumption `json:"ConsumedCapacity,omitempty"`
}

// parse checks the parameters and reads the expressions; key is the key
// condition, nil for a scan.
func (in *searchInput) parse(key *string) (*search, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	sc, err := newScope(in.expressionNames, key != nil || in.FilterExpression != nil || in.ProjectionExpression != nil)
	if err != nil {
		return nil, err
	}
	q := &search{}
	if q.limit, err = limitOf(in.Limit); err != nil {
		return nil, err
	}
	if key != nil {
		if q.keys, err = parseCondition(clauseKeyCondition, *key, sc); err != nil {
			return nil, err
		}
	}
	if in.FilterExpression != nil {
		if q.filter, err = parseCondition(clauseFilter, *in.FilterExpression, sc); err != nil {
			return nil, err
		}
	}
	if in.ProjectionExpression != nil {
		if q.paths, err = parseProjection(*in.ProjectionExpression, sc); err != nil {
			return nil, err
		}
	}
	return q, sc.finish()
}

func (in *searchInput) check() error {
	if err := checkTableName("tableName", in.TableName); err != nil {
		return err
	}
	if in.IndexName != nil {
		if err := checkTableName("indexName", *in.IndexName); err != nil {
			return err
		}
	}
	if err := checkCapacity(in.ReturnConsumedCapacity); err != nil {
		return err
	}
	if err := checkEnum("select", in.Select, selectSpecific, selectCount, selectAll, selectProjected); err != nil {
		return err
	}
	switch {
	case in.Select == selectProjected && in.IndexName == nil:
		return invalidParam("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
	case in.Select == selectSpecific && in.ProjectionExpression == nil:
		return invalidParam("Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES")
	case in.Select == selectCount && in.ProjectionExpression != nil:
		return invalid("Cannot specify the ProjectionExpression when choosing to get only the Count")
	case in.Select != "" && in.Select != selectSpecific && in.ProjectionExpression != nil:
		return invalid("Cannot specify the ProjectionExpression when choosing to get %s", in.Select)
	}
	return nil
}

// source is a table or one of its indexes, as rows to be searched.
type source struct {
	table *table
	index *index // nil: the table itself
	key   keySchema
	rows  *rows
}

// source gives what the request searches. It is called under the lock.
func (s *Server) source(in *searchInput) (*source, error) {
	t, err := s.usable(in.TableName)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	if in.IndexName == nil {
		return &source{table: t, key: t.key, rows: t.rows.seen(now, in.ConsistentRead)}, nil
	}
	ix := t.index(*in.IndexName)
	switch {
	case ix == nil:
		return nil, invalid("The table does not have the specified index: %s", *in.IndexName)
	case in.ConsistentRead:
		return nil, invalid("Consistent reads are not supported on global secondary indexes")
	case now.Before(ix.activeAt):
		return nil, invalid("Cannot read from backfilling global secondary index: %s", ix.name)
	case in.Select == selectAll && ix.projection.ProjectionType != projectAll:
		return nil, invalidParam("Select type ALL_ATTRIBUTES is not supported for global secondary index %s because its projection type is not ALL",
			ix.name)
	}
	return &source{table: t, index: ix, key: ix.key, rows: ix.rows.seen(now, false)}, nil
}

// checkAttributes refuses expressions about attributes that the index does not
// have.
func (src *source) checkAttributes(q *search) error {
	if src.index == nil {
		return nil
	}
	for _, p := range q.paths {
		if !src.index.holds(src.table.key, p[0].name) {
			return invalidParam("Global secondary index %s does not project %s", src.index.name, p[:1])
		}
	}
	for _, name := range q.filter.attributes() {
		if !src.index.holds(src.table.key, name) {
			return invalidParam("Secondary index %s does not project one or more filter attributes: [%s]", src.index.name, name)
		}
	}
	return nil
}

// attributes are the names of the attributes that a condition is about, in
// order of appearance.
func (n *node) attributes() []string {
	if n == nil {
		return nil
	}
	var names []string
	if n.kind == nodePath {
		names = append(names, n.path[0].name)
	}
	for _, arg := range n.args {
		names = append(names, arg.attributes()...)
	}
	return names
}

// rowKey is what identifies a row to start behind: the table's key, and in an
// index also the index's.
func (src *source) rowKey(it Item) Item {
	key := src.table.key.of(it)
	maps.Copy(key, src.key.of(it))
	return key
}

// startAt checks an ExclusiveStartKey and gives its place.
func (src *source) startAt(start Item) (string, error) {
	want := len(src.table.key.attributes())
	for _, a := range src.key.attributes() {
		if src.index != nil && !src.table.key.has(a.name) {
			want++
		}
	}
	if len(start) != want || !src.table.key.complete(start) || !src.key.complete(start) {
		return "", invalid("The provided starting key is invalid")
	}
	if src.index == nil {
		return src.key.encode(start), nil
	}
	return src.index.place(src.table.key, start), nil
}

// run looks at the rows until the page is full.
func (src *source) run(q *search, in *searchInput) (*searchOutput, error) {
	if err := src.checkAttributes(q); err != nil {
		return nil, err
	}
	if err := src.resume(q, in.ExclusiveStartKey); err != nil {
		return nil, err
	}
	found := src.rows.between(q.from, q.to)
	items := []Item{}
	out := &searchOutput{}
	size := 0
	for i := range found {
		it := found[i].item
		if q.backward {
			it = found[len(found)-1-i].item
		}
		size += it.size()
		out.ScannedCount++
		if q.filter == nil || q.filter.holds(it) {
			out.Count++
			items = append(items, cut(it, q.paths))
		}
		if out.ScannedCount == q.limit || size >= maxPageBytes && i < len(found)-1 {
			out.LastEvaluatedKey = src.rowKey(it)
			break
		}
	}
	if in.Select != selectCount {
		out.Items = &items
	}
	out.ConsumedCapacity = consumed(in.ReturnConsumedCapacity, in.TableName, readUnits(size, in.ConsistentRead))
	return out, nil
}

// resume narrows the search to what lies behind the start key.
func (src *source) resume(q *search, start Item) error {
	if start == nil {
		return nil
	}
	place, err := src.startAt(start)
	if err != nil {
		return err
	}
	if place < q.from || q.to != "" && place >= q.to {
		return invalid("The provided starting key is outside query boundaries based on provided conditions")
	}
	if q.backward {
		q.to = place
	} else {
		q.from = place + "\x00" // the next place there can be
	}
	return nil
}

type scanInput struct {
	searchInput

	Segment       *int
	TotalSegments *int
}

const maxSegments = 1_000_000

func (in *scanInput) checkSegments() error {
	switch {
	case in.Segment == nil && in.TotalSegments == nil:
		return nil
	case in.Segment == nil:
		return invalid("The Segment parameter is required but was not present in the request when parameter TotalSegments is present")
	case in.TotalSegments == nil:
		return invalid("The TotalSegments parameter is required but was not present in the request when Segment parameter is present")
	case *in.TotalSegments < 1 || *in.TotalSegments > maxSegments:
		return invalid("1 validation error detected: Value '%d' at 'totalSegments' failed to satisfy constraint: "+
			"Member must have value between 1 and %d", *in.TotalSegments, maxSegments)
	case *in.Segment < 0:
		return invalid("1 validation error detected: Value '%d' at 'segment' failed to satisfy constraint: "+
			"Member must have value greater than or equal to 0", *in.Segment)
	case *in.Segment >= *in.TotalSegments:
		return invalid("The Segment parameter is zero-based and must be less than parameter TotalSegments: "+
			"Segment: %d is not less than TotalSegments: %d", *in.Segment, *in.TotalSegments)
	}
	return nil
}

func (s *Server) scan(in *scanInput) (any, error) {
	if err := in.checkSegments(); err != nil {
		return nil, err
	}
	q, err := in.parse(nil)
	if err != nil {
		return nil, err
	}
	if in.TotalSegments != nil && *in.TotalSegments > 1 {
		q.from = segmentStart(*in.Segment, *in.TotalSegments)
		q.to = segmentStart(*in.Segment+1, *in.TotalSegments)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	src, err := s.source(&in.searchInput)
	if err != nil {
		return nil, err
	}
	return src.run(q, &in.searchInput)
}

// segmentStart is the first place of a segment: segments are equal parts of the
// hashes that places begin with. The place behind the last segment is the end.
func segmentStart(segment, total int) string {
	if segment == total {
		return ""
	}
	// 2^64 × segment / total, in bytes; the remainder carries on to the next
	// byte.
	start := make([]byte, 0, partitionBytes)
	for range partitionBytes {
		segment *= 256
		start = append(start, byte(segment/total))
		segment %= total
	}
	return string(start)
}

type queryInput struct {
	searchInput

	KeyConditionExpression *string
	ScanIndexForward       *bool
}

func (s *Server) query(in *queryInput) (any, error) {
	if in.KeyConditionExpression == nil {
		return nil, invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	q, err := in.parse(in.KeyConditionExpression)
	if err != nil {
		return nil, err
	}
	q.backward = in.ScanIndexForward != nil && !*in.ScanIndexForward
	s.mu.Lock()
	defer s.mu.Unlock()
	src, err := s.source(&in.searchInput)
	if err != nil {
		return nil, err
	}
	if q.from, q.to, err = src.key.bounds(q.keys); err != nil {
		return nil, err
	}
	for _, a := range src.key.attributes() {
		if slices.Contains(q.filter.attributes(), a.name) {
			return nil, invalid("Filter Expression can only contain non-primary key attributes: Primary key attribute: %s", a.name)
		}
	}
	return src.run(q, &in.searchInput)
}
