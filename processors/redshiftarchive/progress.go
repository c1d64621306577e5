package redshiftarchive

import "sync"

// progress is what a try waits for. It is safe for concurrent use.
type progress struct {
	mu      sync.Mutex // guards what follows
	doing   string
	trouble error
}

func (p *progress) set(doing string, trouble error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doing, p.trouble = doing, trouble
}

func (p *progress) get() (doing string, trouble error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.doing, p.trouble
}
