//go:build redshift

package killtest_test

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/shardmill/shardmill/localaws"
)

func keyOf(lease string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"leaseKey": &types.AttributeValueMemberS{Value: lease}}
}

// loadPoint is where and how an archiver is struck, or the one that loads.
type loadPoint struct {
	step  string
	how   string
	fault localaws.Fault // which requests are held, and how
	stop  bool           // SIGSTOP instead of SIGKILL
	// late lets go on what is held when the next worker has gone on, or waits for its
	// lock; otherwise at once.
	late    bool
	planned bool // of an archiver: the row has a plan while it is held
	loads   bool // who loads is struck
	locks   bool // who is struck has the ledger locked, so that the next loader waits
	// doubles is whether only the ledger keeps what is loaded from being loaded again. Without
	// one each strike may double something: who loads archives too, and the successor of an archiver
	// may put a marker again.
	doubles bool
}

// Requests between which there are steps.
var (
	putsObject   = localaws.Fault{Service: localaws.S3, Operation: "PutObject", Path: "/rs/2"}
	putsMarker   = localaws.Fault{Service: localaws.S3, Operation: "PutObject", Path: "/" + markersDir}
	putsManifest = localaws.Fault{Service: localaws.S3, Operation: "PutObject", Path: "/rs/manifests/"}
	putsErrors   = localaws.Fault{Service: localaws.S3, Operation: "PutObject", Path: "/rs/errors/manifests/"}
	unmarks      = localaws.Fault{Service: localaws.S3, Operation: "DeleteObject", Path: "/" + markersDir}
	looksFor     = localaws.Fault{Service: localaws.S3, Operation: "HeadObject", Path: "/" + markersDir}
	commitsRow   = localaws.Fault{Service: localaws.DynamoDB, Operation: "UpdateItem", Body: commits}
	announces    = localaws.Fault{Service: localaws.DynamoDB, Operation: "UpdateItem", Match: isAnnouncement}
)

func with(f localaws.Fault, k localaws.Kind) localaws.Fault {
	f.Kind = k
	return f
}

// runs is a statement of who loads; the first one only is struck, as the next loader's
// comes from the same user.
func runs(statement string, k localaws.Kind) localaws.Fault {
	f := localaws.Fault{Service: localaws.Redshift, Operation: statement, Times: 1, Kind: k}
	if statement == "SELECT" {
		f.Body = "FROM loaded"
	}
	return f
}

// isAnnouncement reports whether an update of a row puts a plan there that names a marker.
func isAnnouncement(_ *http.Request, body []byte) bool {
	var update struct {
		Values map[string]struct {
			B []byte `json:"B"`
		} `json:"ExpressionAttributeValues"`
	}
	if json.Unmarshal(body, &update) != nil {
		return false
	}
	for _, v := range update.Values {
		if bytes.Contains(v.B, []byte(markersDir)) {
			return true
		}
	}
	return false
}

// pointsOfArchivers are between the steps of an archiver.
func pointsOfArchivers(onLoad bool) []loadPoint {
	stalls := localaws.Stall(0)
	all := []loadPoint{
		{step: "before the object", how: "S3 holds the put", fault: with(putsObject, stalls), planned: true},
		{step: "between object and marker", how: "S3 holds the marker, which comes late", fault: with(putsMarker, stalls), planned: true, late: true, doubles: true},
		{step: "between object and marker", how: "S3 refuses the marker", fault: with(putsMarker, localaws.Refuse()), planned: true},
		{step: "between marker and commit", how: "the marker's answers are lost", fault: with(putsMarker, localaws.LostAnswer()), planned: true, doubles: true},
		{step: "between object and marker", how: "S3 holds the marker, which comes late", fault: with(putsMarker, stalls), planned: true, stop: true, late: true, doubles: true},
		{step: "between marker and commit", how: "the commit is held", fault: with(commitsRow, stalls), planned: true, late: true, doubles: true},
	}
	if onLoad {
		all = append(all,
			loadPoint{step: "between marker and announcement", how: "the announcement is held", fault: with(announces, stalls), planned: true, late: true, doubles: true},
			loadPoint{step: "between announcement and commit", how: "the announcement's answers are lost", fault: with(announces, localaws.LostAnswer()), planned: true},
			loadPoint{step: "between announcement and commit", how: "looks for the marker are held", fault: with(looksFor, stalls), planned: true},
		)
	}
	return all
}

// pointsOfLedger are between the steps of a loader that has a ledger.
func pointsOfLedger() []loadPoint {
	stalls := localaws.Stall(0)
	return []loadPoint{
		{step: "before the manifest", how: "S3 holds it, and it comes late", fault: with(putsManifest, stalls), late: true},
		{step: "between LOCK and COPY", how: "the COPY is held, and is done late", fault: runs("COPY", stalls), late: true, locks: true},
		{step: "COMMIT under way", how: "COMMIT is held, and is done late", fault: runs("COMMIT", stalls), late: true, locks: true, doubles: true},
		{step: "between COMMIT and the deletion of markers", how: "S3 refuses the deletion", fault: with(unmarks, localaws.Refuse()), doubles: true},
		{step: "COPY under way", how: "the COPY is held, and is done late", fault: runs("COPY", stalls), stop: true, late: true, locks: true},
		{step: "between manifest and LOCK", how: "LOCK is held", fault: runs("LOCK", stalls)},
		{step: "between COPY and INSERT", how: "INSERT is held", fault: runs("INSERT", stalls), late: true, locks: true},
		{step: "COMMIT not done", how: "COMMIT is swallowed", fault: runs("COMMIT", localaws.Swallow()), locks: true},
		{step: "COMMIT under way", how: "COMMIT is held, and is done late", fault: runs("COMMIT", stalls), stop: true, late: true, locks: true},
		{step: "between LOCK and COPY", how: "SELECT is held", fault: runs("SELECT", stalls), late: true, locks: true},
		{step: "COMMIT done, not answered", how: "COMMIT is not answered", fault: runs("COMMIT", localaws.NoAnswer()), locks: true, doubles: true},
		{step: "between COMMIT and the deletion of markers", how: "S3 holds the deletion, which comes late", fault: with(unmarks, stalls), stop: true, late: true, doubles: true},
		{step: "markers deleted, not answered", how: "the deletion's answers are lost", fault: with(unmarks, localaws.LostAnswer())},
	}
}

// pointsWithoutLedger are between the steps of a loader that has none.
func pointsWithoutLedger() []loadPoint {
	stalls := localaws.Stall(0)
	return []loadPoint{
		{step: "before the manifest", how: "S3 refuses it", fault: with(putsManifest, localaws.Refuse())},
		{step: "between manifest and COPY", how: "the COPY is swallowed", fault: runs("COPY", localaws.Swallow())},
		{step: "COPY under way", how: "the COPY is held, and is done late", fault: runs("COPY", stalls), late: true, doubles: true},
		{step: "COPY done, not answered", how: "the COPY is not answered", fault: runs("COPY", localaws.NoAnswer()), doubles: true},
		{step: "COPY under way", how: "the COPY is held, and is done late", fault: runs("COPY", stalls), stop: true, late: true, doubles: true},
		{step: "between COPY and the deletion of markers", how: "S3 refuses the deletion", fault: with(unmarks, localaws.Refuse()), doubles: true},
	}
}

// pointsOfGivingUp are between the steps of a loader whose COPY fails for good.
func pointsOfGivingUp() []loadPoint {
	stalls := localaws.Stall(0)
	return []loadPoint{
		{step: "between COPY and the errors manifest", how: "S3 holds it, and it comes late", fault: with(putsErrors, stalls), late: true},
		{step: "between the errors manifest and the deletion of markers", how: "the manifest's answers are lost", fault: with(putsErrors, localaws.LostAnswer())},
		{step: "between COPY and the errors manifest", how: "S3 holds it, and it comes late", fault: with(putsErrors, stalls), stop: true, late: true},
		{step: "between COPY and the errors manifest", how: "S3 refuses it", fault: with(putsErrors, localaws.Refuse())},
		{step: "between the errors manifest and the deletion of markers", how: "S3 refuses the deletion", fault: with(unmarks, localaws.Refuse())},
	}
}

// pointsOfConnections lose the connection of a loader at each statement, before it is run
// and after; and have two loaders at once.
func pointsOfConnections() (all []loadPoint) {
	for _, statement := range []string{"BEGIN", "LOCK", "SELECT", "COPY", "INSERT", "COMMIT"} {
		all = append(all,
			loadPoint{step: statement, how: "the connection is lost before it", fault: runs(statement, localaws.Refuse()), loads: true},
			loadPoint{step: statement, how: "the connection is lost after it", fault: runs(statement, localaws.LostAnswer()), loads: true, doubles: statement == "COMMIT"},
		)
	}
	return append(all,
		loadPoint{step: "COPY", how: "it is held, and is done late", fault: runs("COPY", localaws.Stall(0)), loads: true, stop: true, late: true, locks: true},
		loadPoint{step: "COMMIT", how: "it is held, and is done late", fault: runs("COMMIT", localaws.Stall(0)), loads: true, late: true, locks: true},
	)
}

// byLoader are points at which who loads is struck.
func byLoader(points []loadPoint) []loadPoint {
	for i := range points {
		points[i].loads = true
	}
	return points
}
