package leasedynamo

import (
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/shardmill/shardmill/lease"
)

// expression collects the placeholders of one request. Every attribute gets
// one, since some names are reserved words.
type expression struct {
	names  map[string]string
	values item
}

func newExpression() *expression { return &expression{names: map[string]string{}, values: item{}} }

func (e *expression) name(attr string) string {
	e.names["#"+attr] = attr
	return "#" + attr
}

func (e *expression) value(label string, v types.AttributeValue) string {
	e.values[":"+label] = v
	return ":" + label
}

// placeholders returns the values, nil if there are none: the service refuses
// an empty map.
func (e *expression) placeholders() item {
	if len(e.values) == 0 {
		return nil
	}
	return e.values
}

func (e *expression) exists(attr string) string { return "attribute_exists(" + e.name(attr) + ")" }

func (e *expression) absent(attr string) string { return "attribute_not_exists(" + e.name(attr) + ")" }

// is is false for a row that is not there, so that no update makes one.
func (e *expression) is(attr string, v types.AttributeValue) string {
	return e.name(attr) + " = " + e.value("if_"+attr, v)
}

// heldAs is the condition that the row is held as l says. It asks for an owner,
// which Java's does not: a value that names another cannot write.
func (e *expression) heldAs(l lease.Lease) string {
	counter := e.is(leaseCounter, number(l.Counter)) + " AND "
	if l.CheckpointOwner != "" {
		return counter + e.is(checkpointOwner, text(l.CheckpointOwner))
	}
	return counter + e.is(leaseOwner, text(l.Owner)) + " AND " + e.absent(checkpointOwner)
}

// unchanged is heldAs, or of a lease without an owner the condition that it
// still has none, and its counter.
func (e *expression) unchanged(l lease.Lease) string {
	if l.Owner == "" && l.CheckpointOwner == "" {
		return e.is(leaseCounter, number(l.Counter)) + " AND " + e.absent(leaseOwner) + " AND " + e.absent(checkpointOwner)
	}
	return e.heldAs(l)
}

// update returns the update expression of c, nil if it changes nothing.
func (e *expression) update(c change) *string {
	var parts []string
	if len(c.set) > 0 {
		var sets []string
		for _, attr := range slices.Sorted(maps.Keys(c.set)) {
			sets = append(sets, e.name(attr)+" = "+e.value(attr, c.set[attr]))
		}
		parts = append(parts, "SET "+strings.Join(sets, ", "))
	}
	if len(c.remove) > 0 {
		var removes []string
		for _, attr := range c.remove {
			removes = append(removes, e.name(attr))
		}
		parts = append(parts, "REMOVE "+strings.Join(removes, ", "))
	}
	if len(parts) == 0 {
		return nil
	}
	s := strings.Join(parts, " ")
	return &s
}
