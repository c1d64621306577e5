package leasedynamo_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/leasedynamo"
)

// javaWrite is a request of a Java worker.
type javaWrite struct {
	Client, Operation string
	Request           request
}

func javaWrites(tb testing.TB) []javaWrite {
	tb.Helper()
	f, err := os.Open(golden + "java-writes.jsonl")
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	var writes []javaWrite
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var w javaWrite
		if err := json.Unmarshal(lines.Bytes(), &w); err != nil {
			tb.Fatal(err)
		}
		writes = append(writes, w)
	}
	return writes
}

// kind is what the write is in the words of lease.Store, "" if no write there
// is like it: assignments of KCL 3.x, and rows that are not leases.
func (w javaWrite) kind() string {
	has := func(attr string) bool { _, ok := w.Request.AttributeUpdates[attr]; return ok }
	_, fenced := w.Request.Expected["leaseCounter"]
	switch {
	case w.Operation == "PutItem" && w.Request.Item["leaseCounter"] != nil:
		return "create"
	case w.Operation == "DeleteItem":
		return "delete"
	case has("childShardIds"):
		return "annotate"
	case fenced && has("checkpoint"):
		return "checkpoint"
	case fenced && has("leaseOwner"):
		return "take"
	case fenced:
		return "renew"
	default:
		return ""
	}
}

// inHandOff reports whether w renews a lease in a hand-off: there it says
// nothing of checkpointOwner. KCL 2.x never does.
func (w javaWrite) inHandOff() bool {
	_, ok := w.Request.Expected["checkpointOwner"]
	return !ok && w.kind() == "renew" && w.Client != "KCL 2.7.2"
}

// ours makes the write of this package that corresponds to w.
func (w javaWrite) ours(ctx context.Context, tb testing.TB, table lease.Table) error {
	tb.Helper()
	set := item{}
	for attr, u := range w.Request.AttributeUpdates {
		if u.Action == "PUT" {
			set[attr] = attribute(tb, u.Value)
		}
	}
	l := lease.Lease{Key: "k", Owner: "worker-1"}
	if e, ok := w.Request.Expected["leaseCounter"]; ok {
		l.Counter, _ = strconv.ParseInt(e.Value.(map[string]any)["N"].(string), 10, 64)
	}
	if w.inHandOff() {
		l.CheckpointOwner = "worker-1"
	}
	var err error
	switch w.kind() {
	case "create":
		row, decodeErr := leasedynamo.Decode(attributes(tb, w.Request.Item))
		if decodeErr != nil {
			tb.Fatal(decodeErr)
		}
		err = table.Create(ctx, row)
	case "delete":
		err = table.Delete(ctx, l)
	case "annotate":
		row := maps.Clone(set)
		maps.Copy(row, item{"leaseKey": str("k"), "leaseCounter": num("0"), "checkpoint": str("LATEST")})
		given, decodeErr := leasedynamo.Decode(row)
		if decodeErr != nil {
			tb.Fatal(decodeErr)
		}
		err = table.Annotate(ctx, l.Key, given.Children, given.Range)
	case "checkpoint":
		row := maps.Clone(set)
		row["leaseKey"] = str("k")
		to, decodeErr := leasedynamo.Decode(row)
		if decodeErr != nil {
			tb.Fatal(decodeErr)
		}
		_, err = table.Checkpoint(ctx, l, to.Checkpoint)
	case "take":
		if _, switched := w.Request.AttributeUpdates["ownerSwitchesSinceCheckpoint"]; !switched {
			l.Owner = ""
		}
		owner := w.Request.AttributeUpdates["leaseOwner"].Value.(map[string]any)["S"].(string)
		if l.Owner == owner {
			l.Owner = "another"
		}
		_, err = table.Take(ctx, l, lease.Claim{Owner: owner, Instance: "i", FailoverTime: 1e9})
	case "renew":
		_, err = table.Renew(ctx, l)
	}
	return err
}

// meaning is what a request does, in a form that Java's and ours have alike.
type meaning struct {
	Set     map[string]string // by attribute
	Removed []string
	If      []string // the attributes that its condition is about
}

// meaning returns the meaning of a request with the legacy parameters.
func (w javaWrite) meaning() meaning {
	m := meaning{Set: map[string]string{}}
	for attr, u := range w.Request.AttributeUpdates {
		switch u.Action {
		case "PUT":
			m.Set[attr] = canonical(u.Value)
		case "ADD":
			m.Set[attr] = canonical(u.Value) // of a row that has 0
		case "DELETE":
			m.Removed = append(m.Removed, attr)
		}
	}
	for attr, value := range w.Request.Item {
		m.Set[attr] = canonical(value)
	}
	m.If = slices.Sorted(maps.Keys(w.Request.Expected))
	slices.Sort(m.Removed)
	return m
}

// canonical returns an attribute of DynamoDB JSON as text; a set has no order.
func canonical(v any) string {
	for kind, value := range v.(map[string]any) {
		if elements, ok := value.([]any); ok {
			var sorted []string
			for _, e := range elements {
				sorted = append(sorted, fmt.Sprint(e))
			}
			slices.Sort(sorted)
			value = sorted
		}
		return fmt.Sprint(kind, " ", value)
	}
	return ""
}

var setClause = regexp.MustCompile(`#(\w+) = (:\w+)`)

// meaning returns the meaning of a request with expressions.
func (r request) meaning(tb testing.TB) meaning {
	tb.Helper()
	m := meaning{Set: map[string]string{}}
	sets, removes, _ := strings.Cut(r.UpdateExpression, "REMOVE ")
	for _, c := range setClause.FindAllStringSubmatch(sets, -1) {
		m.Set[r.ExpressionAttributeNames["#"+c[1]]] = canonical(r.ExpressionAttributeValues[c[2]])
	}
	for name := range strings.SplitSeq(removes, ", ") {
		if name != "" {
			m.Removed = append(m.Removed, r.ExpressionAttributeNames[name])
		}
	}
	for attr, value := range r.Item {
		m.Set[attr] = canonical(value)
	}
	for placeholder, attr := range r.ExpressionAttributeNames {
		if regexp.MustCompile(placeholder + `\b`).MatchString(r.ConditionExpression) {
			m.If = append(m.If, attr)
		}
	}
	slices.Sort(m.If)
	slices.Sort(m.Removed)
	return m
}

// TestOurWritesMeanWhatJavasMean holds each write against the request of a real
// Java worker: the same attributes get the same values, but for those that only
// one of us has, and every attribute that Java's condition asks for is asked
// for by ours.
func TestOurWritesMeanWhatJavasMean(t *testing.T) {
	t.Parallel()
	ours := []string{"checkpointTimestamp", "checkpointTimestampFor", "leaseOwnerInstance", "leaseOwnerFailoverMillis", "shardIdentity", "leaseReleaseReason"}
	// Java writes these again as it knows them, or they are of 3.x.
	javas := []string{"startingHashKey", "endingHashKey", "entityType", "throughputKBps", "checkpointOwner"}
	kinds := map[string]int{}
	for i, w := range javaWrites(t) {
		kinds[w.kind()]++
		if w.kind() == "" {
			continue
		}
		t.Run(fmt.Sprintf("%s %d by %s", w.kind(), i, w.Client), func(t *testing.T) {
			t.Parallel()
			var sent request
			table := newTable(t, stub(func(_ string, r request) (int, any) {
				sent = r
				return http.StatusOK, map[string]any{"Attributes": wire(leasedynamo.Encode(lease.Lease{Key: "k", Checkpoint: checkpoint.Sentinel(checkpoint.Latest)}))}
			}))
			if err := w.ours(t.Context(), t, table); err != nil {
				t.Fatal(err)
			}
			got, want := sent.meaning(t), w.meaning()
			for _, m := range []*meaning{&got, &want} {
				apart := append(slices.Clone(ours), javas...)
				if w.kind() == "create" {
					apart = append(slices.Clone(ours), "entityType")
				}
				for _, attr := range apart {
					delete(m.Set, attr)
				}
				m.Removed = slices.DeleteFunc(m.Removed, func(a string) bool { return slices.Contains(apart, a) })
			}
			missing := slices.DeleteFunc(slices.Clone(want.If), func(a string) bool { return slices.Contains(got.If, a) })
			if len(missing) > 0 {
				t.Errorf("our condition %q does not ask for %v", sent.ConditionExpression, missing)
			}
			if d := cmp.Diff(want, got, cmpopts.IgnoreFields(meaning{}, "If"), cmpopts.EquateEmpty()); d != "" {
				t.Errorf("(-java +ours):\n%s", d)
			}
		})
	}
	for _, kind := range []string{"create", "take", "renew", "checkpoint", "annotate", "delete"} {
		if kinds[kind] < 2 {
			t.Errorf("%d requests are a %s, want one of KCL 2 and one of KCL 3 at least", kinds[kind], kind)
		}
	}
}

// leaveTheSameRow makes each write of a Java worker, and ours that means the
// same, of the same row.
func leaveTheSameRow(t *testing.T, client *dynamodb.Client) {
	t.Helper()
	java, ours := "java-"+rand.Text(), "ours-"+rand.Text()
	openNamed(t, client, java)
	table := openNamed(t, client, ours)
	made, taken := 0, 0
	for i, w := range javaWrites(t) {
		if w.Operation != "UpdateItem" || w.kind() == "" {
			continue
		}
		made++
		row := leaseRow(item{
			"leaseKey": str("k"), "checkpoint": str("12"), "pendingCheckpoint": str("13"), "pendingCheckpointSubSequenceNumber": num("2"),
			"pendingCheckpointState": &types.AttributeValueMemberB{Value: []byte("s")}, "newer": str("stays"),
			"shardIdentity": str("orders/49680461806596391098194439531393802294557330492046180352/"),
		})
		in := &dynamodb.UpdateItemInput{
			TableName: &java, Key: item{"leaseKey": str("k")},
			AttributeUpdates: map[string]types.AttributeValueUpdate{}, Expected: map[string]types.ExpectedAttributeValue{},
		}
		for attr, e := range w.Request.Expected {
			in.Expected[attr] = types.ExpectedAttributeValue{Exists: aws.Bool(false)}
			if attr == "leaseKey" {
				in.Expected[attr] = types.ExpectedAttributeValue{Value: str("k")}
			} else if e.Value != nil {
				row[attr] = attribute(t, e.Value)
				in.Expected[attr] = types.ExpectedAttributeValue{Value: row[attr]}
			}
		}
		for attr, u := range w.Request.AttributeUpdates {
			update := types.AttributeValueUpdate{Action: types.AttributeAction(u.Action)}
			if u.Value != nil {
				update.Value = attribute(t, u.Value)
			}
			in.AttributeUpdates[attr] = update
			switch attr {
			case "startingHashKey", "endingHashKey":
				row[attr] = update.Value // Java writes again what it read
			case "leaseOwner":
				delete(row, attr)
				if w.Request.AttributeUpdates["ownerSwitchesSinceCheckpoint"].Action == "ADD" {
					row[attr] = str("another")
				}
			}
		}
		if w.inHandOff() {
			row["checkpointOwner"] = str("worker-1")
		}
		row["leaseReleaseReason"] = str(fmt.Sprint(canonical(wire(row)["leaseCounter"])[2:], "/surplus"))
		putRow(t, client, java, row)
		putRow(t, client, ours, row)
		if _, err := client.UpdateItem(t.Context(), in); err != nil {
			t.Fatalf("write %d of Java: %v", i, err)
		}
		if err := w.ours(t.Context(), t, table); err != nil {
			t.Fatalf("ours for write %d of Java: %v", i, err)
		}
		got, want := getRow(t, client, ours, "k"), getRow(t, client, java, "k")
		if w.kind() == "take" && row["leaseOwner"] == nil {
			taken++
			checkReleased(t, row, lease.Surplus)
			checkReleased(t, want, lease.Plain)
		}
		if d := diffAttribute(want["shardIdentity"], row["shardIdentity"]); d != "" {
			t.Errorf("%s, write %d of %s: the identity (-was +is):\n%s", w.kind(), i, w.Client, d)
		}
		for _, attr := range []string{"leaseOwnerInstance", "leaseOwnerFailoverMillis", "throughputKBps", "leaseReleaseReason"} {
			delete(got, attr)
			delete(want, attr)
		}
		if d := diffItem(got, want); d != "" {
			t.Errorf("%s, write %d of %s (-java +ours):\n%s", w.kind(), i, w.Client, d)
		}
	}
	if made < 9 || taken == 0 {
		t.Errorf("%d writes were made, %d of them took a lease that was free; want all, and one", made, taken)
	}
}

func checkReleased(t *testing.T, row item, want lease.ReleaseReason) {
	t.Helper()
	if l, err := leasedynamo.Decode(row); err != nil || l.Released != want {
		t.Errorf("it was released as %q, %v; want %q", l.Released, err, want)
	}
}

// A Java worker leaves the reason of a release behind. It is not believed of a
// row that this worker was evicted from, which is free as it was before.
func TestAReasonIsOnlyOfTheReleaseThatSaidIt(t *testing.T) {
	t.Parallel()
	client, name := inProcess(t), "leases"
	table := openNamed(t, client, name)
	putRow(t, client, name, leasedynamo.Encode(held))
	free, err := table.Release(t.Context(), held, lease.Surplus)
	if err != nil {
		t.Fatal(err)
	}
	checkReleased(t, getRow(t, client, name, held.Key), lease.Surplus)
	for i, owner := range []types.AttributeValueUpdate{
		{Action: types.AttributeActionPut, Value: str("java")}, {Action: types.AttributeActionDelete},
	} {
		if _, err := client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: &name, Key: item{"leaseKey": str(held.Key)},
			AttributeUpdates: map[string]types.AttributeValueUpdate{
				"leaseOwner":   owner,
				"leaseCounter": {Action: types.AttributeActionPut, Value: num(strconv.FormatInt(free.Counter+int64(i)+1, 10))},
			},
		}); err != nil {
			t.Fatal(err)
		}
		row := getRow(t, client, name, held.Key)
		if _, ok := row["leaseReleaseReason"]; !ok {
			t.Error("Java removed the attribute, which it does not know")
		}
		checkReleased(t, row, lease.Plain)
	}
	free.Counter += 2
	if _, err := table.Take(t.Context(), free, lease.Claim{Owner: "o", Instance: "i"}); err != nil {
		t.Fatal(err)
	}
	if reason, ok := getRow(t, client, name, held.Key)["leaseReleaseReason"]; ok {
		t.Errorf("a take left the reason %v", reason)
	}
}
