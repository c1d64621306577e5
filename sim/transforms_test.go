package sim_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/transform"
)

// errorsPrefix is where the worlds that transform have what failed.
const errorsPrefix = "errors/"

// transforms has a world's archivers transform their records and divide them into
// hundreds of partitions.
func (w *world) transforms(m *machine, cfg *processors.Config) {
	cfg.Transform = &processors.Transform{
		Function: function{m},
		Hints:    processors.TransformHints{SizeInMBs: 0.2, IntervalInSeconds: w.dice().below(6, "batches", 0)},
		Timeout:  min(m.clocked(20*time.Second), 5*time.Minute),
	}
	cfg.Prefix, cfg.ErrorOutputPrefix = "k=!{partitionKeyFromLambda:k}/", errorsPrefix
	cfg.DynamicPartitioning = &processors.DynamicPartitioning{ActivePartitions: 1 + w.dice().below(400, "active partitions", 0)}
	if w.dice().below(2, "overflow", 0) == 0 {
		cfg.DynamicPartitioning.Overflow = processors.OverflowFinish
	}
	cfg.ParallelPuts = 1 // so that a world replays
}

// function is the transform on one machine. It is slow, fails, crashes and hangs; it
// forgets records, names them twice, and says what nobody understands. It never says the
// same of a record twice.
type function struct{ m *machine }

func (function) ARN() string { return "urn:sim" }

func (f function) Transform(ctx context.Context, b *transform.Batch) ([]transform.Result, error) {
	m, id := f.m, string(b.Records[0].Data)
	m.wait("transform " + id)
	takes := 3 * time.Second
	if m.w.calmed() {
		takes = 100 * time.Millisecond
	}
	if err := pause.For(ctx, m.upTo(takes, "transforming "+id)); err != nil {
		return nil, err
	}
	if !m.w.calmed() {
		switch m.dice.below(24, "what a transform does "+id, int64(time.Since(m.w.begun))) {
		case 0:
			m.w.count("transforms that fail")
			return nil, errors.New("the function failed")
		case 1:
			m.w.count("transforms that panic")
			panic("the function panicked")
		case 2:
			m.w.count("transforms that hang")
			<-ctx.Done()
			return nil, context.Cause(ctx)
		case 3:
			m.w.count("transforms that answer nothing")
			return nil, nil
		}
	}
	var results []transform.Result
	for _, r := range b.Records {
		results = append(results, f.says(r)...)
	}
	return results, nil
}

// says is what it says of a record.
func (f function) says(r transform.Record) []transform.Result {
	m, n := f.m, int64(time.Since(f.m.w.begun))
	good := transform.Result{
		ID: r.ID, Status: transform.Ok, Data: r.Data,
		PartitionKeys: map[string]string{"k": strconv.Itoa(m.dice.below(300, "partition of "+string(r.Data), n))},
	}
	switch m.dice.below(40, "result of "+string(r.Data), n) {
	case 0:
		m.w.drops(string(r.Data))
		return []transform.Result{{ID: r.ID, Status: transform.Dropped}}
	case 1:
		return []transform.Result{{ID: r.ID, Status: transform.ProcessingFailed}}
	case 2:
		return nil
	case 3:
		return []transform.Result{good, good}
	case 4:
		return []transform.Result{{ID: r.ID, Status: "?"}, {ID: "nobody's", Status: transform.Ok, Data: []byte("nobody's|")}}
	case 5:
		good.PartitionKeys = nil
	}
	return []transform.Result{good}
}

// drops notes that a record was said to be dropped: it may be nowhere, or where another
// call had it.
func (w *world) drops(record string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dropped == nil {
		w.dropped = map[string]bool{}
	}
	w.dropped[record] = true
}

// droppedRecords returns what drops was told.
func (w *world) droppedRecords() map[string]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.dropped)
}

// recordsIn returns the records of an object: what its body has, or, of one of records
// that failed, what its lines are about.
func recordsIn(key, body string) (records []string) {
	if strings.HasPrefix(key, errorsPrefix) {
		var all strings.Builder
		for line := range strings.Lines(body) {
			var l struct {
				RawData []byte `json:"rawData"`
			}
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				return []string{"no line of an error object: " + line}
			}
			all.WriteString(recordOf(string(l.RawData)))
		}
		body = all.String()
	}
	for record := range strings.SplitAfterSeq(body, "|") {
		if record != "" {
			records = append(records, record)
		}
	}
	return records
}
