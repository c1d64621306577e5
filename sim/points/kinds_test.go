package points_test

import "slices"

// kind is what happens at a point.
type kind string

// The kinds; the package's documentation describes them.
const (
	crashBefore    kind = "crash before"
	crashAfter     kind = "crash after"
	crashLate      kind = "crash, late"
	stall          kind = "stall"
	shutDown       kind = "shut down"
	handOver       kind = "hand over"
	crossing       kind = "crossing"
	lostAnswer     kind = "lost answer"
	throttled      kind = "throttled"
	lostThrottled  kind = "lost, throttled"
	lostStarved    kind = "lost, starved"
	adoptedStarved kind = "adopted, starved"
	lateStarved    kind = "late, starved"
	neverAnswered  kind = "never answered"
	vanished       kind = "vanished"
)

// everywhere are the kinds that each point can have.
func everywhere() []kind {
	return []kind{crashBefore, crashAfter, crashLate, stall, shutDown, lostAnswer, throttled, lostThrottled, neverAnswered, vanished}
}

// kindsOf returns the kinds that p can have.
func kindsOf(p point) []kind {
	out := everywhere()
	switch p {
	case mark, announce, awaitLoad, listMarkers, readMarker, putManifest, copyBatch, copyOutcome, nameFailed, unmark, elect, renewJob:
		out = append(inPairs(), neverAnswered) // a world that loads takes long
	default:
	}
	switch p {
	case bulk, publish:
		out = append(out, handOver)
	case take:
		out = append(out, crossing, lostStarved, adoptedStarved, lateStarved)
	case renew, prepare, commit, checkpointed:
		out = append(out, crossing, lostStarved, adoptedStarved, lateStarved)
	case endShard:
		out = append(out, adoptedStarved)
	case createUpload, uploadPart, completeUpload:
		out = append(inPairs(), neverAnswered, vanished)
	case listShards, scan, readLease, iterator, getRecords, head, getBundle, listBundles, awaitLoad, listMarkers, readMarker, copyOutcome:
		// They have no effect, so nothing can be late.
		out = slices.DeleteFunc(out, func(k kind) bool { return k == crashLate || k == crashAfter || k == vanished })
	case describeTable, createTable, readProtocol, checkBucket:
		out = []kind{crashBefore, lostAnswer, throttled, neverAnswered}
	default:
	}
	return out
}

// inPairs are the kinds that pairs are made of.
func inPairs() []kind { return []kind{crashBefore, crashAfter, stall, lostThrottled} }

// strike is a fault at a point of one worker.
type strike struct {
	worker string
	point  point
	kind   kind
	skip   int // requests of the point to let through first
}

func (s strike) String() string { return s.worker + " " + string(s.point) + " " + string(s.kind) }

// usualSkip lets a point happen before it is struck, where the first time is
// not like the others.
func usualSkip(p point) int {
	switch p {
	case mark, announce, awaitLoad, listMarkers, readMarker, putManifest, copyBatch, copyOutcome, unmark, renewJob:
		return 1
	case invoke, bulk, seal, deleteBundle, prepare, publish, commit, renew, getRecords, checkpointed, scan:
		return 1
	default:
		return 0
	}
}

// archiverPoints are the points of a world of archivers.
func archiverPoints() []point {
	return []point{
		listShards, scan, readLease, createLease, deleteLease, take, renew, release, iterator, getRecords,
		prepare, publish, commit, head, publishAgain, commitAgain, createChild, annotate, endShard,
	}
}

// startPoints come when a worker starts, and never again.
func startPoints() []point { return []point{describeTable, createTable, readProtocol, checkBucket} }

// uploadPoints are those of a cut that is uploaded in parts.
func uploadPoints() []point { return []point{createUpload, uploadPart, completeUpload} }

// sealedPoints are those of a cut of several objects.
func sealedPoints() []point {
	return []point{seal, prepare, publish, commit, deleteBundle, listBundles, getBundle, head, publishAgain, commitAgain}
}

// transformedPoints are those of a cut whose records were transformed.
func transformedPoints() []point {
	return []point{invoke, seal, prepare, publish, commit, getBundle}
}

// documentPoints are those of a cut of documents, of which some fail, with a backup.
func documentPoints() []point {
	return []point{bulk, seal, prepare, publish, commit, getBundle, publishAgain, commitAgain}
}

// loadPoints are those of a cut that is loaded, and of who loads it.
func loadPoints() []point {
	return []point{
		publish, mark, announce, awaitLoad, commit, elect, renewJob, listMarkers, readMarker, putManifest, copyBatch, copyOutcome, nameFailed, unmark,
	}
}

// plainPoints are those of a world of processors that only checkpoint.
func plainPoints() []point {
	return []point{take, renew, checkpointed, endShard}
}

// isAgain reports whether p is a step of a successor that finishes a cut.
func isAgain(p point) bool {
	return p == getBundle || p == head || p == publishAgain || p == commitAgain
}
