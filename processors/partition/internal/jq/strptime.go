package jq

import (
	"strings"
	"time"
)

// parser is glibc's strptime in the locale C, as far as it is ported: what it lacks does
// not match.
type parser struct {
	text string
	tm   tm

	wantDay, haveDay, haveYearDay, haveMonth, haveMonthDay bool
	twelve, afternoon                                      bool
	century                                                int // -1: none
}

// parseTime reads a text by a format, and returns what is behind it. Fields that the format does
// not have are 0; the day of the week and of the year are 8 and 367 if they are not known.
func parseTime(text, format string) (t tm, rest string, ok bool) {
	p := parser{text: text, tm: tm{year: 1900, wday: 8, yday: 367}, century: -1}
	if !p.fields(format) {
		return tm{}, "", false
	}
	p.finish()
	return p.tm, p.text, true
}

func (p *parser) fields(format string) bool {
	for i := 0; i < len(format); i++ {
		switch c := format[i]; {
		case isSpace(c):
			p.space()
		case c != '%':
			if p.text == "" || p.text[0] != c {
				return false
			}
			p.text = p.text[1:]
		default:
			for i++; i < len(format) && strings.IndexByte("-_0^#", format[i]) >= 0; i++ {
			}
			if i < len(format) && (format[i] == 'E' || format[i] == 'O') {
				i++
			}
			if i >= len(format) || !p.field(format[i]) {
				return false
			}
		}
	}
	return true
}

func (p *parser) space() {
	for p.text != "" && isSpace(p.text[0]) {
		p.text = p.text[1:]
	}
}

// number reads one of at most n digits, behind spaces.
func (p *parser) number(from, to, n int) (val int, ok bool) {
	p.text = strings.TrimLeft(p.text, " ")
	if p.text == "" || p.text[0]-'0' > 9 {
		return 0, false
	}
	for {
		val = val*10 + int(p.text[0]-'0')
		p.text = p.text[1:]
		if n--; n == 0 || val*10 > to || p.text == "" || p.text[0]-'0' > 9 {
			return val, val >= from && val <= to
		}
	}
}

// into reads a number into a field.
func (p *parser) into(field *int, from, to, digits, less int) bool {
	n, ok := p.number(from, to, digits)
	*field = n - less
	return ok
}

func (p *parser) field(letter byte) bool {
	switch letter {
	case '%':
		return p.literal("%")
	case 'n', 't':
		p.space()
		return true
	case 'a', 'A':
		p.haveDay = true
		return p.name(&p.tm.wday, 7, weekday)
	case 'b', 'B', 'h':
		p.haveMonth, p.wantDay = true, true
		return p.name(&p.tm.mon, 12, month)
	case 'd', 'e':
		p.haveMonthDay, p.wantDay = true, true
		return p.into(&p.tm.mday, 1, 31, 2, 0)
	case 'm':
		p.haveMonth, p.wantDay = true, true
		return p.into(&p.tm.mon, 1, 12, 2, 1)
	case 'Y':
		p.wantDay, p.century = true, -1
		return p.into(&p.tm.year, 0, 9999, 4, 0)
	case 'j':
		p.haveYearDay = true
		return p.into(&p.tm.yday, 1, 366, 3, 1)
	case 'k', 'H':
		p.twelve = false
		return p.into(&p.tm.hour, 0, 23, 2, 0)
	case 'l', 'I':
		n, ok := p.number(1, 12, 2)
		p.tm.hour, p.twelve = n%12, true
		return ok
	case 'M':
		return p.into(&p.tm.min, 0, 59, 2, 0)
	case 'S':
		return p.into(&p.tm.sec, 0, 61, 2, 0)
	}
	return p.lessUsual(letter)
}

func (p *parser) lessUsual(letter byte) bool {
	switch letter {
	case 'p':
		return p.half()
	case 's':
		return p.epoch()
	case 'y':
		n, ok := p.number(0, 99, 2)
		p.tm.year, p.wantDay = 1900+n, true
		if n < 69 {
			p.tm.year += 100
		}
		return ok
	case 'u':
		n, ok := p.number(1, 7, 1)
		p.tm.wday, p.haveDay = n%7, true
		return ok
	case 'w':
		p.haveDay = true
		return p.into(&p.tm.wday, 0, 6, 1, 0)
	case 'Z':
		p.space()
		for p.text != "" && !isSpace(p.text[0]) {
			p.text = p.text[1:]
		}
		return true
	case 'z':
		return p.offset()
	case 'c':
		return p.fields("%a %b %e %H:%M:%S %Y")
	case 'D', 'x':
		return p.fields("%m/%d/%y")
	case 'F':
		return p.fields("%Y-%m-%d")
	case 'r':
		return p.fields("%I:%M:%S %p")
	case 'R':
		return p.fields("%H:%M")
	case 'T', 'X':
		return p.fields("%H:%M:%S")
	}
	return false
}

func (p *parser) literal(s string) bool {
	rest, ok := strings.CutPrefix(p.text, s)
	p.text = rest
	return ok
}

// name reads one of n names, whole or its first three letters.
func (p *parser) name(field *int, n int, of func(int) string) bool {
	for i := range n {
		for _, name := range []string{of(i), short(of(i))} {
			if len(p.text) >= len(name) && strings.EqualFold(p.text[:len(name)], name) {
				*field, p.text = i, p.text[len(name):]
				return true
			}
		}
	}
	return false
}

func (p *parser) half() bool {
	if len(p.text) < 2 || p.text[1]|0x20 != 'm' || p.text[0]|0x20 != 'a' && p.text[0]|0x20 != 'p' {
		return false
	}
	p.afternoon, p.text = p.text[0]|0x20 == 'p', p.text[2:]
	return true
}

// epoch reads seconds since 1970, which set all.
func (p *parser) epoch() bool {
	n, digits := int64(0), 0
	for ; p.text != "" && p.text[0]-'0' <= 9; digits++ {
		if n = n*10 + int64(p.text[0]-'0'); n > maxSeconds {
			return false
		}
		p.text = p.text[1:]
	}
	p.tm = toTM(time.Unix(n, 0))
	return digits > 0
}

// offset reads that of a zone, which changes nothing.
func (p *parser) offset() bool {
	p.text = strings.TrimLeft(p.text, " ")
	if rest, ok := strings.CutPrefix(p.text, "Z"); ok {
		p.text = rest
		return true
	}
	if p.text == "" || p.text[0] != '+' && p.text[0] != '-' {
		return false
	}
	p.text = p.text[1:]
	n, val := 0, 0
	for n < 4 && p.text != "" && p.text[0]-'0' <= 9 {
		val = val*10 + int(p.text[0]-'0')
		n++
		p.text = p.text[1:]
		if rest, ok := strings.CutPrefix(p.text, ":"); ok && n == 2 {
			p.text = rest
		}
	}
	if n == 2 {
		val *= 100
	}
	return (n == 2 || n == 4) && val%100 < 60
}

// finish computes what the fields say of others.
func (p *parser) finish() {
	if p.twelve && p.afternoon {
		p.tm.hour += 12
	}
	if p.wantDay && !p.haveDay && (!p.haveMonth || !p.haveMonthDay) && p.haveYearDay {
		day := time.Date(p.tm.year, 1, p.tm.yday+1, 0, 0, 0, 0, time.UTC)
		if !p.haveMonth {
			p.tm.mon = int(day.Month()) - 1
		}
		if !p.haveMonthDay {
			p.tm.mday = day.Day()
		}
	}
	day := time.Date(p.tm.year, time.Month(p.tm.mon+1), p.tm.mday, 0, 0, 0, 0, time.UTC)
	known := p.wantDay || p.tm.mday != 0 // and if jq asks for it: glibc does only if the format wants it
	if known && p.tm.wday == 8 {
		p.tm.wday = int(day.Weekday())
	}
	if known && p.tm.yday == 367 {
		first := time.Date(p.tm.year, time.Month(p.tm.mon+1), 1, 0, 0, 0, 0, time.UTC)
		p.tm.yday = first.YearDay() - 1 + p.tm.mday - 1
	}
}
