package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/pipeline"
)

// stages are the metrics of what is done with records on their way into objects.
type stages struct {
	inflated, notInflated                      prometheus.Counter
	inflatedBytes, notInflatedBytes            prometheus.Counter
	failed, nothing                            prometheus.Counter
	executed                                   outcomes
	executeTime, jqTime                        *samples
	transformed, transformedBytes, undelivered prometheus.Counter
	objects, partitionsExceeded                prometheus.Counter
}

// newStages makes them; several are those of cuts that have several objects.
func newStages(firehose, ours, several *told) stages {
	return stages{
		inflated:         firehose.sum("OutputDecompressedRecords.Success", unitCount, "Records that Decompression inflated."),
		inflatedBytes:    firehose.sum("OutputDecompressedBytes.Success", unitBytes, "Bytes that these records inflated to."),
		notInflated:      firehose.sum("OutputDecompressedRecords.Failed", unitCount, "Records that it could not, and that are in an error object."),
		notInflatedBytes: firehose.sum("OutputDecompressedBytes.Failed", unitBytes, "Bytes of these records, as they came."),
		failed:           ours.sum("RecordsFailed", unitCount, "Records that could not be processed, and that are in an error object."),
		nothing:          ours.counter("RecordsWithoutData", "Control messages and payloads without log events, of which nothing is delivered."),

		executed:         firehose.outcomes("ExecuteProcessing.Success", "Calls of the transform that were answered."),
		executeTime:      firehose.samples("ExecuteProcessing.Duration", "Milliseconds that calls of the transform took, failed ones too."),
		transformed:      firehose.sum("SucceedProcessing.Records", unitCount, "Records that the transform succeeded with, those that it dropped too."),
		transformedBytes: firehose.sum("SucceedProcessing.Bytes", unitBytes, "Bytes that came of these records."),
		undelivered:      ours.sum("RecordsDropped", unitCount, "Records that the transform said are not to be delivered."),

		objects:            several.sum("DeliveryToS3.ObjectCount", unitCount, "Objects that are delivered, of cuts that may have several."),
		partitionsExceeded: several.flag("PartitionCountExceeded", "Records for which no active partition was left.", whilePartitioned),
		jqTime:             several.samples("JQProcessing.Duration", "Milliseconds that the queries for partition keys took, of each cut."),
	}
}

// processed counts what became of the records of a cut.
func (c *stages) processed(e processors.ProcessedEvent) {
	c.inflated.Add(float64(e.Inflated))
	c.inflatedBytes.Add(float64(e.InflatedBytes))
	c.notInflatedBytes.Add(float64(e.NotInflatedBytes))
	c.notInflated.Add(float64(e.Failed[pipeline.DecompressionFailed]))
	for _, n := range e.Failed {
		c.failed.Add(float64(n))
	}
	c.nothing.Add(float64(e.Nothing))
	c.transformed.Add(float64(e.Transformed))
	c.transformedBytes.Add(float64(e.TransformedBytes))
	c.undelivered.Add(float64(e.Dropped))
	c.objects.Add(float64(e.Objects))
	c.partitionsExceeded.Add(float64(e.PartitionsExceeded))
	if e.JQDuration > 0 { // there is a query
		c.jqTime.add(inMillis(e.JQDuration))
	}
}

// called counts a call of the transform.
func (c *stages) called(e processors.TransformedEvent) {
	c.executeTime.add(inMillis(e.Duration))
	if e.Err == "" {
		c.executed.ok.Inc()
	} else {
		c.executed.failed.Inc()
	}
}
