//go:build kill || search || redshift

package killtest_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/shardmill/shardmill/kcl/kpl"
)

func (s *services) shards(t *testing.T) []types.Shard {
	t.Helper()
	var all []types.Shard
	for in := (&kinesis.ListShardsInput{StreamName: aws.String(streamName)}); ; {
		out, err := s.kinesis.ListShards(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, out.Shards...); out.NextToken == nil {
			return all
		}
		in = &kinesis.ListShardsInput{NextToken: out.NextToken}
	}
}

// isArchived reports whether the leases say that nothing is left to archive.
func (s *services) isArchived(t *testing.T) bool {
	t.Helper()
	leases := s.leases(t)
	for _, shard := range s.shards(t) {
		l, there := leases[aws.ToString(shard.ShardId)]
		switch {
		case shard.SequenceNumberRange.EndingSequenceNumber != nil:
			if there && l.checkpoint != shardEnd {
				return false
			}
		case !there || l.pending || !s.isLast(t, shard, l.checkpoint):
			return false
		}
	}
	return true
}

// isLast reports whether a checkpoint names the last record of a shard.
func (s *services) isLast(t *testing.T, shard types.Shard, checkpoint string) bool {
	t.Helper()
	sequence, sub, _ := strings.Cut(checkpoint, "/")
	in := &kinesis.GetShardIteratorInput{StreamName: aws.String(streamName), ShardId: shard.ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon}
	if sequence != "TRIM_HORIZON" {
		in.ShardIteratorType, in.StartingSequenceNumber = types.ShardIteratorTypeAtSequenceNumber, &sequence
	}
	iterator, err := s.kinesis.GetShardIterator(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.kinesis.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: iterator.ShardIterator, Limit: aws.Int32(2)})
	if err != nil {
		t.Fatal(err)
	}
	if sequence == "TRIM_HORIZON" {
		return len(out.Records) == 0
	}
	if len(out.Records) != 1 {
		return false
	}
	last := 0
	if kpl.IsAggregated(out.Records[0].Data) {
		users, err := kpl.Split(nil, out.Records[0].Data)
		if err != nil {
			t.Fatal(err)
		}
		last = len(users) - 1
	}
	return sub == strconv.Itoa(last)
}

// finish waits until everything is archived and ends the archivers in order.
func (a *archivers) finish(within time.Duration) {
	a.t.Helper()
	eventually(a.t, "everything to be archived", within, func() bool { return a.s.isArchived(a.t) })
	a.end()
}

// end ends the archivers in order.
func (a *archivers) end() {
	a.t.Helper()
	for _, p := range a.slots {
		eventually(a.t, p.name+" to begin", patience, func() bool {
			if p.diedByItself() {
				a.t.Fatalf("%s ended with %v", p.name, p.err)
			}
			return p.hasBegun()
		})
	}
	for _, p := range a.slots {
		p.signal(syscall.SIGTERM)
	}
	for _, p := range a.slots {
		p.finish(a.t, patience, 128+int(syscall.SIGTERM))
	}
}

// summary is the last line of truth.py.
type summary struct {
	Shards          int   `json:"shards"`
	Records         int64 `json:"records"`
	Bytes           int64 `json:"bytes"`
	SplitAggregates int   `json:"objects_that_split_an_aggregate"`
	Refused         int   `json:"writes_refused"`
	Objects         int   `json:"objects"`
	ObjectBytes     int64 `json:"object_bytes"`
	Delivered       int64 `json:"delivered"`
	Missing         int64 `json:"missing"`
	Twice           int64 `json:"twice"`
	TwoContents     int   `json:"keys_with_two_contents"`
	Problems        int   `json:"problems"`
	Uploads         int   `json:"uploads_in_parts"`
}

// readTruth runs truth.py.
func readTruth(t *testing.T, s *services) (sum summary, text string, err error) {
	t.Helper()
	script := exec.CommandContext(t.Context(), "python3", "truth.py",
		"--endpoint", s.endpoint, "--stream", streamName, "--objects", filepath.Join(s.dir, bucket))
	out, err := script.CombinedOutput()
	text = strings.TrimSpace(string(out))
	last := text[strings.LastIndexByte(text, '\n')+1:]
	if jsonErr := json.Unmarshal([]byte(last), &sum); jsonErr != nil {
		t.Fatalf("truth.py: %v, %v:\n%s", err, jsonErr, text)
	}
	return sum, text, err
}

func checkTruth(t *testing.T, s *services) summary {
	t.Helper()
	sum, text, err := readTruth(t, s)
	t.Logf("the truth:\n%s", text)
	if err != nil {
		t.Errorf("truth.py found faults: %v", err)
	}
	return sum
}

// checkLogs counts what the archivers warned of, and fails on their errors, but for those
// of expected messages, and panics.
func checkLogs(t *testing.T, dir string, expected ...string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "archiver-*.log"))
	if err != nil {
		t.Fatal(err)
	}
	counts := make(map[string]int)
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
			countLine(t, name, lines.Bytes(), counts, expected)
		}
	}
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%5d log lines: %s", counts[what], what)
	}
}

func countLine(t *testing.T, name string, text []byte, counts map[string]int, expected []string) {
	t.Helper()
	var line struct {
		Level string `json:"level"`
		Msg   string `json:"msg"`
		Found *bool  `json:"found"`
	}
	if bytes.HasPrefix(text, []byte("SDK ")) {
		counts["of the SDK's own logger"]++
		return
	}
	if bytes.Contains(text, []byte("will be by the next worker")) {
		counts["shut down before everything was delivered"]++
		return
	}
	if err := json.Unmarshal(text, &line); err != nil {
		t.Errorf("%s: %s", name, text) // a panic, or the error that the program ends with
		return
	}
	switch {
	case line.Level == "error" && slices.Contains(expected, line.Msg):
		counts["error: "+line.Msg]++
	case line.Level == "error":
		t.Errorf("%s: %s", name, text)
	case line.Found != nil:
		counts[fmt.Sprintf("%s: %s, the object was there: %v", line.Level, line.Msg, *line.Found)]++
	case line.Level == "warn":
		counts["warn: "+line.Msg]++
	}
}
