package processors

import (
	"context"
	"strings"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
	"github.com/shardmill/shardmill/processors/internal/spool"
	"github.com/shardmill/shardmill/processors/pipeline"
)

// WithSize returns c with a buffer size of n bytes.
func (c Config) WithSize(n int64) Config {
	c.sizeBytes = n
	return c
}

// WithUUID returns c with its UUIDs taken from f.
func (c Config) WithUUID(f func() exactlyonce.UUID) Config {
	c.newUUID = f
	return c
}

// LargestPlan is the plan by which New judges the names in c.
func (c Config) LargestPlan() exactlyonce.Plan {
	s, _ := c.settle() // the test asks for its error elsewhere
	return s.largestPlan()
}

// WithBackupSize returns c with a size of backup objects in bytes.
func (c Config) WithBackupSize(n int64) Config {
	b := *c.Backup
	b.sizeBytes = n
	c.Backup = &b
	return c
}

// Fill is what CloseReason decides on.
type Fill struct {
	Records, Bytes    int64
	Age               time.Duration
	Within            bool
	Pressure, NoSpool bool
}

// CloseReason is closeReason.
func CloseReason(f Fill, size int64, interval time.Duration) string {
	return closeReason(fill{f.Records, f.Bytes, f.Age, f.Within, f.Pressure, f.NoSpool}, size, interval)
}

// WithBatchSize returns c with a size of transforms' batches in bytes.
func (c Config) WithBatchSize(bytes int64) Config {
	c.batchSize = bytes
	return c
}

// Grown is grown.
func Grown(hint int64, behind, interval time.Duration) int64 { return grown(hint, behind, interval) }

// Output is an object that a cut's records became.
type Output struct {
	Body   string
	Backup bool
	Oldest time.Time
}

// Outputs returns the objects of a cut with backups of so many bytes, whose ith record
// becomes what change returns, or nothing.
func Outputs(t interface{ Fatal(args ...any) }, records []kcl.Record, delimiter string, backup int64, change func(i int, data []byte) []byte) (out []Output) {
	shop := &workshop{spools: spool.NewPool("", 1<<20)}
	o := shop.collect(&settings{lanes: []lane{{delimiter: delimiter}, {role: exactlyonce.Backup, size: backup}}}, &pace{}, nil)
	for i := range records {
		o.take(&records[i])
		if data := change(i, records[i].Data); data != nil {
			if err := o.add(context.Background(), &records[i], pipeline.Output{Data: data}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, x := range o.begun {
		var b strings.Builder
		if err := x.body(context.Background(), shop, exactlyonce.UUID{}, o.log, &b, make([]byte, 16)); err != nil {
			t.Fatal(err)
		}
		out = append(out, Output{b.String(), x.lane.role == exactlyonce.Backup, x.oldest})
	}
	return out
}
