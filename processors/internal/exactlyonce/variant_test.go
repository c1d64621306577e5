package exactlyonce_test

import "fmt"

// variant is what a world may do, and in which way its protocol deviates from
// the good one.
type variant struct {
	records                                      uint8
	crashes, lost, takes, redeliveries, releases uint8 // how many of each there may be

	impure  bool  // which records are fine differs from one transform to the next
	trim    bool  // record 1 may expire at any time
	seeks   uint8 // how often an operator may move the checkpoint back to the beginning
	combine bool  // a commit may carry the next prepare
	sameID  bool  // the workers have one worker ID

	atLeastOnce [3]bool // by worker: no prepare
	ignores     [3]bool // by worker: begins at the checkpoint whatever is pending, as Java does
	otherRule   [3]bool // by worker: what it reads again are other records than were there, and as many
	maybeTwice  bool    // nothing more is promised than that no record is lost

	// The deviations.
	unprepared    bool // publishes before it prepares
	inDoubt       bool // goes on while the prepare's outcome is unknown
	ownHints      bool // a redo ends where the successor likes
	overwrites    bool // puts without If-None-Match
	derivedKey    bool // the key is made of the cut's bounds
	derivedStart  bool // the key is made of the cut's beginning
	freshKey      bool // a redo draws a key of its own
	replans       bool // a redo that cannot reproduce the cut forgets the plan
	releaseClears bool // a release removes the plan
	oldFilter     bool // after a redo the records after the former checkpoint pass
	appendsTwice  bool // no high-water mark
	unfenced      bool // a commit has no condition
	counterOnly   bool // a write that fails its condition counts as done if owner and counter are as it would leave them
	unreadPlan    bool // commits a pending cut without looking for its object
	losesQuietly  bool // a redo does not compare with the plan
	believes      bool // a redo takes other records than the plan's for what there is
	misfits       bool // a plan is carried out though it does not fit the row
}

// event is something that a good world must have seen, or it proves little.
type event uint8

const (
	redone event = iota
	found
	refusedPut
	adoptedTake
	adoptedPrepare
	adoptedCommit
	lateAfterCommit
	lateWhileOwned
	droppedAgain
	leaseLost
	releasedPending
	rest
	wholeAfterAll
	gaveUpWaiting
	combined
	ignored
	voided
	unfinishable
	differs

	// Of kind S.

	putAgain
	carriedOn
	foundSome
	lateObject
	swept
	aborted
	uploadedAgain
	lostBundle
	allThere
	gaveUpOnce
	clonedVoid
	filledBehind

	// With markers.

	loadedOnce
	loadedAgain
	lateMarker
	awaitedByNext
	readWhileAwaiting

	events
)

func (e event) String() string {
	return [...]string{
		"a successor finishes a cut", "a successor finds the object", "a put is refused with 412", "a take that had happened is adopted",
		"a prepare that had happened is adopted", "a commit that had happened is adopted", "a put lands after the successor's commit",
		"a put of a former holder lands", "a redelivered record is dropped", "a write fails since the lease is lost",
		"a lease is released with its plan", "the rest of a trimmed cut is put", "a whole object wins against a rest",
		"a put is repeated while the first is under way", "a commit carries the next prepare",
		"a plan is ignored", "a plan that does not fit the row is cleared",
		"a plan cannot be finished", "a plan's records are others than they were",
		"a bundle is put twice", "a successor publishes from the bundle", "a successor finds some of the objects",
		"an object of a former holder is stored late", "a bundle is swept", "an upload is aborted", "a bundle is uploaded again",
		"a bundle is lost", "all objects of a lost bundle are there", "exactly once is given up", "a clone clears its plan",
		"the next cut fills behind",
		"a marker's objects are loaded", "a marker's objects are loaded again", "a marker is put after it was taken",
		"a successor waits for a marker's end", "a successor reads on while it waits for a load",
	}[e]
}

// step is one transition, as it is told.
type step struct {
	who  uint8
	does string
	n    uint8
	key  uint8
	body bag
}

func (s step) String() string {
	text := s.does
	if s.who != 0 {
		text = name(s.who) + ": " + text
	}
	if s.n != 0 {
		text += fmt.Sprintf(" %d", s.n)
	}
	if s.key != 0 {
		text += fmt.Sprintf(" key %d", s.key)
	}
	if s.body != 0 {
		text += " " + s.body.String()
	}
	return text
}
