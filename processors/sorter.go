package processors

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shardmill/shardmill/processors/partition"
	"github.com/shardmill/shardmill/processors/pipeline"
	"github.com/shardmill/shardmill/processors/prefix"
)

// sorting is how records are divided into partitions.
type sorting struct {
	extraction *partition.Extraction
	prefix     prefix.Prefix
	zone       *time.Location
	isFine     bool     // the prefix prints parts of seconds
	given      []string // keys that the transform is to give
	isOfEvent  bool     // the instants of prefixes are those of events

	reserved string // no partition's prefix begins so; "" if any may

	overflow Overflow
	limit    int // active partitions of a shard; 0 for the default
}

// sorter finds the partitions of one shard's records. One goroutine uses it.
type sorter struct {
	*sorting

	most      int // active partitions
	extractor *partition.Extractor
	names     []string // of the extractor's keys

	id    []byte // of the partition of the latest record
	stamp []byte // the timestamps of the second at
	at    int64
}

// sorted is what decides which partition a record belongs to.
type sorted struct {
	id     []byte // the same for records of one partition; good until the next record
	values [][]byte
	given  map[string]string
	at     time.Time // for the timestamps in the prefix, in their zone
}

const activePartitionExceeded = "activePartitionExceeded" // Firehose's error-output-type

const emptyKey = "partitionKeys values must not be null or empty" // Firehose's words

// notExtracted is why the partition of a record cannot be had.
func notExtracted(message string) pipeline.Failure {
	return pipeline.Failure{Type: pipeline.MetadataExtractionFailed, Code: pipeline.ExtractionCode, Message: message}
}

// sort returns where a record goes, or why it cannot go anywhere.
func (s *sorter) sort(ctx context.Context, out *pipeline.Output, arrival time.Time) (sorted, pipeline.Failure) {
	v := sorted{given: out.PartitionKeys, at: instant(arrival)}
	values, at, err := s.extractor.Extract(context.WithoutCancel(ctx), out.Data) // it has a limit, and a record is not left half way
	if err != nil {
		return v, notExtracted(err.Error())
	}
	if v.values = values; s.isOfEvent {
		v.at = at
	}
	v.at = v.at.In(s.zone)
	s.id = s.id[:0]
	for _, value := range values {
		s.id = append(binary.AppendUvarint(s.id, uint64(len(value))), value...)
	}
	for _, name := range s.given {
		value := v.given[name]
		if value == "" {
			return v, notExtracted(emptyKey)
		}
		s.id = append(binary.AppendUvarint(s.id, uint64(len(value))), value...)
	}
	s.id = append(s.id, s.timestamps(v.at)...)
	v.id = s.id
	return v, pipeline.Failure{}
}

// timestamps returns what the prefix prints of at.
func (s *sorter) timestamps(at time.Time) []byte {
	if second := at.Unix(); second != s.at || len(s.stamp) == 0 || s.isFine {
		s.stamp, s.at = s.prefix.AppendTimestamps(s.stamp[:0], at), second
	}
	return s.stamp
}

// exceeded is why a record is in no partition, if one more is too many.
func (s *sorter) exceeded() pipeline.Failure {
	return pipeline.Failure{
		Type: activePartitionExceeded, Code: "DynamicPartitioning.ActivePartitionExceeded",
		Message: fmt.Sprintf("The record would need one more than %d active partitions of its shard", s.most),
	}
}

// group returns the prefix of a partition's objects, or why it can be none.
func (s *sorter) group(v sorted) (string, pipeline.Failure) {
	keys := make(map[string]string, len(v.values))
	for i, value := range v.values {
		keys[s.names[i]] = string(value)
	}
	group, err := s.prefix.Group(prefix.Values{At: v.at, FromQuery: keys, FromLambda: v.given})
	if err != nil {
		return "", notExtracted(err.Error())
	}
	if s.reserved != "" && strings.HasPrefix(group, s.reserved) {
		return "", notExtracted(fmt.Sprintf("the evaluated prefix begins with %q, where bundles are staged", s.reserved))
	}
	return group, pipeline.Failure{}
}

// checkKeys compares the partition keys that a prefix names with those that there are.
func (c Config) checkKeys(p prefix.Prefix, found []string) error {
	dp := c.DynamicPartitioning
	var errs []error
	if c.Transform == nil {
		for _, name := range p.KeysOf(prefix.PartitionKeyFromLambda) {
			errs = append(errs, wrong("Prefix", c.Prefix, "remove the key "+name+" of partitionKeyFromLambda, or set Transform, which is to give it"))
		}
	}
	named := p.KeysOf(prefix.PartitionKeyFromQuery)
	for _, name := range found {
		if !slices.Contains(named, name) {
			errs = append(errs, wrong("DynamicPartitioning.MetadataExtractionQuery", dp.MetadataExtractionQuery, "remove the key "+name+
				", or name it in Prefix (Firehose: MetaDataExtraction JQ Query can't contain keys that are not present in the S3 Prefix expression)"))
		}
	}
	for _, name := range named {
		if !slices.Contains(found, name) {
			errs = append(errs, wrong("Prefix", c.Prefix, "remove the key "+name+" of partitionKeyFromQuery, or have MetadataExtractionQuery find it"))
		}
	}
	return errors.Join(errs...)
}
