//go:build kill

package killtest_test

import (
	"slices"
	"syscall"
	"time"
)

// trouble is one kind of it.
type trouble struct {
	kind string
	make func(c *chaos) bool // reports whether it was made
}

const (
	kills      = "kill -9"
	killsTwo   = "kill -9 of two at once"
	stops      = "SIGSTOP for less than the failover time"
	longStops  = "SIGSTOP for longer"
	terminates = "SIGTERM"
	atPoints   = "at a point of the protocol"
	throttles  = "throttling"
	errors5xx  = "500 and 503"
	refuses    = "connections cut before"
	loses      = "connections cut after"
	delays     = "latency"
	stalls     = "requests that land late"
	silences   = "requests never answered"
	splits     = "split"
	merges     = "merge"
	chains     = "chain of reshards"
	quiet      = "nothing, for a while"
)

// troubles returns each kind as often as it is to come in a round.
func troubles() []trouble {
	var all []trouble
	for _, row := range []struct {
		kind  string
		times int
		make  func(c *chaos) bool
	}{
		{kills, 4, func(c *chaos) bool { return c.kill(1) }},
		{killsTwo, 1, func(c *chaos) bool { return c.kill(2) }},
		{stops, 2, func(c *chaos) bool { return c.stop(c.between(chaosFailover/10, chaosFailover*8/10), false) }},
		{longStops, 3, func(c *chaos) bool { return c.stop(c.between(chaosFailover*3/2, chaosFailover*4), true) }},
		{terminates, 2, (*chaos).terminate},
		{atPoints, 14, (*chaos).strikeAtPoint},
		{throttles, 3, func(c *chaos) bool { return c.storm(fault{Kind: "Throttle"}, 6*time.Second) }},
		{errors5xx, 3, func(c *chaos) bool {
			return c.storm(fault{Kind: "ServerError", Status: 500 + 3*c.rng.IntN(2)}, 5*time.Second)
		}},
		{refuses, 2, func(c *chaos) bool { return c.storm(fault{Kind: "Refuse"}, 5*time.Second) }},
		{loses, 3, func(c *chaos) bool { return c.storm(fault{Kind: "LostAnswer"}, 4*time.Second) }},
		{delays, 2, func(c *chaos) bool {
			return c.storm(fault{Kind: "Latency", Duration: c.between(20*time.Millisecond, time.Second).String()}, 6*time.Second)
		}},
		{stalls, 3, func(c *chaos) bool {
			return c.storm(fault{Kind: "Stall", Duration: c.between(chaosFailover/5, chaosFailover*3).String(), Times: 1 + c.rng.IntN(6)}, 6*chaosFailover)
		}},
		{silences, 3, func(c *chaos) bool {
			return c.storm(fault{Kind: []string{"NoAnswer", "Swallow"}[c.rng.IntN(2)], Times: 1 + c.rng.IntN(4)}, 6*chaosFailover)
		}},
		{splits, 2, (*chaos).split},
		{merges, 2, (*chaos).merge},
		{chains, 1, (*chaos).chain},
		{quiet, 2, (*chaos).rest},
	} {
		for range row.times {
			all = append(all, trouble{kind: row.kind, make: row.make})
		}
	}
	return all
}

func (c *chaos) between(least, most time.Duration) time.Duration {
	return least + time.Duration(c.rng.Int64N(int64(most-least)))
}

// pick chooses an archiver that is well; -1 if enough are not.
func (c *chaos) pick() int {
	if len(c.troubled) >= mostTroubled {
		return -1
	}
	for {
		if slot := c.rng.IntN(len(c.archivers.slots)); !c.troubled[slot] {
			return slot
		}
	}
}

// rest makes nothing for a while.
func (c *chaos) rest() bool {
	c.next = time.Now().Add(c.between(chaosFailover, 3*chaosFailover))
	return true
}

// kill kills some at once.
func (c *chaos) kill(n int) bool {
	c.t.Helper()
	for i := range n {
		slot := c.pick()
		if slot < 0 {
			return i > 0
		}
		c.killSlot(slot)
	}
	return true
}

// killSlot kills an archiver and starts it again later, as the same worker or
// another one.
func (c *chaos) killSlot(slot int) {
	c.t.Helper()
	a := c.archivers.slots[slot]
	c.troubled[slot] = true
	c.watch.struck(c.s, a, byKill)
	a.kill()
	c.restart(slot, c.between(0, 2*chaosFailover))
}

// restart starts an archiver that has ended.
func (c *chaos) restart(slot int, after time.Duration) {
	same := c.rng.IntN(2) == 0
	c.later(after, func() {
		c.watch.restarted(c.archivers.slots[slot].worker)
		c.archivers.start(slot, same)
		delete(c.troubled, slot)
	})
}

// stop stops an archiver for a while.
func (c *chaos) stop(lasts time.Duration, long bool) bool {
	c.t.Helper()
	slot := c.pick()
	if slot < 0 {
		return false
	}
	c.stopSlot(slot, lasts, long)
	return true
}

func (c *chaos) stopSlot(slot int, lasts time.Duration, long bool) {
	c.t.Helper()
	a := c.archivers.slots[slot]
	c.troubled[slot] = true
	if long {
		c.watch.struck(c.s, a, byStop)
	}
	a.signal(syscall.SIGSTOP)
	c.later(lasts, func() {
		a.signal(syscall.SIGCONT)
		delete(c.troubled, slot)
	})
}

// terminate lets an archiver end in order.
func (c *chaos) terminate() bool {
	c.t.Helper()
	slot := c.pick()
	if slot < 0 {
		return false
	}
	a := c.archivers.slots[slot]
	c.troubled[slot] = true
	c.watch.struck(c.s, a, byTerm)
	a.killed = true // by us, however it ends
	begun := a.hasBegun()
	a.signal(syscall.SIGTERM)
	began := time.Now()
	var poll func()
	poll = func() {
		select {
		case <-a.ended:
			switch code := a.cmd.ProcessState.ExitCode(); {
			case code == 128+int(syscall.SIGTERM):
				c.shutdown["in order"]++
			case code == 1:
				c.shutdown["after its limit of time"]++
			case !begun:
				c.shutdown["before it had begun"]++
			default:
				c.t.Errorf("%s ended with exit code %d when told to", a.name, code)
			}
			c.restart(slot, c.between(0, chaosFailover))
		default:
			if time.Since(began) > patience {
				c.t.Errorf("%s does not end", a.name)
				a.signal(syscall.SIGQUIT) // its goroutines go to the log
				<-a.ended
			}
			c.later(50*time.Millisecond, poll)
		}
	}
	poll()
	return true
}

// strikeAtPoint kills or stops an archiver at a point of the protocol. What is
// held there goes on before another archiver takes over, or much later.
func (c *chaos) strikeAtPoint() bool {
	c.t.Helper()
	slot := c.pick()
	if slot < 0 {
		return false
	}
	list := slices.DeleteFunc(points(), func(p point) bool { return p.fault.Kind == "" })
	p := list[c.rng.IntN(len(list))]
	c.troubled[slot] = true
	a := c.archivers.slots[slot]
	p.fault.UserAgent = "app/" + a.name
	f := c.s.add(p.fault)
	limit := time.Now().Add(2 * chaosFailover)
	var poll func()
	poll = func() {
		switch {
		case c.calming:
			delete(c.troubled, slot)
		case c.s.look(f).Struck:
			c.points[p.step]++
			c.remove(f, c.between(0, 6*chaosFailover))
			if p.stop {
				c.stopSlot(slot, c.between(chaosFailover, 4*chaosFailover), true)
			} else {
				c.killSlot(slot)
			}
		case time.Now().After(limit): // it had nothing to archive
			c.remove(f, 0)
			delete(c.troubled, slot)
		default:
			c.later(50*time.Millisecond, poll)
		}
	}
	poll()
	return true
}

// operations are those that a storm may be about.
func operations() []fault {
	return []fault{
		{Service: "DynamoDB"},
		{Service: "DynamoDB", Operation: "UpdateItem"},
		{Service: "DynamoDB", Operation: "Scan"},
		{Service: "DynamoDB", Operation: "TransactWriteItems"},
		{Service: "DynamoDB", Operation: "UpdateItem", Body: prepares},
		{Service: "DynamoDB", Operation: "UpdateItem", Body: commits},
		{Service: "Kinesis"},
		{Service: "Kinesis", Operation: "GetRecords"},
		{Service: "Kinesis", Operation: "GetShardIterator"},
		{Service: "Kinesis", Operation: "ListShards"},
		{Service: "S3"},
		{Service: "S3", Operation: "PutObject"},
		{Service: "S3", Operation: "HeadObject"},
	}
}

// storm lets requests go wrong for a while: of one archiver or of all, of a
// service or of one operation.
func (c *chaos) storm(f fault, most time.Duration) bool {
	c.t.Helper()
	list := operations()
	o := list[c.rng.IntN(len(list))]
	f.Service, f.Operation, f.Body, f.UserAgent = o.Service, o.Operation, o.Body, "app/archiver-"
	if c.rng.IntN(2) == 0 {
		f.UserAgent = "app/" + c.archivers.slots[c.rng.IntN(len(c.archivers.slots))].name
	}
	onTable := 0
	if f.Service == "DynamoDB" {
		onTable = 1
	}
	c.storms += onTable
	lasts := c.between(most/20, most)
	c.remove(c.s.add(f), lasts)
	c.later(lasts, func() { c.storms -= onTable })
	return true
}

// remove ends a fault after a while.
func (c *chaos) remove(f fault, after time.Duration) {
	c.later(after, func() {
		if !c.calming { // else all were removed
			c.s.remove(f)
		}
	})
}
