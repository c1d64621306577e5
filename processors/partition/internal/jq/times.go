package jq

import (
	"math"
	"time"

	"github.com/itchyny/gojq"
)

// tm is C's broken-down time, as jq 1.6 hands it about in arrays. Local time is UTC here.
type tm struct {
	year, mon, mday, hour, min, sec, wday, yday int // mon from 0; sec without its fraction
}

func toTM(t time.Time) tm {
	t = t.UTC()
	return tm{t.Year(), int(t.Month()) - 1, t.Day(), t.Hour(), t.Minute(), t.Second(), int(t.Weekday()), t.YearDay() - 1}
}

// seconds is what timegm makes of it: fields beyond their ranges carry.
func (t tm) seconds() int64 {
	return time.Date(t.year, time.Month(t.mon+1), t.mday, t.hour, t.min, t.sec, 0, time.UTC).Unix()
}

func (t tm) list(sec float64) []any {
	return []any{
		float64(t.year), float64(t.mon), float64(t.mday), float64(t.hour), float64(t.min), sec,
		float64(t.wday), float64(t.yday),
	}
}

// maxSeconds is about where the years of C's gmtime end.
const maxSeconds = 67768036191676799

func (m *machine) gmtime(v any, _ []any) any {
	f, ok := gojq.ToFloat64(v)
	if !ok {
		return fault("gmtime() requires numeric inputs")
	}
	if !(math.Abs(f) <= maxSeconds) {
		return fault("error converting number of seconds since epoch to datetime")
	}
	t := toTM(time.Unix(int64(f), 0))
	return t.list(float64(t.sec) + f - math.Floor(f))
}

// brokenDown reads what gmtime and strptime return.
func brokenDown(v any) (t tm, ok bool) {
	list, ok := v.([]any)
	if !ok || len(list) < 8 {
		return tm{}, false
	}
	for i, field := range []*int{&t.year, &t.mon, &t.mday, &t.hour, &t.min, &t.sec, &t.wday, &t.yday} {
		f, ok := gojq.ToFloat64(list[i])
		if !ok {
			return tm{}, false
		}
		*field = truncated(f)
	}
	return t, true
}

func (m *machine) mktime(v any, _ []any) any {
	if kind(v) != "array" {
		return fault("mktime requires array inputs")
	}
	t, ok := brokenDown(v)
	if !ok {
		return fault("mktime requires parsed datetime inputs")
	}
	seconds := t.seconds()
	if seconds == -1 { // which is C's error
		return fault("invalid gmtime representation")
	}
	return float64(seconds)
}

func (m *machine) strftime(v any, args []any) any {
	if kind(v) == "number" {
		v = m.gmtime(v, nil)
		if err, ok := v.(error); ok {
			return err
		}
	}
	format, isText := args[0].(string)
	t, ok := brokenDown(v)
	if !ok || !isText {
		return fault("strftime/1 requires parsed datetime inputs and a format")
	}
	if err := m.charge(len(format)); err != nil {
		return err
	}
	text, ok := t.format(format)
	if !ok || text == "" || len(text) >= len(format)+100 {
		return fault("strftime/1: unknown system failure")
	}
	return text
}

func (m *machine) strptime(v any, args []any) any {
	text, ok := v.(string)
	format, formatOK := args[0].(string)
	if !ok || !formatOK {
		return fault("strptime/1 requires string inputs and arguments")
	}
	t, rest, ok := parseTime(text, format)
	if !ok || rest != "" && !isSpace(rest[0]) {
		return fault("date \"" + text + "\" does not match format \"" + format + "\"")
	}
	list := t.list(float64(t.sec))
	if rest != "" {
		list = append(list, rest)
	}
	return list
}

func (m *machine) now(any, []any) any { return float64(time.Now().UnixMicro()) / 1e6 }

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
