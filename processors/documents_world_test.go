package processors_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/processors"
)

const documentsFailed = "AmazonOpenSearchService-failed"

// index is a world's index of documents, one of whose operations a request is. Some
// documents fail, others each time.
type index struct {
	w *world
	h *holding
}

func (index) FailedType() string { return documentsFailed }

func (x index) Check(ctx context.Context) error { return store(x).ask(ctx, "check", func() {}) }

func (x index) Open(in processors.IndexInput) processors.Indexing {
	return &indexing{index: x, in: in}
}

// indexing sends three documents at a time.
type indexing struct {
	index

	in      processors.IndexInput
	next    int
	outcome processors.IndexOutcome
}

func (x *indexing) Held() int64                      { return 0 }
func (x *indexing) Outcome() processors.IndexOutcome { return x.outcome }

func (x *indexing) Run(ctx context.Context) error {
	for x.next < x.in.Documents.Len() {
		if err := x.in.MayGoOn(); err != nil {
			return err
		}
		err := x.request(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			time.Sleep(time.Second)
			deadline.Beat(ctx)
		}
	}
	return nil
}

// request sends the next documents.
func (x *indexing) request(ctx context.Context) error {
	if err := x.w.hear(ctx); err != nil {
		return err
	}
	to := min(x.next+3, x.in.Documents.Len())
	var texts []string
	for i := x.next; i < to; i++ {
		place, data, err := x.in.Documents.Read(i, nil)
		if err != nil {
			return err
		}
		texts = append(texts, string(place)+" "+string(data))
	}
	w := x.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if !x.h.asked || x.h.inDoubt != "" {
		w.violate("bulk, trust asked %v, in doubt %q", x.h.asked, x.h.inDoubt)
	}
	x.h.asked = false
	if time.Now().Before(w.downUntil) {
		return errFault
	}
	var failed []bool
	call := w.counts["bulk"]
	err := w.do(ctx, x.h, "bulk", func() { failed = w.take3(texts, call) })
	if err != nil {
		return err
	}
	for i, isFailed := range failed {
		if !isFailed {
			x.outcome.Indexed++
			continue
		}
		x.outcome.Failed = append(x.outcome.Failed, processors.DocumentFailure{
			Document: x.next + i, Code: "400", Message: "refused", Attempts: 2, Ended: time.Now(), Index: "i",
		})
	}
	x.next = to
	return nil
}

// take3 is what the index does with a request: it has each document once, by its
// place, and refuses one in five.
func (w *world) take3(texts []string, call int) (failed []bool) {
	for _, text := range texts {
		place, data, _ := strings.Cut(text, " ")
		n := numberOf(data)
		if i := w.index(w.records[n].Position().ExtendedSequenceNumber); fmt.Sprintf("%s.%d", w.records[i].SequenceNumber, w.records[i].SubSequenceNumber) != place {
			w.violate("document %d has the place %s", n, place)
		}
		isFailed := (n+call)%5 == 2
		if failed = append(failed, isFailed); !isFailed {
			w.indexed[n] = true
		}
	}
	return failed
}

// numberOf returns which record a document is of.
func numberOf(data string) (n int) {
	if _, err := fmt.Sscanf(data, "<%d>", &n); err != nil {
		return -1
	}
	return n
}

// indexing returns cfg with the world's own index, if it has one.
func (w *world) indexing(cfg processors.Config, h *holding) processors.Config {
	if cfg.Index == (index{}) {
		cfg.Index = index{w, h}
	}
	return cfg
}

// indexed is config with an index.
func indexed() processors.Config {
	return with(config(), func(c *processors.Config) { c.Index, c.Prefix = index{}, "os/" })
}

// failedDocuments returns which records the lines of an error object are of.
func failedDocuments(body string) (numbers []int, err error) {
	for line := range strings.Lines(body) {
		var l struct {
			RawData                                          []byte
			AttemptsMade                                     int
			ErrorCode, ErrorMessage, ESIndexName, ESTypeName string
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			return nil, err
		}
		if l.AttemptsMade != 2 || l.ErrorCode != "400" || l.ErrorMessage != "refused" || l.ESIndexName != "i" {
			return nil, fmt.Errorf("line %s", line)
		}
		numbers = append(numbers, numberOf(string(l.RawData)))
	}
	return numbers, nil
}
