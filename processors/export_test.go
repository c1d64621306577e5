package processors

import (
	"context"
	"time"

	"go.uber.org/zap"

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

// ErrorKey is the key of an object of records that failed.
func (c Config) ErrorKey(at time.Time, errorOutputType string) (string, error) {
	s, err := c.settle()
	if err != nil {
		return "", err
	}
	return s.names.errorKey(at, exactlyonce.NewUUID([16]byte{}), errorOutputType)
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

// Publisher returns the publish of a cut of several objects, each with its key as
// its content.
func Publisher(t interface{ Fatal(args ...any) }, a *Archiver, keys ...string) func(context.Context) error {
	log := zap.NewNop()
	sink := &objectSink{store: a.store, try: &tries{log: log}, every: time.Second, trusted: func() error { return nil }, log: log}
	p := &objects{sink: sink}
	for _, key := range keys {
		b, err := a.shop.open(a.settings.format, "", exactlyonce.NoDigest)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.write([]byte(key)); err != nil {
			t.Fatal(err)
		}
		p.list = append(p.list, &object{bucket: "b", key: key, id: exactlyonce.NewUUID([16]byte{1}), format: a.settings.format, body: b, ifAbsent: true})
	}
	return p.publish
}
