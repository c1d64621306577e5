package command_test

import (
	"context"
	"fmt"
	"log"

	"github.com/shardmill/shardmill/processors/transform"
	"github.com/shardmill/shardmill/processors/transform/command"
)

// A program that answers as docs/transforms.md shows.
func Example() {
	c, err := command.New(command.Options{
		Argv:      []string{"python3", "-u", "/etc/shardmill/transform.py"},
		MemoryMBs: 500,
		Processes: 4,
	})
	if err != nil {
		log.Fatal(err) // it says which option is wrong
	}
	defer c.Close() // when the worker's Run has returned
	if err := c.Check(); err != nil {
		log.Fatal(err)
	}

	// An archiver does this for each batch.
	outcomes, err := transform.NewRunner(c, transform.Options{Retries: 3}).Run(context.Background(), []transform.Record{{Data: []byte("one")}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(outcomes[0].Failure, string(outcomes[0].Data))
}
