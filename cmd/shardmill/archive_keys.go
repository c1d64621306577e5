package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/prefix"
)

// exampleKey is the key of an object whose oldest record arrived at a time.
type exampleKey struct {
	At  time.Time `json:"at"`
	Key string    `json:"key"`
}

// instants returns when keys are interesting: at the time given, or now, in the
// last second of the month, and at New Year.
func instants(given instant, now time.Time) []time.Time {
	if given.set {
		return []time.Time{given.at}
	}
	now = now.UTC().Truncate(time.Second)
	month := time.Date(now.Year(), now.Month()+1, 1, 0, 0, -1, 0, time.UTC)
	year := time.Date(now.Year()+1, time.January, 1, 0, 0, 0, 0, time.UTC)
	return []time.Time{now, month, year}
}

// exampleKeys returns the keys that objects have at these times. In place of the values
// of partition keys they have the names, in braces.
func exampleKeys(c processors.Config, at []time.Time) ([]exampleKey, error) {
	example := c.ExampleKey
	if c.DynamicPartitioning != nil {
		example = func(at time.Time) (string, error) { return partitionedKey(c, at) }
	}
	var keys []exampleKey
	for _, each := range at {
		key, err := example(each)
		if err != nil {
			return nil, err
		}
		keys = append(keys, exampleKey{each, key})
	}
	return keys, nil
}

// partitionedKey returns the key of an object of a partition.
func partitionedKey(c processors.Config, at time.Time) (string, error) {
	p, err := prefix.Parse(c.Prefix, prefix.Objects)
	if err != nil {
		return "", err
	}
	zone, err := prefix.LoadZone(c.CustomTimeZone)
	if err != nil {
		return "", err
	}
	before, err := p.Evaluate(prefix.Values{
		At: at.In(zone), Random: rand.Uint64,
		FromQuery: inBraces(p, prefix.PartitionKeyFromQuery), FromLambda: inBraces(p, prefix.PartitionKeyFromLambda),
	})
	if err != nil {
		return "", err
	}
	// Without these, and without a Prefix, what stands before the name is a date.
	c.Prefix, c.Transform, c.RecordDeAggregation, c.DynamicPartitioning = "", nil, nil, nil
	dated, err := c.ExampleKey(at)
	if err != nil {
		return "", err
	}
	return before + dated[strings.LastIndexByte(dated, '/')+1:], nil
}

// inBraces returns the partition keys of a namespace that a prefix has, with their names in
// braces for values.
func inBraces(p prefix.Prefix, namespace string) map[string]string {
	keys := map[string]string{}
	for _, k := range p.PartitionKeys() {
		if k.Namespace == namespace {
			keys[k.Name] = "{" + k.Name + "}"
		}
	}
	return keys
}

// instant is the value of a flag.
type instant struct {
	at  time.Time
	set bool
}

// String is there for the package flag.
func (i *instant) String() string { return "" }

// Set reads a time.
func (i *instant) Set(s string) error {
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return fmt.Errorf("it must be a time such as 2016-02-25T13:00:00Z: %w", err)
	}
	i.at, i.set = at, true
	return nil
}
