//go:build interop

package interop_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/lease/elected"
	"github.com/shardmill/shardmill/lease/leasedynamo"
)

// The job of loading a delivery stream has a lease in a table of its own. Workers of the
// Java KCL go on with the application's table, in which no row is of the job, while two of ours stand
// ready for it and one gives it up to the other.
func TestAJobLeavesTheApplicationsTableAlone(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"2.7.2", "3.5.1"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			table, s := "leases-"+rand.Text(), newStream(t, 2)
			j := startJavaOf(t, version, "java-a", table, s.name, fmt.Sprint("--failover-ms=", failover.Milliseconds()), "--checkpoint-every=1")
			j.wait(t, "initialize", 2)
			first, firstHas, stopFirst := standReady(t, table, "a")
			waitUntil(t, "the job to be done", firstHas)
			_, secondHas, _ := standReady(t, table, "b")

			checkpoints := func() int {
				events, _ := j.told()
				n := 0
				for _, e := range events {
					if e.Event == "checkpoint" {
						n++
					}
				}
				return n
			}
			for phase := range 3 {
				if phase == 1 {
					stopFirst()
					waitUntil(t, "the job to be done by the other", secondHas)
				}
				for shard := range s.shards {
					before := checkpoints()
					s.put(t, shard, fmt.Appendf(nil, "record %d", phase))
					waitUntil(t, "a checkpoint of the Java worker", func() bool { return checkpoints() > before })
				}
				wantNoJob(t, table, len(s.shards))
			}
			jobs, unreadable, err := openTable(t, table+"-shardmill").List(t.Context())
			if err != nil || len(unreadable) > 0 || len(jobs) != 1 || jobs[0].Key != job || jobs[0].Owner != "b" {
				t.Errorf("the jobs are %v, %v, %v", jobs, unreadable, err)
			}
			if status := first.Status(); status.Has || status.Err != nil {
				t.Errorf("the first one stands %+v", status)
			}
		})
	}
}

const job = "orders"

// standReady has a worker stand ready for the job of an application.
func standReady(t *testing.T, application, worker string) (role *elected.Role, has func() bool, stop func()) {
	t.Helper()
	jobs, err1 := leasedynamo.New(dynamoClient(t), leasedynamo.Options{TableName: application + "-shardmill"})
	role, err2 := elected.New(elected.Config{Table: jobs, Job: job, WorkerID: worker, FailoverTime: failover, Logger: zap.NewNop()})
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	var does atomic.Bool
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		role.Run(ctx, func(ctx context.Context, _ *elected.Term) error {
			does.Store(true)
			defer does.Store(false)
			<-ctx.Done()
			return nil
		})
	})
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return role, does.Load, stop
}

func waitUntil(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// wantNoJob fails the test unless the table has a row of each shard, none of the job, and
// nothing of ours in any.
func wantNoJob(t *testing.T, table string, shards int) {
	t.Helper()
	out, err := dynamoClient(t).Scan(t.Context(), &dynamodb.ScanInput{TableName: &table})
	if err != nil {
		t.Fatal(err)
	}
	leases := 0
	for _, row := range out.Items {
		key, _ := row["leaseKey"].(*ddb.AttributeValueMemberS)
		if key == nil {
			t.Errorf("a row without a key: %v", row)
			continue
		}
		if strings.HasPrefix(key.Value, "shardId-") {
			leases++
		}
		if strings.Contains(key.Value, job) {
			t.Errorf("the application's table has the row %q", key.Value)
		}
		for _, ours := range []string{"leaseOwnerInstance", "shardIdentity", "checkpointTimestamp", "leaseReleaseReason"} {
			if _, is := row[ours]; is {
				t.Errorf("the row %q has %s", key.Value, ours)
			}
		}
	}
	if leases != shards {
		t.Errorf("the application's table has %d leases, want %d", leases, shards)
	}
}
