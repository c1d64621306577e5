package kcl_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
	"github.com/shardmill/shardmill/lease/leasedynamo"
)

// A whole program. A signal ends it cleanly: each processor may checkpoint, and
// the leases are free for others at once.
func ExampleWorker_Run_signals() {
	if err := runUntilSignal(); err != nil { // in func main
		log.Fatal(err) // a supervisor starts it again
	}
}

func runUntilSignal() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once

	logger, err := zap.NewProduction()
	if err != nil {
		return fmt.Errorf("logger: %w", err)
	}
	defer logger.Sync()
	cfg, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return fmt.Errorf("AWS configuration: %w", err)
	}
	source, err := kinesissource.New(kinesis.NewFromConfig(cfg), kinesissource.Options{StreamName: "words", Logger: logger})
	if err != nil {
		return err
	}
	table, err := leasedynamo.New(dynamodb.NewFromConfig(cfg), leasedynamo.Options{TableName: "word-printer", Logger: logger})
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	w, err := kcl.New(kcl.Config{
		ApplicationName: "word-printer",
		StreamName:      "words",
		WorkerID:        host + "-" + rand.Text(), // containers may share host name and process ID
		Source:          source,
		Leases:          table,
		ShutdownTimeout: 20 * time.Second, // less than what the supervisor waits before it kills
		Logger:          logger,           // without one nothing is told
	}, kcl.Handle(func(_ context.Context, shard kcl.ShardInfo, records []kcl.Record) error {
		for _, r := range records {
			fmt.Printf("%s %s\n", shard.ShardID, r.Data)
		}
		return nil
	}))
	if err != nil {
		return err
	}
	return w.Run(ctx)
}
