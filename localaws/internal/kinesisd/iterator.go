package kinesisd

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"time"
)

const iteratorLife = 5 * time.Minute

// iterator is a place in a shard: the record with that index, or the next one
// there is.
type iterator struct {
	stream string
	life   uint64
	shard  uint32
	index  uint64
	issued int64 // milliseconds
}

// token gives the iterator as clients see it: base64 of its fields and a
// checksum, so that no client can make one up by accident.
func (it iterator) token() string {
	raw := make([]byte, 0, 160)
	raw = binary.BigEndian.AppendUint64(raw, it.life)
	raw = binary.BigEndian.AppendUint32(raw, it.shard)
	raw = binary.BigEndian.AppendUint64(raw, it.index)
	raw = binary.BigEndian.AppendUint64(raw, uint64(it.issued))
	raw = append(raw, it.stream...)
	raw = binary.BigEndian.AppendUint32(raw, crc32.ChecksumIEEE(raw))
	return base64.StdEncoding.EncodeToString(raw)
}

func parseIterator(token string) (iterator, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < 33 {
		return iterator{}, invalidArgument("Invalid ShardIterator.")
	}
	body, sum := raw[:len(raw)-4], raw[len(raw)-4:]
	if crc32.ChecksumIEEE(body) != binary.BigEndian.Uint32(sum) {
		return iterator{}, invalidArgument("Invalid ShardIterator.")
	}
	return iterator{
		life:   binary.BigEndian.Uint64(body),
		shard:  binary.BigEndian.Uint32(body[8:]),
		index:  binary.BigEndian.Uint64(body[12:]),
		issued: int64(binary.BigEndian.Uint64(body[20:])),
		stream: string(body[28:]),
	}, nil
}

func (it iterator) check(now time.Time) error {
	issued := time.UnixMilli(it.issued)
	if now.Sub(issued) <= iteratorLife {
		return nil
	}
	const form = "Mon Jan 02 15:04:05 UTC 2006"
	return refuse("ExpiredIteratorException", "Iterator expired. The iterator was created at time %s while right now it is %s which is further in the "+
		"future than the tolerated delay of %d milliseconds.", issued.UTC().Format(form), now.UTC().Format(form), iteratorLife.Milliseconds())
}

type getShardIteratorInput struct {
	streamRef

	ShardId                *string
	ShardIteratorType      *string
	StartingSequenceNumber *string
	Timestamp              *float64
	DryRun                 bool
}

func (s *Server) getShardIterator(c *call) (any, error) {
	var in getShardIteratorInput
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	k := &checker{}
	required(k, "shardId", in.ShardId)
	required(k, "shardIteratorType", in.ShardIteratorType)
	k.text("shardId", in.ShardId, 1, 128, namePattern())
	k.oneOf("shardIteratorType", in.ShardIteratorType, "AFTER_SEQUENCE_NUMBER", "LATEST", "AT_TIMESTAMP", "AT_SEQUENCE_NUMBER", "TRIM_HORIZON")
	k.text("startingSequenceNumber", in.StartingSequenceNumber, 0, 129, sequencePattern())
	name, err := in.resolve(k)
	if err != nil {
		return nil, err
	}
	if _, ok := shardNumber(*in.ShardId); !ok {
		return nil, s.couldNotFindShard(*in.ShardId, name)
	}
	st, err := s.lockForData(name, c.now)
	if err != nil {
		return nil, err
	}
	defer st.mu.Unlock()
	sh := st.shard(*in.ShardId)
	if sh == nil {
		return nil, s.shardNotFound(*in.ShardId, name)
	}
	index, err := s.startIndex(sh, &in, c.now)
	if err != nil {
		return nil, err
	}
	if in.DryRun {
		return nil, dryRun()
	}
	it := iterator{stream: name, life: st.life, shard: sh.number, index: index, issued: c.now.UnixMilli()}
	return struct{ ShardIterator string }{it.token()}, nil
}

// startIndex is where an iterator of that type begins.
func (s *Server) startIndex(sh *shard, in *getShardIteratorInput, now time.Time) (uint64, error) {
	kind := *in.ShardIteratorType
	bySequence := kind == "AT_SEQUENCE_NUMBER" || kind == "AFTER_SEQUENCE_NUMBER"
	if bySequence != (in.StartingSequenceNumber != nil) {
		return 0, invalidArgument("Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or "+
			"(2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified %s and %s StartingSequenceNumber.",
			kind, map[bool]string{true: "no", false: "also a"}[bySequence])
	}
	switch kind {
	case "LATEST":
		return sh.log.next, nil
	case "AT_TIMESTAMP":
		return timestampIndex(sh, in.Timestamp, now)
	case "TRIM_HORIZON":
		return sh.log.first, nil
	default:
		index, err := s.sequenceIndex(sh, *in.StartingSequenceNumber)
		if kind == "AFTER_SEQUENCE_NUMBER" && err == nil {
			index = min(index+1, sh.log.next)
		}
		return index, err
	}
}

func timestampIndex(sh *shard, timestamp *float64, now time.Time) (uint64, error) {
	if timestamp == nil {
		return 0, invalidArgument("Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request has no timestamp parameter.")
	}
	millis := toMillis(*timestamp)
	if millis > now.UnixMilli() {
		return 0, invalidArgument("The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. "+
			"timestampInMillis: %d, currentTimestampInMillis: %d", millis, now.UnixMilli())
	}
	return sh.log.indexAt(millis), nil
}

// toMillis rounds a time of the wire, in seconds, to milliseconds.
func toMillis(seconds float64) int64 {
	return int64(math.Round(max(-1e15, min(1e15, seconds*1000))))
}

// sequenceIndex is the index that a sequence number of this shard stands for.
func (s *Server) sequenceIndex(sh *shard, text string) (uint64, error) {
	used := fmt.Sprintf("StartingSequenceNumber %s used in GetShardIterator on shard %s in stream %s under account %s is invalid",
		text, sh.id, sh.stream.name, s.options.Account)
	q, err := parseSequence(text)
	switch {
	case err != nil:
		return 0, invalidArgument("%s.", used)
	case q.shard != sh.number:
		return 0, invalidArgument("Invalid StartingSequenceNumber. It encodes %s, while it was used in a call to a shard with %s", shardID(q.shard), sh.id)
	case !sh.issued(q):
		return 0, invalidArgument("%s because it did not come from this stream.", used)
	case q.index > 0 && q.index < sh.log.trimmed && s.options.TrimmedIterator == TrimmedRefuse:
		return 0, invalidArgument("%s because the record has been trimmed.", used)
	}
	return min(q.index, sh.log.next), nil
}
