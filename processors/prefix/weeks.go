package prefix

import "time"

// A week begins on Sunday, and the first one of a year or month is the one with
// its first day: the rule of [locale].

// dayOfWeek is 1 on Sunday.
func dayOfWeek(t time.Time) int { return int(t.Weekday()) + 1 }

// nextYear tells whether t's week has a day of the next year.
func nextYear(t time.Time) bool { return t.Month() == time.December && t.Day()+6-int(t.Weekday()) > 31 }

// weekYear is the year that t's week belongs to.
func weekYear(t time.Time) int {
	if nextYear(t) {
		return t.Year() + 1
	}
	return t.Year()
}

func weekOfYear(t time.Time) int {
	if nextYear(t) {
		return 1
	}
	return week(t, t.YearDay())
}

func weekOfMonth(t time.Time) int { return week(t, t.Day()) }

// week counts the weeks up to t, the day-th day of what is counted.
func week(t time.Time, day int) int {
	before := (int(t.Weekday()) - (day - 1) + 53*7) % 7 // days of the first week that are not in it
	return (day-1+before)/7 + 1
}
