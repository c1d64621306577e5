package localrun_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/lines"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/localrun"
	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/localaws"
)

func options(t *testing.T, text string) (localrun.Options, *bytes.Buffer) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	notes := new(bytes.Buffer)
	return localrun.Options{
		Input: lines.Input{Files: []string{file}}, Shards: 3, Workers: 2, Dir: t.TempDir(), Logger: zap.NewNop(), Notes: notes,
	}, notes
}

// An input without records is archived: there is nothing to do.
func TestInputWithoutRecords(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ text, err string }{
		"an empty file":            {"", ""},
		"a line that is no record": {strings.Repeat("x", 3<<20), ":1: line is longer than a record may be: at most 1048556 bytes with its newline"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 3 { // the workers may come to their table or not
				o, _ := options(t, row.text)
				sum, err := localrun.Run(t.Context(), o)
				if (err == nil) != (row.err == "") || err != nil && err.Error() != o.Input.Files[0]+row.err {
					t.Errorf("Run = %v", err)
				}
				if !sum.Verified || sum.Records != 0 || sum.Objects != 0 || sum.Seconds == 0 {
					t.Errorf("the summary is %+v", sum)
				}
			}
		})
	}
}

// A disk that cannot be written ends the run, and the error says which.
func TestDiskThatFails(t *testing.T) {
	t.Parallel()
	o, _ := options(t, "one\ntwo\n")
	o = localrun.ShutdownAfter(o, 5*time.Second)
	o = localrun.Prepared(o, func(s *localaws.Stack) {
		s.Faults().Add(localaws.Fault{Service: localaws.S3, Operation: "PutObject", Kind: localaws.ServerError(500)})
	})
	_, err := localrun.Run(t.Context(), o)
	if err == nil || !strings.HasPrefix(err.Error(), "writing objects to "+o.Dir+": ") {
		t.Errorf("Run = %v", err)
	}
}

// Answers that are lost, throttling and stalls change nothing: every record is
// in exactly one object.
func TestFaultsOfEveryService(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&text, "line %d\n", i)
	}
	o, _ := options(t, text.String())
	o.Reshard = true
	var faults []*localaws.ActiveFault
	o = localrun.Prepared(o, func(s *localaws.Stack) {
		for _, f := range []localaws.Fault{
			{Service: localaws.DynamoDB, Operation: "UpdateItem", After: 3, Times: 3, Kind: localaws.LostAnswer()},
			{Service: localaws.DynamoDB, Operation: "UpdateItem", After: 9, Times: 4, Kind: localaws.Throttle()},
			{Service: localaws.DynamoDB, Operation: "TransactWriteItems", After: 1, Times: 1, Kind: localaws.LostAnswer()},
			{Service: localaws.DynamoDB, Operation: "Scan", After: 2, Times: 1, Kind: localaws.ServerError(500)},
			{Service: localaws.S3, Operation: "PutObject", Times: 1, Kind: localaws.LostAnswer()},
			{Service: localaws.S3, Operation: "HeadObject", Times: 1, Kind: localaws.Throttle()},
			{Service: localaws.Kinesis, Operation: "GetRecords", After: 1, Times: 2, Kind: localaws.Throttle()},
			{Service: localaws.Kinesis, Operation: "GetRecords", After: 1, Times: 1, Kind: localaws.LostAnswer()},
		} {
			faults = append(faults, s.Faults().Add(f))
		}
	})
	sum, err := localrun.Run(t.Context(), o)
	if err != nil || !sum.Verified || sum.Records != 2000 {
		t.Errorf("Run = %+v, %v", sum, err)
	}
	for i, f := range faults {
		if f.Hits() == 0 {
			t.Errorf("fault %d struck nothing", i)
		}
	}
}

// With the service's limits the job is slower and the result the same.
func TestLimits(t *testing.T) {
	t.Parallel()
	o, _ := options(t, strings.Repeat("some line\n", 2500))
	o.Limits = true
	if sum, err := localrun.Run(t.Context(), o); err != nil || !sum.Verified || sum.Records != 2500 {
		t.Errorf("Run = %+v, %v", sum, err)
	}
}

// An object that disappears is noticed, and what was in it is named.
func TestMissingRecordsAreNamed(t *testing.T) {
	t.Parallel()
	o, notes := options(t, "one\ntwo\nthree\n")
	o.Shards = 1
	o = localrun.Verifying(o, func(client *s3.Client) {
		list, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(localrun.Bucket)})
		if err != nil || len(list.Contents) != 1 {
			t.Fatalf("%d objects, %v", len(list.Contents), err)
		}
		if _, err := client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(localrun.Bucket), Key: list.Contents[0].Key}); err != nil {
			t.Fatal(err)
		}
	})
	sum, err := localrun.Run(t.Context(), o)
	if sum.Verified || err == nil {
		t.Fatalf("Run = %+v, %v", sum, err)
	}
	file := o.Input.Files[0]
	if want := fmt.Sprintf("missing: %s:1\nmissing: %s:2\nmissing: %s:3\n", file, file, file); !errors.Is(err, localrun.ErrNotArchived) || notes.String() != want {
		t.Errorf("%v\nnotes %s", err, notes)
	}
	if want := localrun.ErrNotArchived.Error() + ": 3 records were put and the objects hold 0; 3 are missing and 0 are there too often"; err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// cutOff is a connection that DynamoDB's writes do not come through for a while,
// from the first object on, which takes as long.
type cutOff struct {
	deadline.Doer

	d     time.Duration
	mu    sync.Mutex
	until time.Time // zero: no object was put yet
}

// Do implements deadline.Doer.
func (c *cutOff) Do(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	first := r.Method == http.MethodPut && strings.Contains(r.URL.Path, "local-1-") && c.until.IsZero()
	if first {
		c.until = time.Now().Add(c.d)
	}
	cut := time.Now().Before(c.until) && strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".UpdateItem")
	c.mu.Unlock()
	if cut {
		return nil, errors.New("no way through")
	}
	res, err := c.Doer.Do(r)
	if first {
		time.Sleep(c.d)
	}
	return res, err
}

// A worker that loses its lease while it writes the last object leaves it to the
// next one, which has nothing else to do: the run ends.
func TestTheLastObjectIsFinishedByAnother(t *testing.T) {
	t.Parallel()
	o, _ := options(t, strings.Repeat("some line\n", 100))
	o.Shards, o.Workers = 1, 1
	core, logged := observer.New(zap.InfoLevel)
	o.Logger = zap.New(core)
	o = localrun.Sending(o, &cutOff{Doer: awshttp.NewBuildableClient(), d: 3 * time.Second})
	type end struct {
		sum localrun.Summary
		err error
	}
	ended := make(chan end, 1)
	go func() {
		sum, err := localrun.Run(t.Context(), o)
		ended <- end{sum, err}
	}()
	select {
	case e := <-ended:
		if e.err != nil || !e.sum.Verified || e.sum.Records != 100 {
			t.Errorf("Run = %+v, %v", e.sum, e.err)
		}
	case <-time.After(2 * time.Minute):
		t.Error("the run does not end")
	}
	if logged.FilterMessage("another round").Len() == 0 {
		t.Error("there was one round only, so nothing was left to another worker")
	}
}
