package document

import "strings"

// nearest returns the name that was probably meant by the one written, or "".
// Case does not count; a slip for each four letters does not either, nor does
// an end that was left out or added. Of equally near names the first wins.
func nearest(written string, names []string) string {
	best, least := "", len(written)/4+1
	low := strings.ToLower(written)
	for _, name := range names {
		other := strings.ToLower(name)
		if d := distance(low, other, least); d < least {
			best, least = name, d
		}
	}
	if best != "" || len(low) < 4 {
		return best
	}
	for _, name := range names {
		other := strings.ToLower(name)
		if strings.HasPrefix(other, low) || strings.HasPrefix(low, other) {
			return name
		}
	}
	return ""
}

// distance is how many bytes must be put in, left out or changed to make b of a.
// From limit on it is just limit or more.
func distance(a, b string, limit int) int {
	if d := len(a) - len(b); d >= limit || -d >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			changed := diagonal
			if a[i] != b[j] {
				changed++
			}
			diagonal = row[j+1]
			row[j+1] = min(changed, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
