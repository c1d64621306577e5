package prefix

import (
	"strings"
	"time"
)

// locale is the one whose texts and weeks patterns print, for tests that ask Java.
//
// Firehose's is not documented. en-US is what a JVM takes by default where English
// is spoken or nothing is said; of the other candidate, ROOT, only texts of four or
// five letters and the letter B differ: Aug for August.
const locale = "en-US"

// words are what a letter prints, one word for each value.
type words []string

func listed(s string) words { return strings.Split(s, " ") }

func (w words) field(value func(time.Time) int) field {
	f := field{print: func(t time.Time) string { return w[value(t)] }}
	for _, s := range w {
		if len(s) > len(f.longest) {
			f.longest = s
		}
	}
	return f
}

// textField returns what prints as a word.
func textField(letter byte, count int) (f field, ok bool) {
	var value func(time.Time) int
	var all [3]words // short, full, narrow
	least := 3       // letters of the short one
	switch letter {
	case 'G':
		value, all, least = func(time.Time) int { return 0 }, [3]words{{"AD"}, {"Anno Domini"}, {"A"}}, 1
	case 'M', 'L':
		value, all = func(t time.Time) int { return int(t.Month()) - 1 }, months()
	case 'Q', 'q':
		value, all = func(t time.Time) int { return quarter(t) - 1 }, quarters()
	case 'E':
		value, all, least = func(t time.Time) int { return int(t.Weekday()) }, days(), 1
	case 'e', 'c':
		value, all = func(t time.Time) int { return int(t.Weekday()) }, days()
	case 'a':
		return listed("AM PM").field(func(t time.Time) int { return t.Hour() / 12 }), count == 1
	case 'B':
		return dayPeriods(count == 5).field(dayPeriod), count == 1 || count == 4 || count == 5
	default:
		return field{}, false
	}
	if count < least || count > 5 {
		return field{}, false
	}
	return all[max(0, count-3)].field(value), true
}

func months() [3]words {
	return [3]words{
		listed("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"),
		listed("January February March April May June July August September October November December"),
		listed("J F M A M J J A S O N D"),
	}
}

func days() [3]words {
	return [3]words{
		listed("Sun Mon Tue Wed Thu Fri Sat"),
		listed("Sunday Monday Tuesday Wednesday Thursday Friday Saturday"),
		listed("S M T W T F S"),
	}
}

func quarters() [3]words {
	return [3]words{listed("Q1 Q2 Q3 Q4"), {"1st quarter", "2nd quarter", "3rd quarter", "4th quarter"}, listed("1 2 3 4")}
}

func dayPeriods(narrow bool) words {
	w := words{"midnight", "noon", "in the morning", "in the afternoon", "in the evening", "at night"}
	if narrow {
		w[0], w[1] = "mi", "n"
	}
	return w
}

// dayPeriod is the index of one of the dayPeriods.
func dayPeriod(t time.Time) int {
	switch h, m, _ := t.Clock(); {
	case h == 0 && m == 0:
		return 0
	case h == 12 && m == 0:
		return 1
	case h < 6 || h >= 21:
		return 5
	case h < 12:
		return 2
	case h < 18:
		return 3
	default:
		return 4
	}
}
