package partition

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/shardmill/shardmill/processors/partition/internal/jq"
	"github.com/shardmill/shardmill/processors/partition/internal/jsontext"
)

// The messages of failures that are the event time's.
const (
	noTime      = "the event time is null or missing"
	notATime    = "the event time is neither a string nor a number"
	noFormat    = "no format fits the event time, or it is not in the years 1970-9998"
	timeFailed  = "jq: the query for the event time fails on this record"
	noTimes     = "jq: the query for the event time has no result for this record"
	moreTimes   = "jq: the query for the event time has more than one result for this record"
	timeTooSlow = "jq: the query for the event time takes too long on this record"
	timeTooMuch = "jq: the query for the event time makes too much of this record"
)

// timeMessage is a message about the query, as one about that for the event time.
func timeMessage(message string) string {
	switch message {
	case failed:
		return timeFailed
	case noResult:
		return noTimes
	case moreResults:
		return moreTimes
	case tooSlow:
		return timeTooSlow
	case tooLarge:
		return timeTooMuch
	}
	return message
}

// The names of formats that are no patterns.
const (
	epochSeconds      = "epoch-seconds"
	epochMilliseconds = "epoch-milliseconds"
	rfc3339           = "rfc3339"
)

// moment is an event time as a record has it.
type moment struct {
	text   []byte
	number float64
	is     bool // a number
}

// format reads moments.
type format interface {
	read(m moment) (time.Time, bool)
}

func (x *Extraction) compileTime(r Rules, tree *node, around bool) error {
	if r.EventTime == "" {
		if len(r.Formats) > 0 {
			return &Error{Field: formatsField, Reason: "is set without EventTime", Remedy: "set EventTime, or leave Formats out"}
		}
		return nil
	}
	err := x.compileTimeQuery(r.EventTime, tree, around)
	names := r.Formats
	if len(names) == 0 {
		names = []string{rfc3339, epochSeconds, epochMilliseconds}
	}
	for _, name := range names {
		f, e := newFormat(name)
		err = errors.Join(err, e)
		x.formats = append(x.formats, f)
	}
	return err
}

func (x *Extraction) compileTimeQuery(query string, tree *node, around bool) error {
	q, err := program(timeField, query)
	if err != nil {
		return err
	}
	if p, plain := plainPath(q); plain && around {
		tree.add(p, len(x.keys))
		return nil
	}
	if x.time, err = jq.Compile(q); err != nil {
		return faults(timeField, err)
	}
	return nil
}

func newFormat(name string) (format, error) {
	switch name {
	case epochSeconds:
		return epoch{1}, nil
	case epochMilliseconds:
		return epoch{1000}, nil
	case rfc3339:
		return isoFormat{}, nil
	}
	p, reason := parsePattern(name)
	if reason != "" {
		return nil, &Error{
			Field: formatsField, Reason: fmt.Sprintf("has %q, which %s", name, reason),
			Remedy: "use epoch-seconds, epoch-milliseconds, rfc3339, or a pattern of y M d H m s S X x Z as in yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
		}
	}
	return p, nil
}

// eventTime finds the time of the event.
func (e *Extractor) eventTime(ctx context.Context, data []byte) (time.Time, error) {
	m, err := e.moment(ctx, data)
	if err != nil {
		return time.Time{}, err
	}
	for _, f := range e.x.formats {
		if t, ok := f.read(m); ok && t.Year() >= 1970 && t.Year() <= 9998 {
			return t, nil
		}
	}
	return time.Time{}, failure(noFormat)
}

func (e *Extractor) moment(ctx context.Context, data []byte) (m moment, err error) {
	if e.time != nil {
		return e.computed(ctx, data)
	}
	l := e.leaves[len(e.x.keys)]
	switch l.state {
	case wrong:
		return moment{}, failure(timeFailed)
	case missing:
		return moment{}, failure(noTime)
	case '"':
		return moment{text: e.text(data, l)}, nil
	case '[', '{', 't', 'f':
		return moment{}, failure(notATime)
	}
	return e.numeric(jsontext.ParseNumber(data[l.begin:l.end])), nil
}

func (e *Extractor) computed(ctx context.Context, data []byte) (m moment, err error) {
	defer e.time.Forget()
	v, err := only(ctx, e.time, data)
	if f, ok := errors.AsType[*Failure](err); ok {
		return moment{}, failure(timeMessage(f.Message))
	}
	if err != nil {
		return moment{}, err
	}
	switch v := v.(type) {
	case nil:
		return moment{}, failure(noTime)
	case string:
		begin := len(e.buf)
		e.buf = append(e.buf, v...)
		return moment{text: e.buf[begin:]}, nil
	case bool, []any, map[string]any:
		return moment{}, failure(notATime)
	}
	f, ok := jq.Number(v)
	if !ok || f != f {
		return moment{}, failure(noTime)
	}
	return e.numeric(f), nil
}

// numeric is a number with its text, which patterns read.
func (e *Extractor) numeric(f float64) moment {
	begin := len(e.buf)
	e.buf = jsontext.AppendNumber(e.buf, f)
	return moment{text: e.buf[begin:], number: f, is: true}
}

// epoch reads so many units in a second since 1970.
type epoch struct{ units float64 }

func (u epoch) read(m moment) (time.Time, bool) {
	if !m.is {
		digits, dot := m.text, 0
		for i, c := range digits {
			if c == '.' && i > 0 && i < len(digits)-1 {
				dot++
			} else if c-'0' > 9 {
				return time.Time{}, false
			}
		}
		f, err := strconv.ParseFloat(string(digits), 64)
		if err != nil || dot > 1 || len(digits) > maxDigits {
			return time.Time{}, false
		}
		m.number = f
	}
	const end = 253370764800 // the year 9999
	seconds := m.number / u.units
	if !(seconds >= 0 && seconds < end) {
		return time.Time{}, false
	}
	whole := math.Floor(m.number / u.units)
	rest := (m.number - whole*u.units) / u.units
	return time.Unix(int64(whole), int64(math.Round(rest*1e6))*1000).UTC(), true // doubles do not have more than microseconds
}

// maxDigits bounds the text of a number of seconds.
const maxDigits = 40

// isoFormat reads RFC 3339 and what ISO 8601 leaves out of it.
type isoFormat struct{}

func (isoFormat) read(m moment) (time.Time, bool) {
	r := reader{text: m.text}
	c := clock{month: 1, day: 1}
	if m.is || !r.digits(&c.year, 4) || !r.literal("-") || !r.digits(&c.month, 2) || !r.literal("-") || !r.digits(&c.day, 2) {
		return time.Time{}, false
	}
	if len(r.text) == 0 {
		return c.time()
	}
	if !r.literal("T") && !r.literal("t") && !r.literal(" ") {
		return time.Time{}, false
	}
	if !r.digits(&c.hour, 2) || !r.literal(":") || !r.digits(&c.minute, 2) {
		return time.Time{}, false
	}
	if r.literal(":") {
		if !r.digits(&c.second, 2) || (r.literal(".") || r.literal(",")) && !r.fraction(&c.nano, 0) {
			return time.Time{}, false
		}
	}
	if len(r.text) > 0 && !r.offset(&c.offset, "Zz", anyOffset) || len(r.text) > 0 {
		return time.Time{}, false
	}
	return c.time()
}

// clock is what is read of a date and a time.
type clock struct {
	year, month, day, hour, minute, second, nano int
	offset                                       int // seconds east of Greenwich
}

func (c clock) time() (time.Time, bool) {
	if c.month < 1 || c.month > 12 || c.day < 1 || c.hour > 23 || c.minute > 59 || c.second > 60 {
		return time.Time{}, false
	}
	t := time.Date(c.year, time.Month(c.month), c.day, c.hour, c.minute, c.second, c.nano, time.UTC)
	day := time.Date(c.year, time.Month(c.month), c.day, 0, 0, 0, 0, time.UTC)
	if day.Day() != c.day {
		return time.Time{}, false
	}
	return t.Add(-time.Duration(c.offset) * time.Second), true
}

// reader takes a text from its beginning.
type reader struct{ text []byte }

func (r *reader) literal(s string) bool {
	if len(r.text) < len(s) || string(r.text[:len(s)]) != s {
		return false
	}
	r.text = r.text[len(s):]
	return true
}

// digits reads a number of n digits.
func (r *reader) digits(into *int, n int) bool {
	if len(r.text) < n {
		return false
	}
	v := 0
	for _, c := range r.text[:n] {
		if c-'0' > 9 {
			return false
		}
		v = v*10 + int(c-'0')
	}
	*into, r.text = v, r.text[n:]
	return true
}

// fraction reads n digits of a fraction of a second, or with 0 all that there are, and drops what is
// below nanoseconds.
func (r *reader) fraction(nano *int, n int) bool {
	have := 0
	for have < len(r.text) && r.text[have]-'0' <= 9 && (n == 0 || have < n) {
		have++
	}
	if have == 0 || n > 0 && have < n {
		return false
	}
	v := 0
	for i := range 9 {
		if v *= 10; i < have {
			v += int(r.text[i] - '0')
		}
	}
	*nano, r.text = v, r.text[have:]
	return true
}

// The forms of offsets.
type offsetForm int

const (
	hoursOptional offsetForm = iota // +01 or +0130
	together                        // +0130
	colon                           // +01:30
	anyOffset                       // each of these
)

// offset reads one, or one of the letters, which is 0.
func (r *reader) offset(seconds *int, zero string, form offsetForm) bool {
	if len(r.text) > 0 && strings.IndexByte(zero, r.text[0]) >= 0 {
		r.text = r.text[1:]
		return true
	}
	sign := 1
	switch {
	case r.literal("-"):
		sign = -1
	case !r.literal("+"):
		return false
	}
	hours, minutes := 0, 0
	if !r.digits(&hours, 2) || hours > 18 {
		return false
	}
	switch {
	case form == colon || form == anyOffset && len(r.text) > 0 && r.text[0] == ':':
		if !r.literal(":") || !r.digits(&minutes, 2) {
			return false
		}
	case form == together:
		if !r.digits(&minutes, 2) {
			return false
		}
	default:
		r.digits(&minutes, 2)
	}
	*seconds = sign * (hours*60 + minutes) * 60
	return minutes < 60
}
