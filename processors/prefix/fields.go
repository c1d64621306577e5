package prefix

import (
	"fmt"
	"strings"
	"time"
)

// field prints one thing of an instant.
type field struct {
	print   func(time.Time) string
	longest string // with as many bytes as print ever returns
	number  bool   // Java reads it as digits
	fails   bool   // Java cannot print it
	fine    bool   // it changes within a second
}

// newField returns what a run of a letter prints.
// Source: java.time.format.DateTimeFormatterBuilder.appendPattern.
func newField(letter byte, count int) (field, error) {
	f, ok := numberField(letter, count)
	if !ok {
		f, ok = textField(letter, count)
	}
	if !ok {
		f, ok = zoneField(letter, count)
	}
	switch {
	case ok:
		return f, nil
	case strings.IndexByte("CIJPRTUbfijlort", letter) >= 0:
		return field{}, fmt.Errorf("%c is no letter of patterns; put texts in single quotes", letter)
	default:
		return field{}, fmt.Errorf("the letter %c cannot stand there %s", letter, times(count))
	}
}

func times(n int) string {
	if n == 1 {
		return "alone"
	}
	return fmt.Sprintf("%d times", n)
}

// numberField returns what prints as digits, whatever the locale's texts are.
func numberField(letter byte, count int) (f field, ok bool) {
	switch letter {
	case 'u', 'y':
		return year(time.Time.Year, count), count <= 19
	case 'Y':
		return year(weekYear, count), true
	case 'M', 'L':
		return number(func(t time.Time) int { return int(t.Month()) }, count, 12), count <= 2
	case 'Q', 'q':
		return number(quarter, count, 4), count <= 2
	case 'D':
		return number(time.Time.YearDay, count, 366), count <= 3
	case 'd':
		return number(time.Time.Day, count, 31), count <= 2
	case 'F':
		return number(func(t time.Time) int { return (t.Day()-1)%7 + 1 }, count, 7), count == 1
	case 'w':
		return number(weekOfYear, count, 53), count <= 2
	case 'W':
		return number(weekOfMonth, count, 6), count == 1
	case 'e':
		return number(dayOfWeek, count, 7), count <= 2
	case 'c':
		return number(dayOfWeek, count, 7), count == 1
	case 'g':
		return number(func(t time.Time) int { return julianDay(t) }, count, julianDay(time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC))), count <= 19
	default:
		return timeField(letter, count)
	}
}

// timeField returns what tells the time of day.
func timeField(letter byte, count int) (f field, ok bool) {
	switch letter {
	case 'H':
		return number(time.Time.Hour, count, 23), count <= 2
	case 'k':
		return number(func(t time.Time) int { return (t.Hour()+23)%24 + 1 }, count, 24), count <= 2
	case 'K':
		return number(func(t time.Time) int { return t.Hour() % 12 }, count, 11), count <= 2
	case 'h':
		return number(func(t time.Time) int { return (t.Hour()+11)%12 + 1 }, count, 12), count <= 2
	case 'm':
		return number(time.Time.Minute, count, 59), count <= 2
	case 's':
		return number(time.Time.Second, count, 59), count <= 2
	case 'S':
		return field{
			print:   func(t time.Time) string { return fmt.Sprintf("%09d", t.Nanosecond())[:count] },
			longest: strings.Repeat("9", min(count, 9)), number: true, fine: true,
		}, count <= 9
	case 'A':
		return number64(func(t time.Time) int64 { return nanoOfDay(t) / 1e6 }, count, 86_399_999).finer(), count <= 19
	case 'n':
		return number(time.Time.Nanosecond, count, 999_999_999).finer(), count <= 19
	case 'N':
		return number64(nanoOfDay, count, 86_399_999_999_999).finer(), count <= 19
	default:
		return field{}, false
	}
}

func (f field) finer() field {
	f.fine = true
	return f
}

func number(value func(time.Time) int, width, largest int) field {
	return number64(func(t time.Time) int64 { return int64(value(t)) }, width, int64(largest))
}

// number64 prints a value of at least width digits, at most largest.
func number64(value func(time.Time) int64, width int, largest int64) field {
	digits := func(n int64) string { return fmt.Sprintf("%0*d", width, n) }
	return field{print: func(t time.Time) string { return digits(value(t)) }, longest: digits(largest), number: true}
}

// year prints a year; two letters are its last two digits.
func year(value func(time.Time) int, width int) field {
	if width == 2 {
		return number(func(t time.Time) int { return value(t) % 100 }, width, 99)
	}
	f := number(value, width, 9999)
	f.fails = width > 10 && width < 19 // an array of Java's ends there
	return f
}

func quarter(t time.Time) int { return (int(t.Month()) + 2) / 3 }

func nanoOfDay(t time.Time) int64 {
	h, m, s := t.Clock()
	return int64(h*3600+m*60+s)*1e9 + int64(t.Nanosecond())
}

// julianDay counts the days of t's calendar since 17 November 1858.
func julianDay(t time.Time) int {
	y, m, d := t.Date()
	const epoch = 40587 // 1 January 1970
	return int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix()/86400) + epoch
}
