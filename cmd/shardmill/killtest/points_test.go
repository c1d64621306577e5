//go:build kill || search || redshift

package killtest_test

// What is at the commit and at the prepare only, in the update of a lease row.
const (
	prepares = "#pendingCheckpoint = "
	commits  = "#pendingCheckpoint, #pendingCheckpoint"
)

// Steps of the protocol between which an archiver is struck.
const (
	atPrepare       = "prepare not answered"
	atPut           = "put received, not answered"
	prepareToPut    = "between prepare and publish"
	publishToCommit = "between publish and commit"
	anyMoment       = "at any moment"
)

// point is where and how an archiver is struck.
type point struct {
	step  string
	how   string // what holds the archiver there
	fault fault  // no Kind: nothing does
	stop  bool   // SIGSTOP instead of SIGKILL
	// early lets go on what is held before another archiver takes over,
	// otherwise after that one's commit: so a held request is late.
	early bool
	// planned is whether the row has a plan while the archiver is held.
	planned bool
	// chain kills the successor too, at the same point, while it finishes what
	// this one left.
	chain bool
}

// points returns each way to strike once.
func points() []point {
	put := fault{Service: "S3", Operation: "PutObject"}
	prepare := fault{Service: "DynamoDB", Operation: "UpdateItem", Body: prepares}
	commit := fault{Service: "DynamoDB", Operation: "UpdateItem", Body: commits}
	rows := []struct {
		step, how, kind string
		fault           fault
		planned         bool
		late            bool // a request is held, so it matters when it goes on
	}{
		{atPut, "S3 holds the put", "Stall", put, true, true},
		{atPrepare, "the prepare is held", "Stall", prepare, false, true},
		{prepareToPut, "the prepare's answers are lost", "LostAnswer", prepare, true, false},
		{prepareToPut, "S3 refuses connections", "Refuse", put, true, false},
		{publishToCommit, "the put's answers are lost", "LostAnswer", put, true, false},
		{publishToCommit, "the commit is held", "Stall", commit, true, true},
		{publishToCommit, "the commit does not arrive", "Refuse", commit, true, false},
	}
	var all []point
	for _, r := range rows {
		r.fault.Kind = r.kind
		for _, stop := range []bool{false, true} {
			p := point{step: r.step, how: r.how, fault: r.fault, stop: stop, planned: r.planned}
			all = append(all, p)
			if r.late {
				p.early = true
				all = append(all, p)
			}
		}
	}
	lostCommit := commit
	lostCommit.Kind = "LostAnswer"
	return append(all,
		point{step: anyMoment, how: "nothing is held"},
		point{step: anyMoment, how: "nothing is held", stop: true},
		point{step: publishToCommit, how: "the commit's answers are lost", fault: lostCommit},
		point{step: atPut, how: "S3 holds the put, and the successor's", fault: all[0].fault, planned: true, chain: true},
		point{step: prepareToPut, how: "S3 refuses connections, the successor's too", fault: fault{Service: "S3", Operation: "PutObject", Kind: "Refuse"}, planned: true, chain: true},
	)
}
