package decode

import (
	"context"
	"errors"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/shardmill/shardmill/kcl"
)

// Call is one GetRecords: what its page is to keep to, and where it is put. One
// call may make several requests: tries, one after another, each of which begins
// by letting go of what the one before it brought. An API of a user's own may even
// make some at once, and return with one while others still run: of those nothing
// is kept.
type Call struct {
	Room  kcl.Room // what the page may take
	Limit int      // the most records that were asked for

	mu       sync.Mutex
	page     *Page // of the last answer
	answered bool
	over     bool
	iterator string // that was asked by last
	cbor     bool   // asked for in CBOR
	readOn   bool   // records were answered, and then others were asked for
}

type callKey struct{}

// In returns a context for the call.
func (c *Call) In(ctx context.Context) context.Context { return context.WithValue(ctx, callKey{}, c) }

// of returns the call that ctx is for, or nil.
func of(ctx context.Context) *Call {
	c, _ := ctx.Value(callKey{}).(*Call)
	return c
}

// put notes the page of an answer, or nil as another try begins.
func (c *Call) put(p *Page) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.page
	c.page = p
	c.answered = c.answered || p != nil
	if c.over {
		old, c.page = p, nil
	}
	if old != nil {
		old.Release()
	}
}

// ask notes a request.
func (c *Call) ask(iterator string, cbor bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readOn = c.readOn || iterator != c.iterator && c.page != nil && len(c.page.Records) > 0
	c.iterator, c.cbor = iterator, cbor
}

func (c *Call) inCBOR() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cbor
}

// errOther means that the output of a call and its records are of two answers, or
// that there were records before them which the API did not see. Nothing is known
// of what those were.
var errOther = errors.New("the API returned another output than that of its one request for a page: it must make one request for each, or see Options.SDKDecoding")

// Take ends a call that returned out, and returns its page; of one that the SDK
// has decoded, or an API that knows nothing of this package, it is not Ours.
func (c *Call) Take(out *kinesis.GetRecordsOutput) (*Page, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	p := c.page
	c.page = nil
	switch {
	case !c.answered:
		return new(Page), nil
	case p == nil:
		return nil, errOther
	case c.readOn || p.next != aws.ToString(out.NextShardIterator), p.Ours && len(out.Records) > 0:
		p.Release()
		return nil, errOther
	}
	return p, nil
}

// Drop ends a call that failed.
func (c *Call) Drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	if c.page != nil {
		c.page.Release()
	}
	c.page = nil
}
