//go:build interop

package interop_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
)

var update = flag.Bool("update", false, "write the recordings in testdata/leases anew")

const (
	pendingTable = "java-pending"
	pendingFile  = "../testdata/leases/java-pending.json"
)

// pendingState is not text, so that a detour through a string would show.
var pendingState = []byte{0, 1, 0xff, '{', '"'}

// TestOurTableReadsWhatJavaPrepared has a Java worker checkpoint within
// aggregated records and prepare without ever committing, kills it, and reads
// what it left. The rows must be those recorded, but for what differs from run
// to run.
func TestOurTableReadsWhatJavaPrepared(t *testing.T) {
	t.Parallel()
	s := newStream(t, 3)
	var seq [3]string
	for i := range seq {
		seq[i] = s.putAggregated(t, i, 10)
	}
	steps := []string{
		"0:checkpoint:4",
		"1:checkpoint:4", "1:prepare:8:" + base64.StdEncoding.EncodeToString(pendingState),
		"2:prepare:10",
	}
	j := startJava(t, "java-1", pendingTable, s.name, "--failover-ms=3000", "--checkpoint-every=0", "--steps="+strings.Join(steps, ","))
	j.until(t, "every step", func(events []event) bool { return count(events, "step") == len(steps) })
	j.kill()

	got := map[string]lease.Lease{}
	leases, bad, err := openTable(t, pendingTable).List(t.Context())
	if err != nil || len(bad) > 0 {
		t.Fatal(bad, err)
	}
	for _, l := range leases {
		got[l.Key] = lease.Lease{Owner: l.Owner, Checkpoint: l.Checkpoint, Pending: l.Pending}
	}
	at := func(shard int, sub int64) checkpoint.ExtendedSequenceNumber {
		return checkpoint.ExtendedSequenceNumber{SequenceNumber: seq[shard], SubSequenceNumber: sub}
	}
	want := map[string]lease.Lease{
		*s.shards[0].ShardId: {Owner: "java-1", Checkpoint: checkpoint.Position{ExtendedSequenceNumber: at(0, 3)}},
		*s.shards[1].ShardId: {
			Owner: "java-1", Checkpoint: checkpoint.Position{ExtendedSequenceNumber: at(1, 3)},
			Pending: &checkpoint.Prepared{At: at(1, 7), State: pendingState},
		},
		*s.shards[2].ShardId: {
			Owner: "java-1", Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon),
			Pending: &checkpoint.Prepared{At: at(2, 9)},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the leases that Java left (-want +got):\n%s", d)
	}
	compareRecording(t)
}

func count(events []event, name string) (n int) {
	for _, e := range events {
		if e.Event == name {
			n++
		}
	}
	return n
}

// compareRecording compares the rows of the table with the recording, or makes
// it if told to. Of the values that each run gives anew only the type is
// compared.
func compareRecording(t *testing.T) {
	t.Helper()
	out, err := dynamoClient(t).Scan(t.Context(), &dynamodb.ScanInput{TableName: new(pendingTable)})
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]map[string]any, 0, len(out.Items))
	for _, item := range out.Items {
		rows = append(rows, wire(t, item))
	}
	slices.SortFunc(rows, func(a, b map[string]any) int {
		return strings.Compare(fmt.Sprint(a["leaseKey"]), fmt.Sprint(b["leaseKey"]))
	})
	if *update {
		writeRecording(t, rows)
	}
	b, err := os.ReadFile(pendingFile)
	if err != nil {
		t.Fatal(err)
	}
	var recorded map[string][]map[string]any
	if err := json.Unmarshal(b, &recorded); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(normal(t, recorded[pendingTable]), normal(t, rows)); d != "" {
		t.Errorf("the rows are not as recorded (-recorded +got):\n%s", d)
	}
}

// wire converts a row to DynamoDB JSON.
func wire(tb testing.TB, row map[string]types.AttributeValue) map[string]any {
	tb.Helper()
	out := map[string]any{}
	for name, value := range row {
		switch v := value.(type) {
		case *types.AttributeValueMemberS:
			out[name] = map[string]any{"S": v.Value}
		case *types.AttributeValueMemberN:
			out[name] = map[string]any{"N": v.Value}
		case *types.AttributeValueMemberB:
			out[name] = map[string]any{"B": v.Value}
		default:
			tb.Fatalf("attribute %s is a %T; Java writes none such", name, v)
		}
	}
	return out
}

// normal returns rows, as JSON reads them, without the values that each run
// gives anew.
func normal(tb testing.TB, rows []map[string]any) (out []map[string]map[string]any) {
	tb.Helper()
	b, err := json.Marshal(rows)
	if err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(b, &out); err != nil {
		tb.Fatal(err)
	}
	for _, row := range out {
		for _, name := range []string{"checkpoint", "pendingCheckpoint", "leaseCounter"} {
			for kind, v := range row[name] {
				if v != checkpoint.TrimHorizon {
					row[name][kind] = "of the run"
				}
			}
		}
	}
	return out
}

func writeRecording(t *testing.T, rows []map[string]any) {
	t.Helper()
	lines := make([][]byte, len(rows))
	for i, row := range rows {
		b, err := json.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}
		lines[i] = append([]byte("  "), b...)
	}
	file := fmt.Appendf(nil, "{\n %q: [\n%s\n ]\n}\n", pendingTable, bytes.Join(lines, []byte(",\n")))
	if err := os.WriteFile(pendingFile, file, 0o600); err != nil {
		t.Fatal(err)
	}
}
