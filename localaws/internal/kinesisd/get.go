package kinesisd

import (
	"encoding/json"
	"strconv"
	"time"
)

const maxGetRecords = 10_000

type getRecordsInput struct {
	StreamARN     *string
	ShardIterator *string
	Limit         *int64
	DryRun        bool
}

func (s *Server) getRecords(c *call) (any, error) {
	var in getRecordsInput
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	limit, err := in.check()
	if err != nil {
		return nil, err
	}
	it, err := parseIterator(*in.ShardIterator)
	if err != nil {
		return nil, err
	}
	if in.StreamARN != nil && nameInARN(*in.StreamARN) != it.stream {
		return nil, invalidArgument("The StreamARN %s is not that of the stream of the ShardIterator.", *in.StreamARN)
	}
	if err := it.check(c.now); err != nil {
		return nil, err
	}
	st, err := s.lockForData(it.stream, c.now)
	if err != nil {
		return nil, err
	}
	defer st.mu.Unlock()
	if st.life != it.life {
		return nil, invalidArgument("Invalid ShardIterator.")
	}
	sh := st.shard(shardID(it.shard))
	if sh == nil {
		return nil, s.shardNotFound(shardID(it.shard), it.stream)
	}
	if in.DryRun {
		return nil, dryRun()
	}
	if s.options.Limits && !sh.admitRead(c.now) {
		return nil, refuse("ProvisionedThroughputExceededException", "%s", s.rateExceeded(sh))
	}
	page := sh.log.read(it.index, limit, int64(s.options.MaxPageBytes))
	sh.spendRead(c.now, &page)
	return render(sh, it, &page, c.now)
}

func (in *getRecordsInput) check() (limit int, err error) {
	k := &checker{}
	required(k, "shardIterator", in.ShardIterator)
	k.text("shardIterator", in.ShardIterator, 1, 512, pattern{})
	k.number("limit", in.Limit, 1, maxGetRecords)
	if in.StreamARN != nil {
		streamRef{StreamARN: in.StreamARN}.checkStream(k)
	}
	if in.Limit == nil {
		return maxGetRecords, k.err()
	}
	return int(*in.Limit), k.err()
}

// render gives the answer: the page's own pieces between a head and a tail.
// They stay valid without the stream's lock.
func render(sh *shard, it iterator, page *logPage, now time.Time) (any, error) {
	answer := make(rendered, 0, len(page.pieces)+2)
	answer = append(answer, []byte(`{"Records":[`))
	for i, piece := range page.pieces {
		if i == 0 {
			piece = piece[1:] // the comma before the first record
		}
		answer = append(answer, piece)
	}
	tail := append(make([]byte, 0, 256), `],"MillisBehindLatest":`...)
	tail = strconv.AppendInt(tail, behind(page, now), 10)
	if sh.open() || page.more {
		it.index, it.issued = page.next, now.UnixMilli()
		tail = append(tail, `,"NextShardIterator":"`...)
		tail = append(tail, it.token()...)
		return append(answer, append(tail, `"}`...)), nil
	}
	children, err := json.Marshal(childShards(sh))
	if err != nil {
		return nil, err
	}
	tail = append(tail, `,"ChildShards":`...)
	tail = append(tail, children...)
	return append(answer, append(tail, '}')), nil
}

// behind is how far the end of a page is from the tip of its shard, in
// milliseconds: 0 exactly when there is nothing after it.
func behind(page *logPage, now time.Time) int64 {
	if !page.more {
		return 0
	}
	return max(1, now.UnixMilli()-page.lastArrival)
}

type hashKeyRange struct {
	StartingHashKey, EndingHashKey string
}

type childShard struct {
	ShardId      string
	ParentShards []string
	HashKeyRange hashKeyRange
}

func childShards(sh *shard) []childShard {
	children := make([]childShard, 0, len(sh.children))
	for _, child := range sh.children {
		parents := make([]string, 0, len(child.parents))
		for _, parent := range child.parents {
			parents = append(parents, parent.id)
		}
		children = append(children, childShard{child.id, parents, hashKeyRange{child.first.String(), child.last.String()}})
	}
	return children
}
