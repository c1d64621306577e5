package kinesisd

import (
	"math"
	"time"
)

const (
	putBytesPerSecond   = 1 << 20
	putsPerSecond       = 1000
	readBytesPerSecond  = 2 << 20
	readsPerSecond      = 5
	pauseAfterAFullPage = 5 * time.Second
)

// meters are the rates of one shard in one direction. Each holds at most one
// second's worth, so that is the largest burst.
type meters struct {
	calls, bytes meter
	blocked      time.Time // nothing until then
}

// meter is a bucket that fills by the second.
type meter struct {
	spent float64 // what is not yet filled again
	at    time.Time
}

// left is what may be spent now; below zero after something larger than a
// second's worth.
func (m *meter) left(now time.Time, perSecond float64) float64 {
	m.spent = math.Max(0, m.spent-now.Sub(m.at).Seconds()*perSecond)
	m.at = now
	return perSecond - m.spent
}

// admitPut takes a record of that size from the shard's capacity, or reports
// that there is not enough. A record above a second's worth needs a full bucket
// and is paid off afterwards.
func (sh *shard) admitPut(now time.Time, bytes int) bool {
	m := &sh.in
	left := m.bytes.left(now, putBytesPerSecond)
	if m.calls.left(now, putsPerSecond) < 1 || left < math.Min(float64(bytes), putBytesPerSecond) {
		return false
	}
	m.calls.spent++
	m.bytes.spent += float64(bytes)
	return true
}

// admitRead takes one GetRecords from the shard's capacity, or reports that
// there is none. What it reads is paid off afterwards by spendRead.
func (sh *shard) admitRead(now time.Time) bool {
	m := &sh.out
	if now.Before(m.blocked) || m.calls.left(now, readsPerSecond) < 1 || m.bytes.left(now, readBytesPerSecond) <= 0 {
		return false
	}
	m.calls.spent++
	return true
}

func (sh *shard) spendRead(now time.Time, page *logPage) {
	sh.out.bytes.spent += float64(page.bytes)
	if page.full {
		sh.out.blocked = now.Add(pauseAfterAFullPage)
	}
}
