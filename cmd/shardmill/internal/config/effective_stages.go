package config

import (
	"encoding/base64"
	"slices"
	"strconv"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
	"github.com/shardmill/shardmill/processors"
)

type effectiveProcessing struct {
	Enabled    bool
	Processors []effectiveProcessor `json:",omitempty"`
}

type effectiveProcessor struct {
	Type       string
	Parameters []effectiveParameter `json:",omitempty"`
}

type effectiveParameter struct{ ParameterName, ParameterValue string }

type effectivePartitioning struct{ Enabled bool }

// effectiveTransform is a command.
type effectiveTransform struct {
	Command                 []string          `json:"command"`
	Directory               string            `json:"directory,omitempty"` // "": that of the archiver
	Environment             map[string]string `json:"environment,omitempty"`
	MemoryMBs               int               `json:"memoryMBs,omitempty"` // 0: no limit
	TimeoutSeconds          int               `json:"timeoutSeconds"`
	Processes               int               `json:"processes,omitempty"` // 0: as many as there are processors
	NumberOfRetries         int               `json:"numberOfRetries"`
	BufferSizeInMBs         float64           `json:"bufferSizeInMBs"`
	BufferIntervalInSeconds int               `json:"bufferIntervalInSeconds"`
}

type effectiveEventTime struct {
	JQ      string   `json:"jq"`
	Formats []string `json:"formats,omitempty"` // none: those that package partition has by default
}

// processing returns the processors in the order in which they run.
func (c Config) processing() effectiveProcessing {
	d := c.Delivery
	var e effectiveProcessing
	add := func(kind string, parameters ...effectiveParameter) {
		e.Processors = append(e.Processors, effectiveProcessor{kind, parameters})
	}
	if d.Decompression {
		add(decompression, effectiveParameter{compressionParameter, "GZIP"})
	}
	if d.CloudWatchLogProcessing {
		add(cloudWatchLogs, effectiveParameter{dataMessageExtraction, "true"})
	}
	if r := d.RecordDeAggregation; r != nil {
		parameters := []effectiveParameter{{subRecordParameter, string(r.SubRecordType)}}
		if r.SubRecordType == processors.Delimited {
			parameters = append(parameters, effectiveParameter{delimiterParameter, base64.StdEncoding.EncodeToString([]byte(r.Delimiter))})
		}
		add(recordDeAggregation, parameters...)
	}
	if t := c.Transform; t != nil && t.Lambda != nil {
		add(lambda, effectiveParameter{arnParameter, document.Literally(t.Lambda.ARN)}, effectiveParameter{retriesParameter, strconv.Itoa(t.NumberOfRetries)},
			effectiveParameter{sizeParameter, decimalText(t.Hints.SizeInMBs)}, effectiveParameter{intervalParameter, strconv.Itoa(t.Hints.IntervalInSeconds)})
	}
	if p := d.DynamicPartitioning; p != nil && p.MetadataExtractionQuery != "" {
		add(metadataExtraction, effectiveParameter{queryParameter, document.Literally(p.MetadataExtractionQuery)}, effectiveParameter{engineParameter, "JQ-1.6"})
	}
	if d.AppendDelimiterToRecord {
		add(appendDelimiter)
	}
	e.Enabled = len(e.Processors) > 0
	return e
}

// decimalText writes a number in decimal digits, without an exponent.
func decimalText(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

// ourStages adds the transform that Firehose does not have.
func (c Config) ourStages(e *Effective) {
	if t := c.Transform; t != nil && t.Command != nil {
		ours := &effectiveTransform{
			Directory: document.Literally(t.Command.Directory), MemoryMBs: t.Command.MemoryMBs, TimeoutSeconds: t.Command.TimeoutSeconds, Processes: t.Command.Processes,
			NumberOfRetries: t.NumberOfRetries, BufferSizeInMBs: t.Hints.SizeInMBs, BufferIntervalInSeconds: t.Hints.IntervalInSeconds,
		}
		for _, arg := range t.Command.Argv {
			ours.Command = append(ours.Command, document.Literally(arg))
		}
		if len(t.Command.Environment) > 0 {
			ours.Environment = map[string]string{}
		}
		for name, value := range t.Command.Environment {
			ours.Environment[name] = document.Literally(value)
		}
		e.Shardmill.Transform = ours
	}
}

// partitions adds how records are partitioned.
func (c Config) partitions(e *Effective) {
	p := c.Delivery.DynamicPartitioning
	if p == nil {
		return
	}
	e.ExtendedS3DestinationConfiguration.DynamicPartitioningConfiguration = &effectivePartitioning{true}
	e.Shardmill.ActivePartitions, e.Shardmill.PartitionOverflow = p.ActivePartitions, string(p.Overflow)
	if p.EventTime != nil {
		formats := slices.Clone(p.EventTime.Formats)
		for i, f := range formats {
			formats[i] = document.Literally(f)
		}
		e.Shardmill.EventTime = &effectiveEventTime{document.Literally(p.EventTime.Query), formats}
	}
}
