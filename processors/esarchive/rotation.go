package esarchive

import (
	"fmt"
	"time"

	"github.com/shardmill/shardmill/processors/prefix"
)

// rotation names the index of a document. It is safe for concurrent use.
type rotation struct {
	name   string
	suffix prefix.Prefix // printed of the UTC arrival; the zero value prints nothing
	iso    bool          // the suffix is an ISO week
}

// longestSuffix is how many bytes follow a name at most: "-yyyy-MM-dd-HH".
const longestSuffix = 14

// newRotation returns what names the indices of a Config. The errors name its fields.
func newRotation(name string, period IndexRotationPeriod, weeks Weeks) (rotation, error) {
	if weeks != USWeeks && weeks != ISOWeeks {
		return rotation{}, wrong("Weeks", string(weeks), "must be us or iso")
	}
	r := rotation{name: name}
	var pattern string
	switch period {
	case NoRotation:
		return r, nil
	case OneHour:
		pattern = "yyyy-MM-dd-HH"
	case OneDay:
		pattern = "yyyy-MM-dd"
	case OneMonth:
		pattern = "yyyy-MM"
	case OneWeek:
		pattern = "YYYY-'w'ww"
		r.iso = weeks == ISOWeeks
	default:
		return rotation{}, wrong("IndexRotationPeriod", string(period), "must be NoRotation, OneHour, OneDay, OneWeek or OneMonth")
	}
	var err error
	r.suffix, err = prefix.Parse("-!{timestamp:"+pattern+"}", prefix.Objects)
	if err != nil {
		return rotation{}, fmt.Errorf("IndexRotationPeriod %q: %w", period, err)
	}
	return r, nil
}

// index returns the name of the index of documents that arrived at that time.
func (r rotation) index(at time.Time) string {
	at = at.UTC()
	if r.iso {
		year, week := at.ISOWeek()
		return fmt.Sprintf("%s-%04d-w%02d", r.name, year, week)
	}
	suffix, err := r.suffix.Evaluate(prefix.Values{At: at})
	if err != nil {
		return r.name // never: it has no partition keys
	}
	return r.name + suffix
}

// hour tells times apart that can have names of their own: all names change on the hour.
func (r rotation) hour(at time.Time) int64 { return at.Unix() / 3600 }
