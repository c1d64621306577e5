package dynamodbd

import (
	"crypto/sha256"
	"strings"
)

const (
	maxHashKeyBytes  = 2048
	maxRangeKeyBytes = 1024
	partitionBytes   = 8 // of the hash that a row's key begins with
)

// keyAttribute is an attribute of a key; an absent range key has no name.
type keyAttribute struct {
	name string
	kind Kind
}

// keySchema is the primary key of a table, or the key of an index.
type keySchema struct {
	hash, sort keyAttribute
}

// attributes are the one or two attributes of the key.
func (k keySchema) attributes() []keyAttribute {
	if k.sort.name == "" {
		return []keyAttribute{k.hash}
	}
	return []keyAttribute{k.hash, k.sort}
}

func (k keySchema) has(name string) bool {
	return name == k.hash.name || name != "" && name == k.sort.name
}

// of gives the attributes of the key from a row.
func (k keySchema) of(it Item) Item {
	key := Item{}
	for _, a := range k.attributes() {
		if v, ok := it[a.name]; ok {
			key[a.name] = v
		}
	}
	return key
}

// complete says that the row has the key's attributes, in its types and not
// empty.
func (k keySchema) complete(it Item) bool {
	for _, a := range k.attributes() {
		if v, ok := it[a.name]; !ok || v.Kind != a.kind || v.Text == "" {
			return false
		}
	}
	return true
}

// encode gives the place of a row: rows sort by the hash of their hash key, as
// in DynamoDB's partitions, then by hash key, then by range key.
func (k keySchema) encode(it Item) string {
	place := k.partition(it[k.hash.name])
	if k.sort.name != "" {
		place += sortable(it[k.sort.name])
	}
	return place
}

// partition is what the places of all rows with one hash key begin with.
func (k keySchema) partition(hash Value) string {
	text := sortable(hash)
	sum := sha256.Sum256([]byte(text))
	return string(sum[:partitionBytes]) + text
}

// sortable encodes a key value: its bytes sort as the values do, and none
// begins with another.
func sortable(v Value) string { return sortablePrefix(v) + "\x00\x01" }

// sortablePrefix is what the encodings of all texts that begin with v begin
// with.
func sortablePrefix(v Value) string {
	text := v.Text
	if v.Kind == KindNumber {
		text = number(text).sortKey()
	}
	return strings.ReplaceAll(text, "\x00", "\x00\xff")
}

// after is the first place behind all places that begin with prefix.
func after(prefix string) string {
	b := []byte(prefix)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i]++; b[i] != 0 {
			return string(b[:i+1])
		}
	}
	return "" // behind everything
}

// check refuses a Key parameter that is not exactly the key.
func (k keySchema) check(key Item) error {
	attributes := k.attributes()
	if len(key) != len(attributes) {
		return errKeySchema()
	}
	for _, a := range attributes {
		v, ok := key[a.name]
		if !ok || v.Kind != a.kind {
			return errKeySchema()
		}
		if err := k.checkText(a, v); err != nil {
			return err
		}
	}
	return nil
}

func errKeySchema() error { return invalid("The provided key element does not match the schema") }

// checkRow refuses a row to put that has not the key.
func (k keySchema) checkRow(it Item) error {
	for _, a := range k.attributes() {
		v, ok := it[a.name]
		if !ok {
			return invalidParam("Missing the key %s in the item", a.name)
		}
		if v.Kind != a.kind {
			return invalidParam("Type mismatch for key %s expected: %s actual: %s", a.name, a.kind, v.Kind)
		}
		if err := k.checkText(a, v); err != nil {
			return err
		}
	}
	return nil
}

func (k keySchema) checkText(a keyAttribute, v Value) error {
	if v.Text == "" {
		what := "string"
		if v.Kind == KindBinary {
			what = "binary"
		}
		return invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty %s value. Key: %s",
			what, a.name)
	}
	if v.Kind == KindNumber {
		return nil
	}
	if a == k.hash && len(v.Text) > maxHashKeyBytes {
		return invalidParam("Size of hashkey has exceeded the maximum size limit of%d bytes", maxHashKeyBytes)
	}
	if a == k.sort && len(v.Text) > maxRangeKeyBytes {
		return invalidParam("Aggregated size of all range keys has exceeded the size limit of %d bytes", maxRangeKeyBytes)
	}
	return nil
}
