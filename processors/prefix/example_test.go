package prefix_test

import (
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/shardmill/shardmill/processors/prefix"
)

// The date path follows a prefix with nothing between.
func ExamplePrefix_At() {
	arrived := time.Date(2026, time.May, 4, 23, 30, 0, 0, time.FixedZone("", -2*60*60))
	for _, s := range []string{"logs/", "logs"} {
		p, err := prefix.Parse(s, prefix.Objects)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(p.At(arrived)) // in UTC
	}
	// Output:
	// logs/2026/05/05/01/
	// logs2026/05/05/01/
}

// An error has what to do about it and, if Firehose refuses the prefix too, what
// it answers.
func ExampleParse() {
	_, err := prefix.Parse("logs/!{timestamp:yyyy}/", prefix.Objects)
	if e, ok := errors.AsType[*prefix.Error](err); ok {
		fmt.Printf("remedy: %s; refused by Firehose: %v\n", e.Remedy, e.Rule != "")
	}
	_, err = prefix.Parse("../other", prefix.Objects)
	fmt.Println(err)
	// Output:
	// remedy: expressions, !{…}, are not built yet; give a literal prefix; refused by Firehose: false
	// remove the ".." between slashes: to who reads keys as paths it names another place
}
