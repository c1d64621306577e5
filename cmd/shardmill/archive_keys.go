package main

import (
	"fmt"
	"time"

	"github.com/shardmill/shardmill/processors"
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

// exampleKeys returns the keys that objects have at these times.
func exampleKeys(c processors.Config, at []time.Time) ([]exampleKey, error) {
	var keys []exampleKey
	for _, each := range at {
		key, err := c.ExampleKey(each)
		if err != nil {
			return nil, err
		}
		keys = append(keys, exampleKey{each, key})
	}
	return keys, nil
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
