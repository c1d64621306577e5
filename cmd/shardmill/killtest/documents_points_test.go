//go:build search

package killtest_test

// Steps at which an archiver is struck whose records are documents, beside those of
// objects.
const (
	inBulk      = "a bulk request is under way"
	afterBulk   = "a bulk request took effect, not answered"
	sealingDocs = "documents have outcomes, sealing"
	afterDocs   = "committed, not answered"
)

// documentPoint is where an archiver is struck: by its gate, or as others are.
type documentPoint struct {
	point

	gate string // what the gate of the archiver is told; "" for nothing
}

// documentPoints returns ways to strike: first those of which each is at a step of its own.
func documentPoints() []documentPoint {
	seal := fault{Service: "S3", Operation: "PutObject", Path: "/_shardmill/"}
	put := fault{Service: "S3", Operation: "PutObject", Path: "/all/"}
	failed := fault{Service: "S3", Operation: "PutObject", Path: "/errors/"}
	prepare := fault{Service: "DynamoDB", Operation: "UpdateItem", Body: prepares}
	commit := fault{Service: "DynamoDB", Operation: "UpdateItem", Body: commits}
	as := func(f fault, kind string) fault {
		f.Kind = kind
		return f
	}
	return []documentPoint{
		{point{step: inBulk, how: "the cluster gets requests late"}, holdsRequests},
		{point{step: sealingDocs, how: "the bundle is held", fault: as(seal, "Stall")}, ""},
		{point{step: afterBulk, how: "answers are held"}, holdsAnswers},
		{point{step: atPut, how: "S3 holds the put", fault: as(put, "Stall"), planned: true}, ""},
		{point{step: atPrepare, how: "the prepare is held", fault: as(prepare, "Stall")}, ""},
		{point{step: publishToCommit, how: "the commit is held", fault: as(commit, "Stall"), planned: true, early: true}, ""},
		{point{step: inBulk, how: "the cluster gets requests late", stop: true}, holdsRequests},
		{point{step: prepareToPut, how: "the prepare's answers are lost", fault: as(prepare, "LostAnswer"), planned: true}, ""},
		{point{step: anyMoment, how: "nothing is held"}, ""},
		{point{step: atPut, how: "error objects are held", fault: as(failed, "Stall"), planned: true}, ""},
		{point{step: afterDocs, how: "the commit's answers are lost", fault: as(commit, "LostAnswer")}, ""},
		{point{step: afterBulk, how: "answers are held", stop: true}, holdsAnswers},
		{point{step: sealingDocs, how: "the bundle's answers are lost", fault: as(seal, "LostAnswer"), stop: true}, ""},
	}
}
