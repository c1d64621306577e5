package dynamodbd

import (
	"maps"
	"slices"
	"time"
)

const maxRowBytes = 400 * 1024

// table is a table with its indexes. It is used under the Server's lock.
type table struct {
	name        string
	arn         string
	id          string
	key         keySchema
	definitions []attributeDefinition
	created     time.Time
	activeAt    time.Time
	billing     billing
	protected   bool
	ttl         string // attribute; empty: disabled
	rows        rows
	indexes     []*index
}

// billing is how a table or index is paid for: on demand if there is no
// throughput.
type billing struct {
	throughput throughput
	onDemandAt time.Time
}

// index is a global secondary index.
type index struct {
	name       string
	key        keySchema
	projection projection
	throughput throughput
	activeAt   time.Time
	rows       rows
}

func (t *table) index(name string) *index {
	for _, ix := range t.indexes {
		if ix.name == name {
			return ix
		}
	}
	return nil
}

// building gives the index that is not ACTIVE yet, if there is one.
func (t *table) building(now time.Time) *index {
	for _, ix := range t.indexes {
		if now.Before(ix.activeAt) {
			return ix
		}
	}
	return nil
}

// write puts a row at its place, or with nil removes it, here and in the
// indexes. It returns how many rows of indexes it wrote.
func (t *table) write(now time.Time, place string, it Item) int {
	old := t.rows.get(place)
	t.rows.put(now, place, it)
	written := 0
	for _, ix := range t.indexes {
		written += ix.write(now, t.key, old, it)
	}
	return written
}

// write brings the index from one state of a row to the next.
func (ix *index) write(now time.Time, primary keySchema, before, next Item) int {
	written := 0
	from, to := ix.projected(primary, before), ix.projected(primary, next)
	if from != nil && to != nil && from.equal(to) {
		return 0
	}
	if from != nil && (to == nil || ix.place(primary, from) != ix.place(primary, to)) {
		ix.rows.put(now, ix.place(primary, from), nil)
		written++
	}
	if to != nil {
		ix.rows.put(now, ix.place(primary, to), to)
		written++
	}
	return written
}

// place is where a row is in the index.
func (ix *index) place(primary keySchema, it Item) string {
	return ix.key.encode(it) + primary.encode(it)
}

// projected gives what the index holds of a row; nil if the row is not in it.
func (ix *index) projected(primary keySchema, it Item) Item {
	if it == nil || !ix.key.complete(it) {
		return nil
	}
	if ix.projection.ProjectionType == projectAll {
		return it
	}
	part := primary.of(it)
	maps.Copy(part, ix.key.of(it))
	for _, name := range ix.projection.NonKeyAttributes {
		if v, ok := it[name]; ok {
			part[name] = v
		}
	}
	return part
}

// holds says that the index has the attribute.
func (ix *index) holds(primary keySchema, name string) bool {
	return ix.projection.ProjectionType == projectAll || primary.has(name) || ix.key.has(name) ||
		slices.Contains(ix.projection.NonKeyAttributes, name)
}

// backfill puts the rows of the table into a new index.
func (ix *index) backfill(now time.Time, t *table) {
	for _, e := range t.rows.list {
		ix.write(now, t.key, nil, e.item)
	}
}

// check refuses a row that the table cannot hold.
func (t *table) check(it Item, tooLarge string) error {
	if it.size() > maxRowBytes {
		return invalid("%s", tooLarge)
	}
	for name, v := range it {
		if name == "" {
			return invalidParam("Attribute name must not be empty") // DynamoDB has no attribute without a name
		}
		if v.depth() > maxDepth {
			return invalid("Nesting Levels have exceeded supported limits: Attributes Nested more than %d levels deep", maxDepth)
		}
	}
	for _, ix := range t.indexes {
		if err := ix.check(it); err != nil {
			return err
		}
	}
	return nil
}

const (
	maxDepth     = 32
	putTooLarge  = "Item size has exceeded the maximum allowed size"
	setTooLarge  = "Item size to update has exceeded the maximum allowed size"
	projectAll   = "ALL"
	projectKeys  = "KEYS_ONLY"
	projectNamed = "INCLUDE"
)

func (ix *index) check(it Item) error {
	for _, a := range ix.key.attributes() {
		v, ok := it[a.name]
		if !ok {
			continue
		}
		if v.Kind != a.kind {
			return invalidParam("Type mismatch for Index Key %s Expected: %s Actual: %s IndexName: %s", a.name, a.kind, v.Kind, ix.name)
		}
		if v.Text == "" {
			return invalid("One or more parameter values are not valid. A value specified for a secondary index key is not supported. "+
				"The AttributeValue for a key attribute cannot contain an empty string value. IndexName: %s, IndexKey: %s", ix.name, a.name)
		}
	}
	return nil
}
