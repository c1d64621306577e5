package kinesisd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	targetPrefix = "Kinesis_20131202."
	contentJSON  = "application/x-amz-json-1.1"
	// maxBodyBytes holds 10 MiB of data in base64 with 500 keys in their
	// longest spelling.
	maxBodyBytes = 24 << 20
)

// call is one request while it is carried out. body is valid only until the
// operation returns.
type call struct {
	body []byte
	now  time.Time
}

// decode reads the request's body into a struct of pointers; what is absent or
// null stays nil.
func (c *call) decode(into any) error {
	if err := json.Unmarshal(c.body, into); err != nil {
		return malformed("%s", jsonMistake(err))
	}
	return nil
}

func jsonMistake(err error) string {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Sprintf("%s can not be converted to %s", strings.ToUpper(wrong.Value), wrong.Type)
	}
	return "The request is not a JSON object."
}

// rendered is an answer that is JSON already, in pieces that are written one
// after another.
type rendered [][]byte

// ServeHTTP answers one request. It reads all of the body before it does
// anything, and an answer is either whole or breaks off its connection.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	header.Set("X-Amzn-Requestid", requestID())
	body := s.buffer()
	defer s.bodies.Put(body)
	answer, err := s.serve(r, body)
	if err != nil {
		writeError(w, r, err)
		return
	}
	pieces, err := encode(r, answer)
	if err != nil {
		writeError(w, r, err)
		return
	}
	length := 0
	for _, piece := range pieces {
		length += len(piece)
	}
	header.Set("Content-Type", contentOf(r))
	header.Set("Content-Length", strconv.Itoa(length))
	w.WriteHeader(http.StatusOK)
	for _, piece := range pieces {
		if _, err := w.Write(piece); err != nil {
			return // the client is gone; it sees a short body
		}
	}
}

func (s *Server) buffer() *[]byte {
	if body, ok := s.bodies.Get().(*[]byte); ok {
		return body
	}
	return new([]byte)
}

// serve checks what HTTP has to say about a request and carries it out.
func (s *Server) serve(r *http.Request, body *[]byte) (any, error) {
	name, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), targetPrefix)
	if !ok || r.Method != http.MethodPost {
		return nil, refuse("UnknownOperationException", "This is Kinesis: a POST with the header X-Amz-Target: %s<operation> is expected.", targetPrefix)
	}
	run := s.known[name]
	if run == nil {
		return nil, unknownOperation(name)
	}
	if err := readBody(r, body); err != nil {
		return nil, err
	}
	text := *body
	if isCBOR(r) {
		var err error
		if text, err = fromCBOR(text); err != nil {
			return nil, err
		}
	}
	return run(&call{body: text, now: time.Now()})
}

// operation carries out one request and gives its answer, nil if that is empty.
type operation func(c *call) (any, error)

// streamRequest is a request about a stream that is there.
type streamRequest interface {
	// check notes what is wrong with its members other than the stream.
	check(k *checker)
	// resolve notes what is wrong with the stream's, and gives its name unless
	// something was noted.
	resolve(k *checker) (name string, err error)
}

// onStream is an operation on a stream: its request is decoded and checked, and
// the stream is found and locked until f returns.
func onStream[T any, R interface {
	*T
	streamRequest
}](
	lock func(name string, now time.Time) (*stream, error), f func(c *call, in R, st *stream) (any, error),
) operation {
	return func(c *call) (any, error) {
		in := R(new(T))
		if err := c.decode(in); err != nil {
			return nil, err
		}
		k := &checker{}
		in.check(k)
		name, err := in.resolve(k)
		if err != nil {
			return nil, err
		}
		st, err := lock(name, c.now)
		if err != nil {
			return nil, err
		}
		defer st.mu.Unlock()
		return f(c, in, st)
	}
}

// unanswered has the answer of an operation on a stream be empty.
func unanswered[R streamRequest](f func(c *call, in R, st *stream) error) func(c *call, in R, st *stream) (any, error) {
	return func(c *call, in R, st *stream) (any, error) { return nil, f(c, in, st) }
}

// operations are what the server has, by name.
func (s *Server) operations() map[string]operation {
	return map[string]operation{
		"PutRecord":                     s.putRecord,
		"PutRecords":                    s.putRecords,
		"GetShardIterator":              s.getShardIterator,
		"GetRecords":                    s.getRecords,
		"ListShards":                    s.listShards,
		"ListStreams":                   s.listStreams,
		"CreateStream":                  func(c *call) (any, error) { return nil, s.createStream(c) },
		"DescribeStream":                onStream(s.lock, s.describeStream),
		"DescribeStreamSummary":         onStream(s.lock, s.describeStreamSummary),
		"DeleteStream":                  onStream(s.lock, unanswered(s.deleteStream)),
		"SplitShard":                    onStream(s.lockForChange, unanswered(s.splitShard)),
		"MergeShards":                   onStream(s.lockForChange, unanswered(s.mergeShards)),
		"UpdateShardCount":              onStream(s.lockForChange, s.updateShardCount),
		"IncreaseStreamRetentionPeriod": onStream(s.lockForChange, unanswered(s.increaseRetention)),
		"DecreaseStreamRetentionPeriod": onStream(s.lockForChange, unanswered(s.decreaseRetention)),
		"AddTagsToStream":               onStream(s.lock, unanswered(s.addTags)),
		"RemoveTagsFromStream":          onStream(s.lock, unanswered(s.removeTags)),
		"ListTagsForStream":             onStream(s.lock, s.listTags),
	}
}

// readBody reads a whole body into a buffer that is used again, growing it as
// bytes come and not as the header says.
func readBody(r *http.Request, body *[]byte) error {
	buffer := bytes.NewBuffer((*body)[:0])
	if r.ContentLength > 0 && r.ContentLength <= maxBodyBytes {
		buffer.Grow(int(min(r.ContentLength, 1<<20)) + bytes.MinRead)
	}
	n, err := buffer.ReadFrom(io.LimitReader(r.Body, maxBodyBytes+1))
	*body = buffer.Bytes()
	if err != nil {
		return malformed("The request's body could not be read: %s", err)
	}
	if n > maxBodyBytes {
		return &apiError{status: http.StatusRequestEntityTooLarge, code: "RequestEntityTooLargeException", message: "The request is too large."}
	}
	return nil
}

// encode writes an answer as the request was written.
func encode(r *http.Request, answer any) (rendered, error) {
	var pieces rendered
	switch answer := answer.(type) {
	case nil:
		return nil, nil
	case rendered:
		pieces = answer
	default:
		text, err := json.Marshal(answer)
		if err != nil {
			return nil, err
		}
		pieces = rendered{text}
	}
	if !isCBOR(r) {
		return pieces, nil
	}
	text, err := toCBOR(bytes.Join(pieces, nil))
	return rendered{text}, err
}

func contentOf(r *http.Request) string {
	if isCBOR(r) {
		return contentCBOR
	}
	return contentJSON
}

func writeError(w http.ResponseWriter, r *http.Request, err error) {
	e := asAPIError(err)
	WriteError(w, r, e.status, e.code, e.message)
}

// WriteError answers a request with an error of Kinesis, as the request was
// written.
func WriteError(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	pieces, err := encode(r, struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}{code, message})
	if err != nil {
		return // unreachable: two strings always have a form
	}
	w.Header().Set("Content-Type", contentOf(r))
	w.Header().Set("Content-Length", strconv.Itoa(len(pieces[0])))
	w.WriteHeader(status)
	_, _ = w.Write(pieces[0]) // the client is gone otherwise
}

// requestID is a random UUID, as the service gives.
func requestID() string {
	a, b := rand.Uint64(), rand.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>62<<14|b>>48&0x3fff, b&(1<<48-1))
}
