package main

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/shardmill/shardmill/lease/leasedynamo"
	"github.com/shardmill/shardmill/localaws"
)

// A lease that cannot be read keeps no other shard from being archived, also by
// an archiver that starts beside it. Mended, it is taken, and nothing is missing.
func TestArchiveBesideAMalformedLease(t *testing.T) {
	t.Parallel()
	stack, env := serve(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	run := func(args ...string) string {
		t.Helper()
		cmd, out, errs := program(ctx, t, env, args...)
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v: %v, %s%s", args, err, out, errs)
		}
		return out.String()
	}
	run("put", "--stream", "orders", "--create-shards", "4", write(t, "in", strings.Repeat("some line\n", 4000)))
	setCheckpoint(t, stack, "shardId-000000000002", "?")

	file := write(t, "archiver.yaml", strings.ReplaceAll(goodConfig, "IntervalInSeconds: 60", "IntervalInSeconds: 1"))
	archiver, _, errs := program(ctx, t, env, "archive", "--config", file, "--worker-id", "me")
	if err := archiver.Start(); err != nil {
		t.Fatal(err)
	}
	until := func(good func(list string) bool) {
		t.Helper()
		for list := ""; !good(list); list = run("leases", "list", "--table", "orders") {
			time.Sleep(50 * time.Millisecond) // between two looks at another process
		}
	}
	const told = `shardId-000000000002 - - - - - - - - lease shardId-000000000002 cannot be read: attribute checkpoint is the string "?"`
	until(func(list string) bool {
		return strings.Contains(strings.Join(strings.Fields(list), " "), told) && strings.Count(list, " me ") == 3 && !strings.Contains(list, " TRIM_HORIZON  ")
	})
	if list := run("leases", "list", "--table", "orders", "--json"); !strings.Contains(list, `"unreadable":"lease shardId-000000000002 cannot be read: `) {
		t.Errorf("as JSON: %s", list)
	}
	if n := countLines(t, stack); n == 0 || n >= 4000 {
		t.Errorf("%d records in the objects; want those of three shards", n)
	}
	setCheckpoint(t, stack, "shardId-000000000002", "TRIM_HORIZON")
	until(func(list string) bool {
		return strings.Count(list, " me ") == 4 && !strings.Contains(list, " TRIM_HORIZON  ")
	})
	if err := archiver.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if _ = archiver.Wait(); archiver.ProcessState.ExitCode() != 143 {
		t.Errorf("exit %d\n%s", archiver.ProcessState.ExitCode(), errs)
	}
	if got := errs.String(); strings.Count(got, "leases cannot be read; their shards wait until the rows are mended") != 1 {
		t.Errorf("it is not told once:\n%s", got)
	}
	if n := countLines(t, stack); n != 4000 {
		t.Errorf("%d records in the objects, want 4000", n)
	}
}

// setCheckpoint does what an operator may do: it writes a lease by hand.
func setCheckpoint(t *testing.T, stack *localaws.Stack, key, checkpoint string) {
	t.Helper()
	client := dynamodb.NewFromConfig(stack.AWSConfig())
	table, err := leasedynamo.New(client, leasedynamo.Options{TableName: "orders"})
	if err == nil {
		err = table.Ensure(t.Context())
	}
	if err == nil {
		_, err = client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: aws.String("orders"), Key: map[string]types.AttributeValue{"leaseKey": &types.AttributeValueMemberS{Value: key}},
			UpdateExpression: aws.String("SET checkpoint = :c, checkpointSubSequenceNumber = :zero, ownerSwitchesSinceCheckpoint = :zero, leaseCounter = :zero"),
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":c": &types.AttributeValueMemberS{Value: checkpoint}, ":zero": &types.AttributeValueMemberN{Value: "0"},
			},
		})
	}
	if err != nil {
		t.Fatal(fmt.Errorf("lease %s: %w", key, err))
	}
}
