package s3d

import (
	"slices"
	"sync"
)

// maxCompleted is how many completed uploads are remembered.
const maxCompleted = 10_000

// completion is what a CompleteMultipartUpload asked for and was answered. To
// ask the same again, as a client does whose answer was lost, is answered in
// the same way and changes nothing.
type completion struct {
	parts  []completedPart
	result completeResult
}

func (c completion) is(call Call, parts []completedPart) bool {
	return c.result.Bucket == call.Bucket && c.result.Key == call.Key && slices.Equal(c.parts, parts)
}

// completions are the latest, by the id of their upload.
type completions struct {
	mu    sync.Mutex
	byID  map[string]completion
	order []string
}

func (c *completions) find(id string) (completion, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	done, ok := c.byID[id]
	return done, ok
}

func (c *completions) add(id string, done completion) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byID == nil {
		c.byID = make(map[string]completion)
	}
	c.byID[id] = done
	c.order = append(c.order, id)
	if len(c.order) > maxCompleted {
		delete(c.byID, c.order[0])
		c.order = c.order[1:]
	}
}
