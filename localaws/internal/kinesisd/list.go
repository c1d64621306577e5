package kinesisd

import (
	"encoding/base64"
	"encoding/json"
	"hash/crc32"
	"slices"
	"time"
)

const (
	maxListedShards = 1000
	nextTokenLife   = 300 * time.Second
)

type sequenceNumberRange struct {
	StartingSequenceNumber string
	EndingSequenceNumber   string `json:",omitempty"`
}

type shardDescription struct {
	ShardId               string
	ParentShardId         string `json:",omitempty"`
	AdjacentParentShardId string `json:",omitempty"`
	HashKeyRange          hashKeyRange
	SequenceNumberRange   sequenceNumberRange
}

func describeShards(shards []*shard) []shardDescription {
	described := make([]shardDescription, 0, len(shards))
	for _, sh := range shards {
		d := shardDescription{
			ShardId:             sh.id,
			HashKeyRange:        hashKeyRange{sh.first.String(), sh.last.String()},
			SequenceNumberRange: sequenceNumberRange{StartingSequenceNumber: sh.starting().String()},
		}
		if !sh.open() {
			d.SequenceNumberRange.EndingSequenceNumber = sh.ending().String()
		}
		if len(sh.parents) > 0 {
			d.ParentShardId = sh.parents[0].id
		}
		if len(sh.parents) > 1 {
			d.AdjacentParentShardId = sh.parents[1].id
		}
		described = append(described, d)
	}
	return described
}

type shardFilter struct {
	Type      *string
	ShardId   *string
	Timestamp *float64
}

type listShardsInput struct {
	streamRef

	NextToken               *string
	ExclusiveStartShardId   *string
	MaxResults              *int64
	StreamCreationTimestamp *float64
	ShardFilter             *shardFilter
}

// listing is what a ListShards goes on with from page to page; as JSON with a
// checksum it is the NextToken.
type listing struct {
	Stream string
	Life   uint64
	Kind   string // the filter's type, "" for none
	Millis int64  // the filter's timestamp
	After  int64  // the number of the last shard listed, -1 for none
	Issued int64  // milliseconds
}

func (l listing) token() (string, error) {
	text, err := json.Marshal(l)
	if err != nil {
		return "", err
	}
	sum := crc32.ChecksumIEEE(text)
	return base64.StdEncoding.EncodeToString(append(text, byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum))), nil
}

func parseListing(token string, now time.Time) (l listing, err error) {
	invalid := invalidArgument("Invalid NextToken.")
	raw, err := base64.StdEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < 4 {
		return l, invalid
	}
	text := raw[:len(raw)-4]
	sum := crc32.ChecksumIEEE(text)
	if !slices.Equal(raw[len(text):], []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}) || json.Unmarshal(text, &l) != nil {
		return l, invalid
	}
	if now.Sub(time.UnixMilli(l.Issued)) > nextTokenLife {
		return l, refuse("ExpiredNextTokenException", "The NextToken has expired: it is good for %d seconds.", int(nextTokenLife.Seconds()))
	}
	return l, nil
}

func (in *listShardsInput) check() error {
	k := &checker{}
	in.checkStream(k)
	k.text("nextToken", in.NextToken, 1, 1<<20, pattern{})
	k.text("exclusiveStartShardId", in.ExclusiveStartShardId, 1, 128, namePattern())
	k.number("maxResults", in.MaxResults, 1, 10_000)
	if f := in.ShardFilter; f != nil {
		required(k, "shardFilter.type", f.Type)
		k.oneOf("shardFilter.type", f.Type, "AFTER_SHARD_ID", "AT_TRIM_HORIZON", "FROM_TRIM_HORIZON", "AT_LATEST", "AT_TIMESTAMP", "FROM_TIMESTAMP")
		k.text("shardFilter.shardId", f.ShardId, 1, 128, namePattern())
	}
	if err := k.err(); err != nil {
		return err
	}
	switch {
	case in.NextToken == nil && !in.given():
		return invalidArgument("Either NextToken or StreamName should be provided.")
	case in.NextToken == nil:
		return in.ShardFilter.check()
	case in.StreamName != nil:
		return invalidArgument("NextToken and StreamName cannot be provided together.")
	case in.ExclusiveStartShardId != nil:
		return invalidArgument("NextToken and ExclusiveStartShardId cannot be provided together.")
	case in.StreamCreationTimestamp != nil:
		return invalidArgument("NextToken and StreamCreationTimestamp cannot be provided together.")
	case in.ShardFilter != nil:
		return invalidArgument("NextToken and ShardFilter cannot be provided together.")
	}
	return nil
}

// check reports a filter whose type and other members do not go together; its
// type is known to be right.
func (f *shardFilter) check() error {
	if f == nil {
		return nil
	}
	byTime := *f.Type == "AT_TIMESTAMP" || *f.Type == "FROM_TIMESTAMP"
	byShard := *f.Type == "AFTER_SHARD_ID"
	switch {
	case byTime && f.Timestamp == nil:
		return invalidArgument("Timestamp must be provided with a ShardFilter of type %s.", *f.Type)
	case !byTime && f.Timestamp != nil:
		return invalidArgument("Timestamp cannot be provided with a ShardFilter of type %s.", *f.Type)
	case byShard && f.ShardId == nil:
		return invalidArgument("ShardId must be provided with a ShardFilter of type %s.", *f.Type)
	case !byShard && f.ShardId != nil:
		return invalidArgument("ShardId cannot be provided with a ShardFilter of type %s.", *f.Type)
	}
	return nil
}

// listing is where the request begins or goes on.
func (in *listShardsInput) listing(now time.Time) (listing, error) {
	if in.NextToken != nil {
		l, err := parseListing(*in.NextToken, now)
		if err == nil && in.StreamARN != nil && nameInARN(*in.StreamARN) != l.Stream {
			err = invalidArgument("The StreamARN %s is not that of the stream of the NextToken.", *in.StreamARN)
		}
		return l, err
	}
	name, err := in.resolve(&checker{})
	l := listing{Stream: name, After: -1}
	if f := in.ShardFilter; f != nil {
		l.Kind = *f.Type
		if f.Timestamp != nil {
			l.Millis = toMillis(*f.Timestamp)
		}
		if f.ShardId != nil {
			l.startAfter(*f.ShardId)
		}
	}
	if in.ExclusiveStartShardId != nil {
		l.startAfter(*in.ExclusiveStartShardId)
	}
	return l, err
}

// startAfter leaves out the shards up to that id. An id that is none sorts
// before all shards or after them, as text.
func (l *listing) startAfter(id string) {
	if number, ok := shardNumber(id); ok {
		l.After = max(l.After, int64(number))
	} else if id > shardID(0) {
		l.After = 1 << 32
	}
}

func (s *Server) listShards(c *call) (any, error) {
	var in listShardsInput
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	l, err := in.listing(c.now)
	if err != nil {
		return nil, err
	}
	st, err := s.lock(l.Stream, c.now)
	if err != nil {
		return nil, err
	}
	defer st.mu.Unlock()
	switch {
	case st.status == statusCreating || st.status == statusDeleting:
		return nil, s.streamNotActive(st.name, st.status)
	case in.NextToken != nil && l.Life != st.life:
		return nil, invalidArgument("Invalid NextToken.")
	case in.StreamCreationTimestamp != nil && toMillis(*in.StreamCreationTimestamp) != st.created.UnixMilli():
		return nil, s.streamNotFound(st.name)
	}
	most := maxListedShards
	if in.MaxResults != nil {
		most = int(min(*in.MaxResults, maxListedShards))
	}
	return l.page(st, most, c.now)
}

type listShardsOutput struct {
	Shards    []shardDescription
	NextToken string `json:",omitempty"`
}

func (l listing) page(st *stream, most int, now time.Time) (any, error) {
	var shards []*shard
	more := false
	for _, sh := range st.shards {
		if int64(sh.number) <= l.After || !l.selects(sh) {
			continue
		}
		if more = len(shards) == most; more {
			break
		}
		shards = append(shards, sh)
	}
	answer := listShardsOutput{Shards: describeShards(shards)}
	if !more {
		return answer, nil
	}
	l.After, l.Life, l.Issued = int64(shards[most-1].number), st.life, now.UnixMilli()
	var err error
	answer.NextToken, err = l.token()
	return answer, err
}

// selects reports whether the filter lets through a shard that is not expired.
func (l listing) selects(sh *shard) bool {
	switch l.Kind {
	case "AT_LATEST":
		return sh.open()
	case "AT_TRIM_HORIZON":
		return sh.oldest()
	case "AT_TIMESTAMP":
		// Before the trim horizon it is the same as at the horizon: there is
		// nothing older.
		return (sh.createdAt.UnixMilli() <= l.Millis || sh.oldest()) && (sh.open() || sh.closedAt.UnixMilli() >= l.Millis)
	case "FROM_TIMESTAMP":
		return sh.open() || sh.closedAt.UnixMilli() >= l.Millis
	default: // FROM_TRIM_HORIZON, AFTER_SHARD_ID and no filter
		return true
	}
}

// oldest reports whether the shard was open at the trim horizon: it has no
// parent that still is there. Told by descent and not by time, the shards of
// which that holds cover the key space exactly once even when a stream is
// resharded within a millisecond of its creation.
func (sh *shard) oldest() bool {
	return !slices.ContainsFunc(sh.parents, func(parent *shard) bool { return !parent.expired })
}
