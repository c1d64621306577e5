package prefix

import (
	"fmt"
	"strings"
	"time"
)

// zoneField returns what tells the zone or its offset from UTC.
func zoneField(letter byte, count int) (f field, ok bool) {
	switch letter {
	case 'V':
		return zoneText(zoneID), count == 2
	case 'z':
		return zoneText(zoneName(count == 4, false)), count <= 4
	case 'v':
		return zoneText(zoneName(count == 4, true)), count == 1 || count == 4
	case 'O':
		return offset(localized(count == 4)), count == 1 || count == 4
	case 'X', 'x':
		return offset(isoOffset(letter, count)), count <= 5
	case 'Z':
		switch count {
		case 4:
			return offset(localized(true)), true
		case 5:
			return offset(isoOffset('X', 5)), true
		default:
			return offset(isoOffset('x', 2)), count < 4
		}
	default:
		return field{}, false
	}
}

// offset prints the seconds between UTC and a zone.
func offset(text func(seconds int) string) field {
	return field{
		print: func(t time.Time) string {
			_, seconds := t.Zone()
			return text(seconds)
		},
		longest: text(-(10*3600 + 11*60 + 11)),
	}
}

// localized is GMT and what is added to it, in full or as short as can be.
func localized(full bool) func(int) string {
	return func(seconds int) string {
		if seconds == 0 {
			return "GMT"
		}
		sign, h, m, s := clock(seconds)
		switch {
		case s != 0 && full:
			return fmt.Sprintf("GMT%s%02d:%02d:%02d", sign, h, m, s)
		case full:
			return fmt.Sprintf("GMT%s%02d:%02d", sign, h, m)
		case s != 0:
			return fmt.Sprintf("GMT%s%d:%02d:%02d", sign, h, m, s)
		case m != 0:
			return fmt.Sprintf("GMT%s%d:%02d", sign, h, m)
		default:
			return fmt.Sprintf("GMT%s%d", sign, h)
		}
	}
}

// isoOffset is what a run of X or x prints: hours (1), minutes with or without a
// colon (2 and 4, 3 and 5), seconds if there are some (4 and 5). UTC is Z to X.
func isoOffset(letter byte, count int) func(int) string {
	colon := ""
	if count == 3 || count == 5 {
		colon = ":"
	}
	return func(seconds int) string {
		if seconds == 0 && letter == 'X' {
			return "Z"
		}
		sign, h, m, s := clock(seconds)
		var b strings.Builder
		fmt.Fprintf(&b, "%s%02d", sign, h)
		if count > 1 || m != 0 {
			fmt.Fprintf(&b, "%s%02d", colon, m)
		}
		if count > 3 && s != 0 {
			fmt.Fprintf(&b, "%s%02d", colon, s)
		}
		return b.String()
	}
}

func clock(seconds int) (sign string, h, m, s int) {
	sign = "+"
	if seconds < 0 {
		sign, seconds = "-", -seconds
	}
	return sign, seconds / 3600, seconds / 60 % 60, seconds % 60
}
