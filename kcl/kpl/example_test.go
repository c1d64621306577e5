package kpl_test

import (
	"errors"
	"fmt"
	"log"

	"github.com/shardmill/shardmill/kcl/kpl"
)

// A producer packs small records, so that many cost as one.
func ExampleAggregator() {
	var a kpl.Aggregator
	var puts int
	put := func() {
		if a.Len() == 0 {
			return
		}
		// PutRecord with this data, a.PartitionKey and, if there is one,
		// a.ExplicitHashKey. A record that fails is put again as a whole.
		data := a.Append(nil)
		puts++
		fmt.Printf("put %d: %d user records in %d bytes under %q\n", puts, a.Len(), len(data), a.PartitionKey())
		a.Reset()
	}

	a.MaxBytes = 64 // default: the 1 MiB that a stream takes
	for _, word := range []string{"to", "be", "or"} {
		u := kpl.UserRecord{PartitionKey: "user-" + word, Data: []byte(word)}
		if a.Add(u) {
			continue
		}
		put()
		if !a.Add(u) {
			log.Fatal("too large to be aggregated: put it by itself")
		}
	}
	put()
	// Output:
	// put 1: 2 user records in 54 bytes under "user-to"
	// put 2: 1 user records in 37 bytes under "user-or"
}

// A consumer without a worker takes records apart. What is no aggregated record,
// or a damaged one, is one record like any other.
func ExampleSplit() {
	var a kpl.Aggregator
	a.Add(kpl.UserRecord{PartitionKey: "a", Data: []byte("to")})
	a.Add(kpl.UserRecord{PartitionKey: "b", Data: []byte("be")})

	for _, data := range [][]byte{a.Append(nil), []byte("or")} {
		users, err := kpl.Split(nil, data)
		switch {
		case errors.Is(err, kpl.ErrPlain):
			fmt.Printf("plain: %s\n", data)
		case err != nil: // it looked like one
			log.Printf("%v; it is taken as one record", err)
		}
		for i, u := range users {
			fmt.Printf("user record %d: %s under %s\n", i, u.Data, u.PartitionKey)
		}
	}
	// Output:
	// user record 0: to under a
	// user record 1: be under b
	// plain: or
}

// After a reshard a record may hold user records that belong to another shard.
// The KPL puts those again, and nobody else does: of others' records they are
// delivered, or they would be lost.
func ExampleSplitter() {
	var a kpl.Aggregator
	for _, key := range []string{"x", "y", "z"} {
		a.Add(kpl.UserRecord{PartitionKey: key, Data: []byte("of " + key)})
	}
	const partitionKey = "a" // of the record that was put: the KPL's for all that it packs
	lower, err := kpl.ParseHashRange("0", "170141183460469231731687303715884105727")
	if err != nil {
		log.Fatal(err)
	}

	s, err := kpl.NewSplitter(a.Append(nil))
	if err != nil {
		log.Fatal(err)
	}
	again := s.IsKPL(partitionKey) // ask before the first Next
	for u, ok := s.Next(); ok; u, ok = s.Next() {
		inside := lower.Contains(u)
		fmt.Printf("%s: inside %v, deliver %v\n", u.Data, inside, inside || !again)
	}
	// Output:
	// of x: inside false, deliver false
	// of y: inside true, deliver true
	// of z: inside false, deliver false
}
