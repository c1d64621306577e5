package prefix_test

import (
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/shardmill/shardmill/processors/prefix"
)

// The date path follows a prefix without expressions, with nothing between.
func ExamplePrefix_Evaluate() {
	tokyo, err := prefix.LoadZone("Asia/Tokyo")
	if err != nil {
		log.Fatal(err)
	}
	arrived := time.Date(2026, time.May, 4, 23, 30, 0, 0, time.UTC).In(tokyo)
	for _, s := range []string{"logs/", "logs", "day=!{timestamp:yyyy-MM-dd}/"} {
		p, err := prefix.Parse(s, prefix.Objects)
		if err != nil {
			log.Fatal(err)
		}
		before, err := p.Evaluate(prefix.Values{At: arrived})
		fmt.Println(before, err)
	}
	// Output:
	// logs/2026/05/05/08/ <nil>
	// logs2026/05/05/08/ <nil>
	// day=2026-05-05/ <nil>
}

// An error has what to do about it and, if Firehose refuses the prefix too, what
// it answers.
func ExampleParse() {
	_, err := prefix.Parse("logs/!{timestamp:HHH}/", prefix.Objects)
	if e, ok := errors.AsType[*prefix.Error](err); ok {
		fmt.Printf("remedy: %s\nFirehose: %s\n", e.Remedy, e.Rule)
	}
	_, err = prefix.Parse("../other", prefix.Objects)
	fmt.Println(err)
	// Output:
	// remedy: change the timestamp pattern "HHH": the letter H cannot stand there 3 times
	// Firehose: Invalid conversion character used in the value of the expression in Prefix
	// remove the ".." between slashes: to who reads keys as paths it names another place
}
