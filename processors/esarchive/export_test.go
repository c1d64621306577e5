package esarchive

import (
	"context"
	"time"
)

// Item, Fault and Cluster are what a test's server answers with.
type (
	Item struct {
		Status       int
		Kind, Reason string
	}
	Fault struct {
		Code, Message                            string
		Status                                   int
		Auth, Rejected, TooLarge, Down, Mismatch bool
	}
	Cluster struct {
		Engine     string
		Major      int
		MaxContent int64
		IsLimited  bool // it said so
	}
)

// Requester is what answers requests in place of a cluster.
type Requester interface {
	Bulk(ctx context.Context, body []byte, n int) ([]Item, *Fault)
	Cluster() Cluster
}

type fake struct{ Requester }

func (f fake) bulk(ctx context.Context, body []byte, n int) (answer, *fault) {
	items, broken := f.Bulk(ctx, body, n)
	if broken != nil {
		return answer{}, &fault{
			code: broken.Code, message: broken.Message, status: broken.Status,
			auth: broken.Auth, rejected: broken.Rejected, tooLarge: broken.TooLarge, down: broken.Down, mismatch: broken.Mismatch,
		}
	}
	a := answer{items: make([]item, len(items))}
	for i, it := range items {
		a.items[i] = item{it.Status, it.Kind, it.Reason}
	}
	return a, nil
}

func (f fake) cluster(context.Context) cluster {
	c := f.Cluster()
	return cluster{engine: c.Engine, major: c.Major, maxContent: c.MaxContent, isLimited: c.IsLimited}
}

// NewWith returns an Index that r answers, without a client.
func NewWith(c Config, r Requester) (*Index, error) {
	s, err := c.settle()
	if err != nil {
		return nil, err
	}
	return newIndex(s, fake{r}), nil
}

// Settle returns what is wrong with a Config, but for what only the client knows.
func Settle(c Config) error {
	_, err := c.settle()
	return err
}

// Source says why a record's data cannot be sent; "" if they can.
func Source(data []byte) (text []byte, why string) { return source(data) }

// Find returns the value at a path of a valid document.
func Find(text []byte, path string) []byte { return newPath(path).find(text).raw }

// Quoted returns a text as JSON has it.
func Quoted(text string) string { return string(appendQuoted(nil, text)) }

// Used returns how many bytes are granted to requests.
func (x *Index) Used() int64 {
	x.budget.mu.Lock()
	defer x.budget.mu.Unlock()
	return x.budget.used
}

// Limit returns how large requests may be.
func (x *Index) Limit(now time.Time) int64 { return x.lesson.bytes(now) }

// Verdict names what follows from an answer for a document.
func Verdict(c Config, it Item, hadID bool) (string, error) {
	s, err := c.settle()
	names := map[verdict]string{again: "again", done: "done", superseded: "superseded", hopeless: "hopeless", anew: "anew"}
	return names[s.judge(item{it.Status, it.Kind, it.Reason}, hadID)], err
}
