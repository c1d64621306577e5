package kinesisd

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

type createStreamInput struct {
	StreamName         *string
	ShardCount         *int64
	MaxRecordSizeInKiB *int64
	StreamModeDetails  *struct{ StreamMode *string }
	Tags               map[string]string
}

func (in *createStreamInput) check() error {
	k := &checker{}
	required(k, "streamName", in.StreamName)
	k.text("streamName", in.StreamName, 1, 128, namePattern())
	k.number("shardCount", in.ShardCount, 1, math.MaxInt32)
	k.number("maxRecordSizeInKiB", in.MaxRecordSizeInKiB, 1024, 10240)
	if mode := in.StreamModeDetails; mode != nil {
		required(k, "streamModeDetails.streamMode", mode.StreamMode)
		k.oneOf("streamModeDetails.streamMode", mode.StreamMode, "PROVISIONED", "ON_DEMAND")
	}
	checkTags(k, in.Tags)
	if err := k.err(); err != nil {
		return err
	}
	switch {
	case in.StreamModeDetails != nil && *in.StreamModeDetails.StreamMode == "ON_DEMAND":
		return invalidArgument("On-demand streams are not supported by this local Kinesis: create a provisioned one with a ShardCount.")
	case in.ShardCount == nil:
		return invalidArgument("ShardCount must be provided for a stream in provisioned mode.")
	}
	return nil
}

func (s *Server) createStream(c *call) error {
	var in createStreamInput
	if err := c.decode(&in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	name := *in.StreamName
	if err := s.checkShardLimit(0, *in.ShardCount); err != nil {
		return err
	}
	if st, err := s.lock(name, c.now); err == nil {
		st.mu.Unlock()
		return s.alreadyExists(name)
	}
	st := &stream{
		name: name, arn: fmt.Sprintf("arn:aws:kinesis:%s:%s:stream/%s", s.options.Region, s.options.Account, name),
		created: c.now, retention: s.options.Retention, maxRecordBytes: defaultRecordBytes, tags: map[string]string{},
	}
	maps.Copy(st.tags, in.Tags)
	if in.MaxRecordSizeInKiB != nil {
		st.maxRecordBytes = int(*in.MaxRecordSizeInKiB) << 10
	}
	st.during(statusCreating, c.now, s.options.Delay, func(at time.Time) { st.populate(int(*in.ShardCount), at) })
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams[name] != nil {
		return s.alreadyExists(name)
	}
	s.created++
	st.life = s.created
	s.streams[name] = st
	return nil
}

func (s *Server) alreadyExists(name string) error {
	return inUse("Stream %s under account %s already exists.", name, s.options.Account)
}

// checkShardLimit refuses to add shards to a stream beyond what one may have.
func (s *Server) checkShardLimit(now int, more int64) error {
	if int64(now)+more <= int64(s.options.ShardLimit) {
		return nil
	}
	return limitExceeded("This request would exceed the shard limit for the account %s in %s. Current shard count for the account: %d. Limit: %d. "+
		"Number of additional shards that would have resulted from this request: %d.", s.options.Account, s.options.Region, now, s.options.ShardLimit, more)
}

// populate makes the first shards of a stream.
func (st *stream) populate(n int, at time.Time) {
	starts := evenRanges(n)
	for i, start := range starts {
		last := hash128{}.previous()
		if i+1 < n {
			last = starts[i+1].previous()
		}
		st.ranges = append(st.ranges, st.add(start, last, at))
	}
}

func (s *Server) deleteStream(c *call, _ *streamInput, st *stream) error {
	if st.status != statusDeleting {
		st.during(statusDeleting, c.now, s.options.Delay, func(time.Time) {})
	}
	if st.status == statusGone {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.streams[st.name] == st {
			delete(s.streams, st.name)
		}
	}
	return nil
}

// epoch is a time on the wire: seconds with three decimals.
type epoch time.Time

// MarshalJSON writes the time as a JSON number. It never fails.
func (e epoch) MarshalJSON() ([]byte, error) {
	return appendSeconds(nil, time.Time(e).UnixMilli()), nil
}

type streamMode struct{ StreamMode string }

type metrics struct{ ShardLevelMetrics []string }

// streamFacts are what DescribeStream and DescribeStreamSummary both tell.
type streamFacts struct {
	StreamName              string
	StreamARN               string
	StreamStatus            string
	StreamModeDetails       streamMode
	RetentionPeriodHours    int64
	StreamCreationTimestamp epoch
	EnhancedMonitoring      []metrics
	EncryptionType          string
}

func (st *stream) facts() streamFacts {
	return streamFacts{
		StreamName: st.name, StreamARN: st.arn, StreamStatus: st.status, StreamModeDetails: streamMode{"PROVISIONED"},
		RetentionPeriodHours: st.retentionHours(), StreamCreationTimestamp: epoch(st.created),
		EnhancedMonitoring: []metrics{{ShardLevelMetrics: []string{}}}, EncryptionType: "NONE",
	}
}

func (st *stream) retentionHours() int64 { return int64(math.Ceil(st.retention.Hours())) }

type describeStreamInput struct {
	streamRef

	ExclusiveStartShardId *string
	Limit                 *int64
}

type streamDescription struct {
	streamFacts

	Shards        []shardDescription
	HasMoreShards bool
}

func (in *describeStreamInput) check(k *checker) {
	k.text("exclusiveStartShardId", in.ExclusiveStartShardId, 1, 128, namePattern())
	k.number("limit", in.Limit, 1, 10_000)
}

func (s *Server) describeStream(_ *call, in *describeStreamInput, st *stream) (any, error) {
	l := listing{After: -1}
	if in.ExclusiveStartShardId != nil {
		l.startAfter(*in.ExclusiveStartShardId)
	}
	shards := slices.DeleteFunc(slices.Clone(st.shards), func(sh *shard) bool { return int64(sh.number) <= l.After })
	most := 100
	if in.Limit != nil {
		most = int(min(*in.Limit, 100))
	}
	most = min(most, len(shards))
	return struct{ StreamDescription streamDescription }{
		streamDescription{st.facts(), describeShards(shards[:most]), most < len(shards)},
	}, nil
}

type streamSummary struct {
	streamFacts

	OpenShardCount     int
	ConsumerCount      int
	MaxRecordSizeInKiB int
}

func (s *Server) describeStreamSummary(_ *call, _ *streamInput, st *stream) (any, error) {
	return struct{ StreamDescriptionSummary streamSummary }{
		streamSummary{streamFacts: st.facts(), OpenShardCount: len(st.ranges), MaxRecordSizeInKiB: st.maxRecordBytes >> 10},
	}, nil
}

type listStreamsInput struct {
	ExclusiveStartStreamName *string
	NextToken                *string
	Limit                    *int64
}

type listedStream struct {
	StreamName              string
	StreamARN               string
	StreamStatus            string
	StreamModeDetails       streamMode
	StreamCreationTimestamp epoch
}

type listStreamsOutput struct {
	StreamNames     []string
	StreamSummaries []listedStream
	HasMoreStreams  bool
	NextToken       string `json:",omitempty"` // the last name of the page
}

func (s *Server) listStreams(c *call) (any, error) {
	var in listStreamsInput
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	k := &checker{}
	k.number("limit", in.Limit, 1, 10_000)
	k.text("exclusiveStartStreamName", in.ExclusiveStartStreamName, 1, 128, namePattern())
	k.text("nextToken", in.NextToken, 1, 128, namePattern())
	if err := k.err(); err != nil {
		return nil, err
	}
	after := ""
	for _, given := range []*string{in.ExclusiveStartStreamName, in.NextToken} {
		if given != nil {
			after = max(after, *given)
		}
	}
	names := slices.DeleteFunc(s.names(c.now), func(name string) bool { return name <= after })
	most := 100
	if in.Limit != nil {
		most = int(min(*in.Limit, 100))
	}
	answer := listStreamsOutput{StreamNames: []string{}, StreamSummaries: []listedStream{}, HasMoreStreams: len(names) > most}
	for _, name := range names[:min(most, len(names))] {
		st, err := s.lock(name, c.now)
		if err != nil {
			continue // deleted since
		}
		facts := st.facts()
		st.mu.Unlock()
		answer.StreamNames = append(answer.StreamNames, name)
		answer.StreamSummaries = append(answer.StreamSummaries,
			listedStream{name, facts.StreamARN, facts.StreamStatus, facts.StreamModeDetails, facts.StreamCreationTimestamp})
	}
	if answer.HasMoreStreams {
		answer.NextToken = names[most-1]
	}
	return answer, nil
}
