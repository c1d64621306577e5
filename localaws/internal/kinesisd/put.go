package kinesisd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

const (
	maxPutRecords = 500
	maxPutBytes   = 10 << 20 // data and partition keys of one PutRecords
)

// putRecord is one record of a request. Its slices lie in the request's body,
// except those that had escapes.
type putRecord struct {
	data    []byte // base64 text, nil if absent
	key     []byte // nil if absent
	keyText []byte // key as it stands in a JSON string
	hashKey []byte // nil if absent
	size    int    // of data, decoded
	hash    hash128
}

// weight is what counts against the limits of record, request and shard.
func (p *putRecord) weight() int { return p.size + len(p.key) }

// putRequest is a PutRecord or a PutRecords.
type putRequest struct {
	streamRef

	records  []putRecord
	listed   bool // "Records" was there
	dryRun   bool
	ordering *string
}

// field reads the members that PutRecord and PutRecords have in common.
func (p *putRequest) field(s *scanner, name []byte) error {
	switch string(name) {
	case "StreamName":
		return s.optional(&p.StreamName)
	case "StreamARN":
		return s.optional(&p.StreamARN)
	case "SequenceNumberForOrdering":
		return s.optional(&p.ordering)
	case "DryRun":
		if s.null() {
			return nil
		}
		var err error
		p.dryRun, err = s.boolean()
		return err
	default:
		return s.skip()
	}
}

// optional reads a string or null.
func (s *scanner) optional(into **string) error {
	if s.null() {
		return nil
	}
	value, err := s.str()
	if err != nil {
		return err
	}
	text := string(value)
	*into = &text
	return nil
}

// field reads a member of a record; known is false, and nothing read, if it is
// none of a record's.
func (p *putRecord) field(s *scanner, name []byte) (known bool, err error) {
	switch string(name) {
	case "Data":
		if s.null() {
			return true, nil
		}
		return true, p.readData(s)
	case "PartitionKey":
		if s.null() {
			return true, nil
		}
		return true, p.readKey(s)
	case "ExplicitHashKey":
		if s.null() {
			return true, nil
		}
		p.hashKey, err = s.str()
		return true, err
	default:
		return false, nil
	}
}

func (p *putRecord) readData(s *scanner) error {
	inside, escaped, err := s.raw()
	if err != nil {
		return err
	}
	if escaped { // some encoders escape the slash
		s.pos -= len(inside) + 2
		if inside, err = s.str(); err != nil {
			return err
		}
	}
	size, ok := decodedSize(inside)
	if !ok {
		return s.fail("base64")
	}
	p.data, p.size = inside, size
	return nil
}

func (p *putRecord) readKey(s *scanner) error {
	key, err := s.str()
	if err != nil {
		return err
	}
	p.key, p.keyText = key, key
	if bytes.ContainsAny(key, "\"\\") || !plain(key) {
		quoted, err := json.Marshal(string(key))
		if err != nil {
			return s.fail("a partition key")
		}
		p.keyText = quoted[1 : len(quoted)-1]
	}
	return nil
}

// parsePutRecord reads the body of a PutRecord.
func parsePutRecord(body []byte) (*putRequest, error) {
	request := &putRequest{records: make([]putRecord, 1)}
	s := &scanner{text: body}
	err := s.object(func(name []byte) error {
		if known, err := request.records[0].field(s, name); known {
			return err
		}
		return request.field(s, name)
	})
	if err != nil {
		return nil, err
	}
	return request, s.end()
}

// parsePutRecords reads the body of a PutRecords.
func parsePutRecords(body []byte) (*putRequest, error) {
	request := &putRequest{}
	s := &scanner{text: body}
	err := s.object(func(name []byte) error {
		if string(name) != "Records" {
			return request.field(s, name)
		}
		if s.null() {
			return nil
		}
		request.listed = true
		request.records = request.records[:0]
		return s.array(func() error { return request.record(s) })
	})
	if err != nil {
		return nil, err
	}
	return request, s.end()
}

func (p *putRequest) record(s *scanner) error {
	if len(p.records) > maxPutRecords {
		return s.skip() // it is refused for their number; one more is enough to see it
	}
	p.records = append(p.records, putRecord{})
	record := &p.records[len(p.records)-1]
	return s.object(func(name []byte) error {
		if known, err := record.field(s, name); known {
			return err
		}
		return s.skip()
	})
}

// alone is the position of the record of a PutRecord, which is in no list.
const alone = -1

// check reports what is wrong with a record by itself; i is its position in the
// request.
func (p *putRecord) check(k *checker, i int) {
	if p.data == nil {
		k.fault("null", member(i, "data"), "Member must not be null")
	}
	switch n := utf8.RuneCount(p.key); {
	case p.key == nil:
		k.fault("null", member(i, "partitionKey"), "Member must not be null")
	case n == 0:
		k.fault("''", member(i, "partitionKey"), "Member must have length greater than or equal to 1")
	case n > 256:
		k.fault("'"+string(p.key)+"'", member(i, "partitionKey"), "Member must have length less than or equal to 256")
	}
	if p.hashKey != nil && !isDecimal(string(p.hashKey)) {
		k.fault("'"+string(p.hashKey)+"'", member(i, "explicitHashKey"), `Member must satisfy regular expression pattern: 0|([1-9]\d{0,38})`)
	}
}

// place finds the record's hash, and reports a record that no stream of that
// record size takes.
func (p *putRecord) place(maxRecordBytes, i int) error {
	if p.weight() > maxRecordBytes {
		k := &checker{}
		k.fault(fmt.Sprintf("java.nio.HeapByteBuffer[pos=0 lim=%d cap=%d]", p.size, p.size), member(i, "data"),
			fmt.Sprintf("Member must have length less than or equal to %d, its partition key included", maxRecordBytes))
		return k.err()
	}
	if p.hashKey == nil {
		p.hash = hashOf(p.key)
		return nil
	}
	h, ok := parseHash(p.hashKey)
	if !ok {
		return invalidArgument("Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was %s", p.hashKey)
	}
	p.hash = h
	return nil
}

// member is how a member of a record is named in a ValidationException.
func member(i int, name string) string {
	if i == alone {
		return name
	}
	return "records." + strconv.Itoa(i+1) + ".member." + name
}

func (s *Server) putRecord(c *call) (any, error) {
	request, err := parsePutRecord(c.body)
	if err != nil {
		return nil, err
	}
	record := &request.records[0]
	k := &checker{}
	record.check(k, alone)
	k.text("sequenceNumberForOrdering", request.ordering, 0, 129, sequencePattern())
	name, err := request.resolve(k)
	if err != nil {
		return nil, err
	}
	st, err := s.lockForData(name, c.now)
	if err != nil {
		return nil, err
	}
	defer st.mu.Unlock()
	if err := record.place(st.maxRecordBytes, alone); err != nil {
		return nil, err
	}
	if request.ordering != nil {
		if _, err := parseSequence(*request.ordering); err != nil {
			return nil, invalidArgument("ExclusiveMinimumSequenceNumber %s used in PutRecord on stream %s under account %s is invalid.",
				*request.ordering, name, s.options.Account)
		}
	}
	if request.dryRun {
		return nil, dryRun()
	}
	sh, number := s.store(st, record, c.now)
	if number == nil {
		return nil, refuse("ProvisionedThroughputExceededException", "%s", s.rateExceeded(sh))
	}
	return struct{ SequenceNumber, ShardId string }{string(number), sh.id}, nil
}

func (s *Server) putRecords(c *call) (any, error) {
	request, err := parsePutRecords(c.body)
	if err != nil {
		return nil, err
	}
	name, err := request.checkAll()
	if err != nil {
		return nil, err
	}
	st, err := s.lockForData(name, c.now)
	if err != nil {
		return nil, err
	}
	maxRecordBytes := st.maxRecordBytes
	st.mu.Unlock()
	total := 0
	for i := range request.records { // the hashes take a while: not under the lock
		if err := request.records[i].place(maxRecordBytes, i); err != nil {
			return nil, err
		}
		total += request.records[i].weight()
	}
	if total > maxPutBytes {
		return nil, invalidArgument("Records size exceeds %d MB limit", maxPutBytes>>20)
	}
	if request.dryRun {
		return nil, dryRun()
	}
	if st, err = s.lockForData(name, c.now); err != nil {
		return nil, err
	}
	defer st.mu.Unlock()
	return s.storeAll(st, request.records, c.now), nil
}

// checkAll reports what is wrong with a PutRecords by itself, and gives the
// stream's name.
func (p *putRequest) checkAll() (string, error) {
	k := &checker{}
	switch n := len(p.records); {
	case !p.listed:
		k.fault("null", "records", "Member must not be null")
	case n == 0:
		k.fault("'[]'", "records", "Member must have length greater than or equal to 1")
	case n > maxPutRecords:
		k.fault("'[...]'", "records", fmt.Sprintf("Member must have length less than or equal to %d", maxPutRecords))
		return p.resolve(k)
	}
	for i := range p.records {
		p.records[i].check(k, i)
	}
	return p.resolve(k)
}

// storeAll puts each record that its shard has room for, and renders the
// answer.
func (s *Server) storeAll(st *stream, records []putRecord, now time.Time) rendered {
	failed := 0
	text := make([]byte, 0, 128*len(records)+64)
	text = append(text, `{"Records":[`...)
	for i := range records {
		if i > 0 {
			text = append(text, ',')
		}
		sh, number := s.store(st, &records[i], now)
		if number == nil {
			failed++
			text = append(text, `{"ErrorCode":"ProvisionedThroughputExceededException","ErrorMessage":"`...)
			text = append(text, s.rateExceeded(sh)...)
			text = append(text, `"}`...)
			continue
		}
		text = append(text, `{"SequenceNumber":"`...)
		text = append(text, number...)
		text = append(text, `","ShardId":"`...)
		text = append(text, sh.id...)
		text = append(text, `"}`...)
	}
	text = append(text, `],"FailedRecordCount":`...)
	text = strconv.AppendInt(text, int64(failed), 10)
	return rendered{append(text, '}')}
}

// store puts a record into the shard of its hash; the number is nil if the
// shard's limits refuse it.
func (s *Server) store(st *stream, record *putRecord, now time.Time) (*shard, []byte) {
	sh := st.ranges[st.shardFor(record.hash)]
	if s.options.Limits && !sh.admitPut(now, record.weight()) {
		return sh, nil
	}
	return sh, sh.log.append(sh.sequence(0), now.UnixMilli(), record)
}

// rateExceeded is the message of a throttled shard. It has no character that
// JSON escapes.
func (s *Server) rateExceeded(sh *shard) string {
	return fmt.Sprintf("Rate exceeded for shard %s in stream %s under account %s.", sh.id, sh.stream.name, s.options.Account)
}
