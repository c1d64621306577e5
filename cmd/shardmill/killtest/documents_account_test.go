//go:build search

package killtest_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/kcl/kpl"
)

// indexed is what is known of a record: what the stream says, and where it was found.
type indexed struct {
	place    string // in the stream: SEQUENCE.SUBSEQUENCE
	arrival  time.Time
	inIndex  int
	inErrors int
	inBackup int
}

// index is where its document belongs.
func (r *indexed) index() string { return indexName + r.arrival.UTC().Format("-2006-01-02-15") }

// documentAccount is where each record was found.
type documentAccount struct {
	records []indexed // by number
	faults  []string
	indices map[string]int // documents
	codes   map[string]int // error lines
	objects map[string]int // by what they are
	retried int            // documents that failed after several tries
	kind    string         // TypeName
}

func (a *documentAccount) wrong(format string, args ...any) {
	a.faults = append(a.faults, fmt.Sprintf(format, args...))
}

// record returns what is known of a number.
func (a *documentAccount) record(n int, where string) *indexed {
	if n < 0 || n >= len(a.records) {
		a.wrong("%s: has number %d, which was not put", where, n)
		return &indexed{}
	}
	return &a.records[n]
}

// openDocuments reads the stream, whose records are numbered from 0 to below put.
func openDocuments(t *testing.T, api *kinesis.Client, shards []types.Shard, put int, kind string) *documentAccount {
	t.Helper()
	a := &documentAccount{records: make([]indexed, put), indices: map[string]int{}, codes: map[string]int{}, objects: map[string]int{}, kind: kind}
	for _, shard := range shards {
		iterator, err := api.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{
			StreamName: aws.String(streamName), ShardId: shard.ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
		})
		if err != nil {
			t.Fatal(err)
		}
		for next := iterator.ShardIterator; next != nil; {
			out, err := api.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: next})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range out.Records {
				a.stream(r)
			}
			if next = out.NextShardIterator; len(out.Records) == 0 && aws.ToInt64(out.MillisBehindLatest) == 0 {
				break
			}
		}
	}
	for n := range a.records {
		if a.records[n].place == "" {
			a.wrong("record %d is not in the stream", n)
		}
	}
	return a
}

// stream notes a record of the stream.
func (a *documentAccount) stream(r types.Record) {
	parts := [][]byte{r.Data}
	if kpl.IsAggregated(r.Data) {
		users, err := kpl.Split(nil, r.Data)
		if err != nil {
			a.wrong("the stream: %v", err)
		}
		parts = parts[:0]
		for _, u := range users {
			parts = append(parts, u.Data)
		}
	}
	for i, data := range parts {
		n := numberOf(data)
		known := a.record(n, "the stream")
		if known.place != "" || !bytes.Equal(data, dataOf(n)) {
			a.wrong("the stream: record %d is there twice, or not as it was put", n)
		}
		known.place, known.arrival = aws.ToString(r.SequenceNumber)+"."+strconv.Itoa(i), aws.ToTime(r.ApproximateArrivalTimestamp)
	}
}

// document notes a document that the cluster has.
func (a *documentAccount) document(h hit) {
	a.indices[h.Index]++
	n := numberOf(h.Source)
	r := a.record(n, h.Index)
	if r.inIndex++; r.inIndex > 1 {
		a.wrong("record %d is in the indices twice, again in %s as %s", n, h.Index, h.ID)
	}
	if nature := natureOf(n); nature != isDocument {
		a.wrong("record %d, %s, is in %s", n, nature, h.Index)
	}
	if h.Index != r.index() || h.ID != r.place || a.kind != "" && h.Kind != a.kind {
		a.wrong("record %d is in %s as %s %q; it must be in %s as %s", n, h.Index, h.Kind, h.ID, r.index(), r.place)
	}
	want := bytes.TrimSpace(dataOf(n))
	if bytes.Equal(h.Source, want) {
		return
	}
	var fields, put map[string]any
	if err := json.Unmarshal(h.Source, &fields); err != nil {
		a.wrong("record %d: %v", n, err)
	}
	if err := json.Unmarshal(want, &put); err != nil {
		a.wrong("record %d: %v", n, err)
	}
	if diff := cmp.Diff(put, fields); diff != "" {
		a.wrong("record %d (-put +indexed):\n%.1000s", n, diff)
	}
}

// bucket reads all objects.
func (a *documentAccount) bucket(t *testing.T, dir string) {
	t.Helper()
	eachObject(t, dir, func(key string, body []byte) {
		before, _, _ := strings.Cut(key, "/")
		a.objects[before]++
		switch before {
		case "all":
			a.backup(key, body)
		case "errors":
			a.failures(key, body)
		case "_shardmill": // a bundle of a late put
		default:
			a.wrong("%s: nothing has that prefix", key)
		}
	})
}

// backup notes the records of an object, one after the other as they were put.
func (a *documentAccount) backup(key string, body []byte) {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err == nil {
		body, err = io.ReadAll(z)
	}
	if err != nil || len(body) == 0 {
		a.wrong("%s: has %d bytes, %v", key, len(body), err)
	}
	for len(body) > 0 {
		n := numberOf(body)
		r := a.record(n, key)
		rest, is := bytes.CutPrefix(body, dataOf(n))
		if !is {
			a.wrong("%s: record %d is not as it was put", key, n)
			return
		}
		body = rest
		if r.inBackup++; r.inBackup > 1 {
			a.wrong("record %d is in the backup twice, again in %s", n, key)
		}
	}
}

// failure is a line of an error object.
type failure struct {
	Attempts   int    `json:"attemptsMade"`
	Arrival    int64  `json:"arrivalTimestamp"`
	Ended      int64  `json:"attemptEndingTimestamp"`
	Code       string `json:"errorCode"`
	Message    string `json:"errorMessage"`
	DocumentID string `json:"esDocumentId"`
	Index      string `json:"esIndexName"`
	Kind       string `json:"esTypeName"`
	Data       []byte `json:"rawData"`
}

// failures notes the lines of an error object.
func (a *documentAccount) failures(key string, body []byte) {
	folder := "errors/AmazonOpenSearchService-failed/"
	if a.kind != "" {
		folder = "errors/elasticsearch-failed/"
	}
	if !strings.HasPrefix(key, folder) {
		a.wrong("%s: is not in %s", key, folder)
	}
	for line := range bytes.Lines(body) {
		var f failure
		if err := json.Unmarshal(line, &f); err != nil {
			a.wrong("%s: %v", key, err)
			continue
		}
		a.codes[f.Code]++
		n := numberOf(f.Data)
		r := a.record(n, key)
		if r.inErrors++; r.inErrors > 1 {
			a.wrong("record %d is in error objects twice, again in %s", n, key)
		}
		a.failure(n, r, f)
	}
}

// failure checks what the line of a record says.
func (a *documentAccount) failure(n int, r *indexed, f failure) {
	nature, isSaid := natureOf(n), false
	switch {
	case nature.isMalformed():
		isSaid = f.Code == "OS.MalformedData" && f.Attempts == 0 && f.Message != ""
	case nature.isConflict():
		isSaid = f.Code == "400" && f.Attempts > 0 && strings.Contains(f.Message, "mapper_parsing_exception")
	}
	if f.Attempts > 1 {
		a.retried++
	}
	isOfKind := f.Kind == a.kind || nature.isMalformed() && f.Kind == "" // it was not known whether the cluster has types
	isSaid = isSaid && f.Arrival == r.arrival.UnixMilli() && f.Ended > 0 && f.DocumentID == r.place && f.Index == r.index() && isOfKind
	if put := dataOf(n); !isSaid || !bytes.Equal(f.Data, put) {
		f.Data = nil
		a.wrong("record %d, %s, failed with %+v; of the stream it is %s, arrived %v", n, nature, f, r.place, r.arrival.UTC())
	}
}

// check demands that each record is where it belongs, once.
func (a *documentAccount) check(t *testing.T) {
	t.Helper()
	lost, both := 0, 0
	natures := map[nature]int{}
	for n := range a.records {
		r, nature := &a.records[n], natureOf(n)
		natures[nature]++
		if r.inIndex+r.inErrors == 0 {
			lost++
			a.wrong("record %d, %s, is in no index and no error object", n, nature)
		}
		if r.inIndex > 0 && r.inErrors > 0 {
			both++
		}
		if r.inBackup != 1 {
			a.wrong("record %d is %d times in the backup", n, r.inBackup)
		}
	}
	t.Logf("%d records: %v; indices %v; error lines %v, %d after several tries; objects %v; %d in neither, %d in both; %d faults",
		len(a.records), natures, a.indices, a.codes, a.retried, a.objects, lost, both, len(a.faults))
	if a.retried == 0 && a.kind != "" { // else they fail at once
		t.Error("no document that failed was tried again")
	}
	if len(a.indices) < 2 {
		t.Errorf("all documents arrived within an hour: %v", a.indices)
	}
	for _, fault := range a.faults[:min(20, len(a.faults))] {
		t.Error(fault)
	}
}

// split returns how many records are in aggregated ones.
func (a *documentAccount) split() (n int) {
	for i := range a.records {
		if !strings.HasSuffix(a.records[i].place, ".0") {
			n++
		}
	}
	return n
}
