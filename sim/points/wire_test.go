package points_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/shardmill/shardmill/processors"
)

// point is a step of the protocol.
type point string

// The points. A request that is none has the point "".
const (
	listShards     point = "list shards"
	scan           point = "scan"
	readLease      point = "read lease"
	createLease    point = "create lease"
	deleteLease    point = "delete lease"
	take           point = "take"
	renew          point = "renew"
	release        point = "release"
	iterator       point = "iterator"
	getRecords     point = "get records"
	prepare        point = "prepare"
	publish        point = "publish"
	commit         point = "commit"
	createUpload   point = "create upload"
	uploadPart     point = "upload part"
	completeUpload point = "complete upload"
	head           point = "head"
	publishAgain   point = "publish again"
	commitAgain    point = "commit again"
	createChild    point = "create child"
	annotate       point = "annotate"
	endShard       point = "end"
	checkpointed   point = "checkpoint"
	describeTable  point = "describe table"
	createTable    point = "create table"
	readProtocol   point = "read protocol"
	checkBucket    point = "check bucket"
	seal           point = "seal"
	getBundle      point = "get bundle"
	deleteBundle   point = "delete bundle"
	listBundles    point = "list bundles"
	invoke         point = "invoke"
	bulk           point = "bulk"
	mark           point = "mark"
	announce       point = "announce"
	awaitLoad      point = "await"
	listMarkers    point = "list markers"
	readMarker     point = "read marker"
	putManifest    point = "put manifest"
	copyBatch      point = "copy"
	copyOutcome    point = "outcome of copy"
	nameFailed     point = "name what failed"
	unmark         point = "unmark"
	elect          point = "elect"
	renewJob       point = "renew job"
)

// request is what a worker sent.
type request struct {
	point    point
	shard    string // the lease that it is about, "" if none
	child    string // of createChild
	object   string // the key of a request to S3
	document string // of bulk, the id of the first
	writes   bool   // it writes the lease table
}

// rowWrite reports whether it is a write of a lease that only its holder makes.
func (r request) rowWrite() bool {
	switch r.point {
	case renew, prepare, announce, commit, commitAgain, checkpointed, release, endShard:
		return true
	default:
		return false
	}
}

const leaseTable = "app"

type attribute struct {
	S, N string
	B    []byte
}

// body is what the points are told from in a request of a JSON service.
type body struct {
	TableName                 string
	Key, Item                 map[string]attribute
	UpdateExpression          string
	ExpressionAttributeValues map[string]attribute
	TransactItems             []struct {
		ConditionCheck struct{ Key map[string]attribute }
		Put            struct{ Item map[string]attribute }
	}
	ShardID string `json:"ShardId"`
}

// read tells what r asks for. What depends on the history of the row or the
// object is left to the world.
func read(r *http.Request, data []byte) (request, error) {
	target := r.Header.Get("X-Amz-Target")
	if strings.HasPrefix(r.URL.Path, functionsPath) {
		return readInvocation(data)
	}
	if r.Method == http.MethodPost && r.URL.Path == "/_bulk" {
		return readBulk(data)
	}
	if target == "" {
		return readS3(r), nil
	}
	_, operation, _ := strings.Cut(target, ".")
	var b body
	if err := json.Unmarshal(data, &b); err != nil {
		return request{}, err
	}
	if b.TableName == jobsTable {
		return readJob(operation, b), nil
	}
	switch operation {
	case "BatchExecuteStatement":
		return request{point: copyBatch}, nil
	case "DescribeStatement":
		return request{point: copyOutcome}, nil
	case "ListShards":
		return request{point: listShards}, nil
	case "GetShardIterator":
		return request{point: iterator, shard: b.ShardID}, nil
	case "GetRecords":
		return request{point: getRecords}, nil
	case "TransactWriteItems":
		return request{
			point: createChild, shard: b.TransactItems[0].ConditionCheck.Key["leaseKey"].S,
			child: b.TransactItems[1].Put.Item["leaseKey"].S, writes: true,
		}, nil
	}
	switch operation {
	case "DescribeTable":
		return request{point: describeTable}, nil
	case "CreateTable":
		return request{point: createTable}, nil
	case "Scan":
		return request{point: scan}, nil
	case "GetItem":
		if !strings.HasPrefix(b.Key["leaseKey"].S, "shardId-") {
			return request{point: readProtocol}, nil
		}
		return request{point: readLease, shard: b.Key["leaseKey"].S}, nil
	case "PutItem":
		return request{point: createLease, shard: b.Item["leaseKey"].S, writes: true}, nil
	case "DeleteItem":
		return request{point: deleteLease, shard: b.Key["leaseKey"].S, writes: true}, nil
	case "UpdateItem":
		return request{point: b.update(), shard: b.Key["leaseKey"].S, writes: true}, nil
	}
	return request{}, nil
}

// update tells the point of an UpdateItem from what it sets and removes.
func (b body) update() point {
	sets := func(attr string) bool { _, ok := b.ExpressionAttributeValues[":"+attr]; return ok }
	_, removes, _ := strings.Cut(b.UpdateExpression, "REMOVE ")
	for attr := range strings.SplitSeq(removes, ", ") {
		if attr == "#leaseOwner" {
			return release
		}
	}
	switch {
	case sets("leaseOwner"):
		return take
	case sets("pendingCheckpoint"):
		if p, err := processors.ReadPrepared(b.ExpressionAttributeValues[":pendingCheckpointState"].B); err == nil && p.Announced {
			return announce
		}
		return prepare
	case b.ExpressionAttributeValues[":checkpoint"].S == "SHARD_END":
		return endShard
	case sets("checkpoint"):
		return checkpointed
	case sets("childShardIds"):
		return annotate
	case sets("startingHashKey"):
		return ""
	default:
		return renew
	}
}

// readS3 reads a request in path style.
func readS3(r *http.Request) request {
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	q := r.URL.Query()
	if loading, ok := readLoading(r, key, q); ok {
		return loading
	}
	out := request{object: key, shard: stagedShard(key + q.Get("prefix"))}
	switch {
	case r.Method == http.MethodGet && q.Get("list-type") == "2":
		out.point = listBundles
	case out.shard != "" && r.Method == http.MethodPut:
		out.point = seal
	case out.shard != "" && r.Method == http.MethodGet:
		out.point = getBundle
	case out.shard != "" && r.Method == http.MethodDelete:
		out.point = deleteBundle
	case key == "" && r.Method == http.MethodHead:
		out.point = checkBucket
	case key == "":
	case r.Method == http.MethodHead:
		out.point = head
	case r.Method == http.MethodPost && q.Has("uploads"):
		out.point = createUpload
	case r.Method == http.MethodPut && q.Has("partNumber"):
		out.point = uploadPart
	case r.Method == http.MethodPost:
		out.point = completeUpload
	case r.Method == http.MethodPut:
		out.point = publish
	}
	return out
}

// stagedShard returns the shard that a bundle is of, "" if the key is of none.
func stagedShard(key string) string {
	parts := strings.Split(key, "/")
	if parts[0] != "_shardmill" || len(parts) < 3 {
		return ""
	}
	return parts[2][:strings.LastIndexByte(parts[2], '-')]
}

// slurp reads a request's body.
func slurp(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	return io.ReadAll(r.Body)
}

// outcome is how an answer reads in a timeline.
func outcome(resp *http.Response, data []byte) string {
	if resp.StatusCode < 300 {
		return "done"
	}
	var e struct {
		Type string `json:"__type"`
	}
	if json.Unmarshal(data, &e) == nil && e.Type != "" {
		_, name, found := strings.Cut(e.Type, "#")
		if found {
			return name
		}
		return e.Type
	}
	return resp.Status + " " + string(data[:min(len(data), 300)])
}

// puts reports whether it is a step of putting an object, or documents.
func (r request) puts() bool {
	switch r.point {
	case bulk, seal, publish, publishAgain, mark, createUpload, uploadPart, completeUpload:
		return true
	default:
		return false
	}
}
