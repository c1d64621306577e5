package main

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/estimate"
	"github.com/shardmill/shardmill/processors"
)

// rate is the value of a flag: bytes a second, 0 if it was not given.
type rate int64

// unit is what a rate may be counted in.
type unit struct {
	name  string
	bytes float64
}

func units() []unit {
	return []unit{
		{"KiB", 1 << 10},
		{"MiB", 1 << 20},
		{"GiB", 1 << 30},
		{"kB", 1e3},
		{"KB", 1e3},
		{"MB", 1e6},
		{"GB", 1e9},
		{"B", 1}, // which the others end in
	}
}

// fastest is 1 TB/s.
const fastest = 1e12

// String is there for the package flag.
func (r *rate) String() string { return "" }

// Set reads a rate.
func (r *rate) Set(s string) error {
	number, each := strings.TrimSuffix(s, "/s"), 1.0
	for _, u := range units() {
		if rest, is := strings.CutSuffix(number, u.name); is {
			number, each = rest, u.bytes
			break
		}
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || math.IsNaN(n) || n*each < 1 || n*each > fastest {
		return errors.New("it must be a rate such as 5MiB/s, 800kB/s or 1200000, of 1 B/s to 1 TB/s")
	}
	*r = rate(math.Round(n * each))
	return nil
}

// takeShards takes --shards, if it is given.
func (c *configFlags) takeShards(f flags, shards int) error {
	given := false
	f.Visit(func(g *flag.Flag) { given = given || g.Name == "shards" })
	switch {
	case given && shards < 1:
		return usagef("archive: --shards is %d; it must be at least 1", shards)
	case given:
		c.shards = shards
	case c.offline && c.rate > 0:
		return usagef("archive: --rate needs to know how many shards there are, and --offline asks nobody; give --shards")
	}
	return nil
}

// estimate adds what comes of the rate that was asked about, and prints it unless JSON
// was asked for. shards is how many the stream has, 0 if that is not known.
func (found *checked) estimate(cfg config.Config, c configFlags, shards int, s stdio) {
	if c.rate == 0 {
		return
	}
	if c.shards > 0 {
		shards = c.shards
	}
	if shards == 0 {
		found.printEstimate(c, s, "not made, as the number of shards is not known; give --shards")
		return
	}
	delivery := cfg.Delivery
	if cfg.Transform != nil {
		delivery.Transform = &processors.Transform{} // that there is one
	}
	load := estimate.Load{BytesPerSecond: int64(c.rate), Shards: shards}
	if cfg.Documents != nil {
		load.RequestBytes = cfg.Documents.Cluster.WithDefaults().MaxRequestBytes
	}
	e := estimate.Of(delivery, load)
	found.Estimate = &e
	found.printEstimate(c, s, fmt.Sprintf("at %d bytes/s in %d shards, evenly: a cut of %d bytes every %.3g s in each shard", e.BytesPerSecond, e.Shards, e.CutBytes, e.CutSeconds))
	found.printEstimate(c, s, fmt.Sprintf("an hour: %d objects, %d objects of the backup, %d PUT requests, %d DELETE requests, %d writes of the lease table for checkpoints",
		e.Objects, e.BackupObjects, e.Puts, e.Deletes, e.TableWrites))
	if cfg.Documents != nil {
		found.printEstimate(c, s, fmt.Sprintf("an hour: %d requests to the cluster, if it takes bodies of %d bytes; of documents that fail nothing is estimated", e.BulkRequests, load.RequestBytes))
	}
	if delivery.DynamicPartitioning != nil {
		found.printEstimate(c, s, "objects and PUT requests are those of one partition; each that is active in a cut has its own")
	}
}

func (found *checked) printEstimate(c configFlags, s stdio, text string) {
	if !c.json {
		s.printf("%-11s  %s\n", "estimate", text)
	}
}
