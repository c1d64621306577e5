package config

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/esarchive"
	"github.com/shardmill/shardmill/processors/prefix"
)

// Pipeline says what is done with each record, in the order in which it is done. That
// is Firehose's, in whatever order a file has the processors.
func (c Config) Pipeline() []string {
	d := c.Delivery
	steps := []string{"KPL de-aggregation"}
	if d.Decompression {
		steps = append(steps, "Decompression")
	}
	if d.CloudWatchLogProcessing {
		steps = append(steps, "messages of log events")
	}
	switch r := d.RecordDeAggregation; {
	case r == nil:
	case r.SubRecordType == processors.Delimited:
		steps = append(steps, fmt.Sprintf("de-aggregation at %q", r.Delimiter))
	default:
		steps = append(steps, string(r.SubRecordType)+" de-aggregation")
	}
	if c.Transform != nil {
		steps = append(steps, c.Transform.String())
	}
	if p := d.DynamicPartitioning; p != nil {
		steps = append(steps, partitionStep(d.Prefix, p))
	}
	if c.Documents != nil {
		return append(steps, c.Documents.String())
	}
	if d.AppendDelimiterToRecord {
		steps = append(steps, "newline")
	}
	steps = append(steps, string(d.Compression))
	if c.Warehouse != nil {
		steps = append(steps, c.Warehouse.String())
	}
	return steps
}

// String says what the transform is.
func (t *Transform) String() string {
	what := ""
	switch {
	case t.Lambda != nil:
		what = t.Lambda.ARN
	case t.Command != nil:
		what = strings.Join(t.Command.Argv, " ")
	}
	again := "retries"
	if t.NumberOfRetries == 1 {
		again = "retry"
	}
	return fmt.Sprintf("transform (%s, batches of %s MiB or %d s, %d %s)", what, decimalText(t.Hints.SizeInMBs), t.Hints.IntervalInSeconds, t.NumberOfRetries, again)
}

// partitionStep says what makes partitions, and how many.
func partitionStep(given string, p *processors.DynamicPartitioning) string {
	var keys []string
	if read, err := prefix.Parse(given, prefix.Objects); err == nil { // it is valid
		for _, k := range read.PartitionKeys() {
			name := k.Name
			if k.Namespace == prefix.PartitionKeyFromLambda {
				name += " of the transform"
			}
			keys = append(keys, name)
		}
	}
	what := "partition keys " + strings.Join(keys, ", ")
	if len(keys) == 0 {
		what = "partitions"
	}
	if p.EventTime != nil {
		what += ", by the time at " + p.EventTime.Query
	}
	limit := "500 divided by the number of open shards"
	if p.ActivePartitions > 0 {
		limit = strconv.Itoa(p.ActivePartitions)
	}
	beyond := "beyond that records fail"
	if p.Overflow == processors.OverflowFinish {
		beyond = "beyond that the oldest is finished"
	}
	return fmt.Sprintf("%s (active of a shard: %s; %s)", what, limit, beyond)
}

// String says where documents go.
func (d *Documents) String() string {
	c := d.Cluster
	period := map[esarchive.IndexRotationPeriod]string{
		esarchive.NoRotation: "", esarchive.OneHour: ", another one each hour", esarchive.OneDay: ", another one each day",
		esarchive.OneWeek: ", another one each week", esarchive.OneMonth: ", another one each month",
	}[c.WithDefaults().IndexRotationPeriod]
	ids := "ids of sequence numbers"
	switch {
	case c.IDs.None:
		ids = "ids of the cluster's"
	case c.IDs.Field != "":
		ids = "ids of the field " + c.IDs.Field
	}
	more := ""
	if c.Operation == esarchive.OpCreate {
		more += ", create"
	}
	if c.Pipeline != "" {
		more += ", by the ingest pipeline " + c.Pipeline
	}
	return fmt.Sprintf("documents (index %s%s, %s%s)", c.IndexName, period, ids, more)
}
