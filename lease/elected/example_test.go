package elected_test

import (
	"context"
	"fmt"
	"log"

	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/elected"
)

// A job that one of all workers does. In production the table is leasedynamo's, of a name
// of its own, never that of an application's shards.
func ExampleRole_Run() {
	role, err := elected.New(elected.Config{Table: new(lease.Mem), Job: "orders", WorkerID: "worker-1"})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	role.Run(ctx, func(ctx context.Context, term *elected.Term) error {
		if err := term.CheckTrust(); err != nil { // before each step that another worker must not see
			return err
		}
		fmt.Println("does the job:", role.Status().Holder)
		stop()
		<-ctx.Done() // a job heeds its context
		return nil
	})
	fmt.Println("does it still:", role.Status().Has)
	// Output:
	// does the job: worker-1
	// does it still: false
}
