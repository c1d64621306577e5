package kinesisd

import (
	"math/big"
	"time"
)

// MakeSequence gives the text of a sequence number.
func MakeSequence(created, index, seconds uint64, shard uint32) string {
	return sequence{created: created, index: index, seconds: seconds, shard: shard}.String()
}

// TakeSequence takes the text of a sequence number apart.
func TakeSequence(text string) (created, index, seconds uint64, shard uint32, err error) {
	q, err := parseSequence(text)
	return q.created, q.index, q.seconds, q.shard, err
}

// HashText reads a hash key and writes it again.
func HashText(text string) (same, next, previous string, ok bool) {
	h, ok := parseHash([]byte(text))
	return h.String(), h.next().String(), h.previous().String(), ok
}

// HashOf is the place of a partition key.
func HashOf(key string) *big.Int {
	n, _ := new(big.Int).SetString(hashOf([]byte(key)).String(), 10)
	return n
}

// DecodedSize is what a base64 text stands for.
func DecodedSize(text []byte) (int, bool) { return decodedSize(text) }

// Chunks is how many chunks a shard keeps, and how many bytes they take.
func (s *Server) Chunks(streamName, shardID string) (count, bytes int) {
	st, err := s.lock(streamName, time.Now())
	if err != nil {
		return 0, 0
	}
	defer st.mu.Unlock()
	for _, c := range st.shard(shardID).log.chunks {
		bytes += cap(c.text)
	}
	return len(st.shard(shardID).log.chunks), bytes
}
