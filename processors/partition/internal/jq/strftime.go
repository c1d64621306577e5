package jq

import (
	"strconv"
	"strings"
	"time"
)

// maxWidth bounds how wide a field is written.
const maxWidth = 1000

// format is C's strftime in the locale C.
func (t tm) format(format string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			b.WriteByte(format[i])
			continue
		}
		begin := i
		var flags conversion
		for i++; i < len(format) && flags.take(format[i]); i++ {
		}
		for ; i < len(format) && format[i]-'0' <= 9; i++ {
			if flags.width = flags.width*10 + int(format[i]-'0'); flags.width > maxWidth {
				return "", false
			}
		}
		without := "" // letters that do not go with a modifier
		if i < len(format) && format[i] == 'E' {
			i, without = i+1, "aAbBdDeFgGhHIjklmMSuUVwW"
		} else if i < len(format) && format[i] == 'O' {
			i, without = i+1, "aAcDFxXY"
		}
		if i >= len(format) {
			return "", false
		}
		text, known := t.convert(format[i], flags)
		if !known || strings.IndexByte(without, format[i]) >= 0 {
			text = format[begin : i+1]
		}
		b.WriteString(text)
	}
	return b.String(), true
}

// conversion is how a field is written, other than usually.
type conversion struct {
	pad          byte // '-': not at all; '_', '0'
	upper, other bool
	width        int
}

func (c *conversion) take(flag byte) bool {
	switch flag {
	case '-', '_', '0':
		c.pad = flag
	case '^':
		c.upper = true
	case '#':
		c.other = true
	default:
		return false
	}
	return true
}

func (c conversion) text(s string) string {
	if c.upper || c.other {
		s = strings.ToUpper(s)
	}
	return c.padded(s)
}

// padded is a text in its width.
func (c conversion) padded(s string) string {
	fill := " "
	switch c.pad {
	case '-':
		return s
	case '0':
		fill = "0"
	}
	return strings.Repeat(fill, max(0, c.width-len(s))) + s
}

func (c conversion) number(n, width int, pad byte) string {
	if c.pad != 0 {
		pad = c.pad
	}
	s := strconv.Itoa(n)
	width = max(width, c.width)
	if pad == '-' || len(s) >= width {
		return s
	}
	fill := "0"
	if pad == '_' {
		fill = " "
	}
	if n < 0 && fill == "0" {
		return "-" + strings.Repeat(fill, width-len(s)) + s[1:]
	}
	return strings.Repeat(fill, width-len(s)) + s
}

// convert writes what one letter stands for.
func (t tm) convert(letter byte, c conversion) (text string, known bool) {
	twelve := (t.hour+11)%12 + 1
	switch letter {
	case '%':
		return "%", true
	case 'n':
		return "\n", true
	case 't':
		return "\t", true
	case 'a':
		return c.text(short(weekday(t.wday))), true
	case 'A':
		return c.text(weekday(t.wday)), true
	case 'b', 'h':
		return c.text(short(month(t.mon))), true
	case 'B':
		return c.text(month(t.mon)), true
	case 'p':
		return t.half(c, "AM", "PM"), true
	case 'P':
		return t.half(conversion{pad: c.pad, width: c.width}, "am", "pm"), true
	case 'Z':
		if c.other {
			return c.padded("utc"), true
		}
		return c.padded("UTC"), true
	case 'z':
		return "+" + c.number(0, 4, '0'), true
	case 's':
		return c.number(int(t.seconds()), 1, '0'), true
	case 'C':
		return c.number(floorDiv(t.year, 100), 2, '0'), true
	case 'd':
		return c.number(t.mday, 2, '0'), true
	case 'e':
		return c.number(t.mday, 2, '_'), true
	case 'H':
		return c.number(t.hour, 2, '0'), true
	case 'k':
		return c.number(t.hour, 2, '_'), true
	case 'I':
		return c.number(twelve, 2, '0'), true
	case 'l':
		return c.number(twelve, 2, '_'), true
	case 'j':
		return c.number(t.yday+1, 3, '0'), true
	case 'm':
		return c.number(t.mon+1, 2, '0'), true
	case 'M':
		return c.number(t.min, 2, '0'), true
	case 'S':
		return c.number(t.sec, 2, '0'), true
	case 'u':
		return c.number((t.wday+6)%7+1, 1, '0'), true
	case 'w':
		return c.number(t.wday, 1, '0'), true
	case 'y':
		return c.number(t.year-100*floorDiv(t.year, 100), 2, '0'), true
	case 'Y':
		return c.number(t.year, 1, '0'), true
	}
	return t.convertMore(letter, c)
}

// convertMore writes weeks, and what stands for several others.
func (t tm) convertMore(letter byte, c conversion) (text string, known bool) {
	switch letter {
	case 'U':
		return c.number((t.yday-t.wday+7)/7, 2, '0'), true
	case 'W':
		return c.number((t.yday-(t.wday+6)%7+7)/7, 2, '0'), true
	case 'V', 'g', 'G':
		year, week := time.Date(t.year, time.Month(t.mon+1), t.mday, 0, 0, 0, 0, time.UTC).ISOWeek()
		switch letter {
		case 'V':
			return c.number(week, 2, '0'), true
		case 'g':
			return c.number(year-100*floorDiv(year, 100), 2, '0'), true
		}
		return c.number(year, 1, '0'), true
	}
	of := ""
	switch letter {
	case 'c':
		of = "%a %b %e %H:%M:%S %Y"
	case 'D', 'x':
		of = "%m/%d/%y"
	case 'F':
		of = "%Y-%m-%d"
	case 'r':
		of = "%I:%M:%S %p"
	case 'R':
		of = "%H:%M"
	case 'T', 'X':
		of = "%H:%M:%S"
	default:
		return "", false
	}
	text, _ = t.format(of)
	if c.upper {
		text = strings.ToUpper(text)
	}
	return c.padded(text), true
}

func (t tm) half(c conversion, am, pm string) string {
	s := am
	if t.hour > 11 {
		s = pm
	}
	if c.other {
		s = strings.ToLower(s)
	}
	return c.padded(s)
}

func short(s string) string { return s[:min(3, len(s))] }

func weekday(n int) string {
	if n < 0 || n > 6 {
		return "?"
	}
	return time.Weekday(n).String()
}

func month(n int) string {
	if n < 0 || n > 11 {
		return "?"
	}
	return time.Month(n + 1).String()
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
