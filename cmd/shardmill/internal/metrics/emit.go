package metrics

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	period   = time.Minute // of Firehose's metrics in CloudWatch
	lastWait = 5 * time.Second
)

// EmitEMF writes Firehose's metrics in CloudWatch's embedded metric format, once a
// minute until the function that it returns is called, which writes what is left and
// takes 10 seconds at most. A write gets whole lines and may take any time: meanwhile
// nothing is written, and after it what happened meanwhile. A write that fails is told,
// and what it was to write is in the next; if part of it was written, twice. Call it
// once; the end of ctx is not that of the metrics.
func (m *Metrics) EmitEMF(ctx context.Context, namespace string, write func([]byte) error, log *zap.Logger) (end func()) {
	e := &emitter{emf: newEMF(m, namespace), write: write, log: log}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx)) // what is left is written behind its end
	var running sync.WaitGroup
	running.Go(func() { e.run(ctx) })
	return func() {
		stop()
		running.Wait()
	}
}

// emitter writes lines on a goroutine of its own, so that nobody waits for it.
type emitter struct {
	*emf

	write   func([]byte) error
	log     *zap.Logger
	writing chan error // how the write under way ended; nil without one
	upTo    counted    // what it writes
}

func (e *emitter) run(ctx context.Context) {
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			e.last()
			return
		case err := <-e.writing:
			e.done(err)
		case <-ticker.C:
			if e.writing != nil {
				e.log.Warn("metrics in EMF are not taken: the write of a minute ago goes on")
				continue
			}
			e.begin()
		}
	}
}

// begin begins to write the lines of the time since those before.
func (e *emitter) begin() {
	text, upTo := e.lines(time.Now())
	writing := make(chan error, 1) // the goroutine ends whoever hears of it
	e.writing, e.upTo = writing, upTo
	go func() { writing <- e.write(text) }()
}

func (e *emitter) done(err error) {
	e.writing = nil
	if err != nil {
		e.log.Warn("metrics in EMF could not be written; they are in the next line", zap.Error(err))
		return
	}
	e.wrote(e.upTo)
}

// last waits for a write under way, and writes what is left. A write that does not end
// is left to the end of the process.
func (e *emitter) last() {
	if e.writing != nil && !e.await() {
		return
	}
	e.begin()
	e.await()
}

// await waits for a write, and returns false if it does not end.
func (e *emitter) await() bool {
	select {
	case err := <-e.writing:
		e.done(err)
		return true
	case <-time.After(lastWait):
		e.log.Warn("metrics in EMF are not taken: the last ones are lost", zap.Duration("waited", lastWait))
		return false
	}
}
