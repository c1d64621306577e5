package rows

import "time"

// Lasting is how long a contradiction must last that a listing which is behind
// would explain: no listing is so far behind.
const Lasting = 30 * time.Second

// Doubts remembers the contradictions that may come of a listing that is behind,
// from one listing to the next. The zero value has none. One goroutine owns it.
type Doubts struct {
	since map[string]doubt
}

type doubt struct {
	verdict Verdict
	begun   time.Time
	lasting bool
}

// None reports whether nothing is in doubt.
func (d *Doubts) None() bool { return len(d.since) == 0 }

// Lasts reports whether the last listing was one of which Note returned key: the
// next one will hardly explain the row either.
func (d *Doubts) Lasts(key string) bool { return d.since[key].lasting }

// Note is told what a whole listing that began at now says of the rows that were
// read before it. It returns the keys whose contradiction has lasted for so long
// that a consistent reading of the row decides. What is not contradicted any more
// is forgotten.
func (d *Doubts) Note(now time.Time, judged map[string]Judgement) (lasting []string) {
	since := make(map[string]doubt)
	for key, j := range judged {
		if !j.MayBeLag() {
			continue
		}
		was, ok := d.since[key]
		if !ok || was.verdict != j.Verdict {
			was = doubt{verdict: j.Verdict, begun: now}
		}
		if was.lasting = now.Sub(was.begun) >= Lasting; was.lasting {
			lasting = append(lasting, key)
		}
		since[key] = was
	}
	d.since = since
	return lasting
}
