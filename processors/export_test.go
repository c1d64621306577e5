package processors

import (
	"time"

	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
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
	Pressure, NoSpool bool
}

// CloseReason is closeReason.
func CloseReason(f Fill, size int64, interval time.Duration) string {
	return closeReason(fill{f.Records, f.Bytes, f.Age, f.Pressure, f.NoSpool}, size, interval)
}
