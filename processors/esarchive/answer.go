package esarchive

import (
	"strconv"

	"github.com/shardmill/shardmill/processors/internal/jsonscan"
)

// maxReason is how much is kept of why a document failed.
const maxReason = 4 << 10

// parseAnswer reads the answer to a bulk request of n documents, by place: whatever the
// order of members is, and whether or not members were left out as was asked. What the
// member "errors" says is not looked at. An item without a status, or one that is no
// integer, has 0 for one, which is no success. Nothing of the answer refers to body.
//
// An answer that is not read is no answer: one that is no JSON, or has no list "items",
// or one of another length.
func parseAnswer(body []byte, n int) (answer, *fault) {
	p := parser{Scanner: jsonscan.New(body), items: make([]item, 0, n)}
	isObject := p.Object(p.member)
	switch {
	case !isObject || !p.End():
		return answer{}, notParsed("it is no object of JSON, or was cut off")
	case !p.listed && p.said != (said{}):
		return answer{}, notParsed(joined(quoted(p.said.kind), quoted(p.said.reason)))
	case !p.listed:
		return answer{}, notParsed("it has no items")
	case p.count != n:
		return answer{}, &fault{
			code: codeMismatch, status: statusOK, mismatch: true,
			message: "the cluster answered for " + strconv.Itoa(p.count) + " documents, and was sent " + strconv.Itoa(n),
		}
	}
	return answer{items: p.items, bytes: int64(len(body))}, nil
}

const statusOK = 200

// notParsed is the fault of an answer of 200 that is none of a bulk request: what stands
// before the cluster has answered.
func notParsed(why string) *fault {
	return &fault{code: codeNotParsed, status: statusOK, down: true, message: "the answer is none to a bulk request: " + why}
}

// parser reads an answer.
type parser struct {
	*jsonscan.Scanner

	items  []item // no more than were asked for
	count  int
	listed bool // there was a list of items
	said   said // instead of one
}

func (p *parser) member(name string) {
	switch name {
	case "items":
		p.items, p.count = p.items[:0], 0
		p.listed = p.Array(p.item)
	case "error":
		e := readError(p.Scanner)
		p.said = said{e.kind, e.reason}
	default:
		p.Skip()
	}
}

// item reads {"index":{"status":201,…}}.
func (p *parser) item() {
	if p.count++; p.count > cap(p.items) {
		p.Skip()
		return
	}
	p.items = append(p.items, item{})
	p.Object(p.action)
}

func (p *parser) action(string) {
	p.items[len(p.items)-1] = item{}
	p.Object(p.result)
}

func (p *parser) result(name string) {
	i := &p.items[len(p.items)-1]
	switch name {
	case "status":
		status, _ := p.Int()
		i.status = 0
		if status >= 100 && status <= 999 {
			i.status = int(status)
		}
	case "error":
		e := readError(p.Scanner)
		i.kind, i.reason = e.kind, e.reason
	default:
		p.Skip()
	}
}

// readError reads an error, {"type":…,"reason":…,"caused_by":{…}} or a text, as
// Elasticsearch before 2 has it. What it was caused by, and that by, follows the reason.
func readError(s *jsonscan.Scanner) item {
	e, causes := readCause(s, 0)
	e.reason = cut(e.reason+causes, maxReason)
	return e
}

// maxCauses is how many errors are told of one; they may be nested without end.
const maxCauses = 8

// readCause returns an error, and the text of those that caused it.
func readCause(s *jsonscan.Scanner, depth int) (e item, causes string) {
	if s.AtText() {
		e.reason, _ = s.Text()
		return e, ""
	}
	s.Object(func(name string) {
		switch {
		case name == "type":
			e.kind, _ = s.Text()
		case name == "reason":
			e.reason, _ = s.Text()
		case name == "caused_by" && depth < maxCauses:
			cause, more := readCause(s, depth+1)
			if causes = more; cause != (item{}) {
				causes = "; caused by " + joined(cause.kind, cause.reason) + more
			}
		default:
			s.Skip()
		}
	})
	e.kind = cut(e.kind, maxQuoted)
	return e, causes
}
