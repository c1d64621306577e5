package s3archive_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/localaws"
	"github.com/shardmill/shardmill/processors"
)

// documented returns the rows of the table of permissions: what is archived, and the
// actions that it needs.
func documented(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/firehose.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(text), "| what is archived | actions |\n|---|---|\n")
	if !ok {
		t.Fatal("the table of permissions is gone")
	}
	rows := map[string][]string{}
	action := regexp.MustCompile("`([a-z0-9]+:[A-Za-z]+)`")
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) != 4 {
			break
		}
		for _, found := range action.FindAllStringSubmatch(cells[2], -1) {
			rows[strings.TrimSpace(cells[1])] = append(rows[strings.TrimSpace(cells[1])], found[1])
		}
	}
	return rows
}

// TestPermissions: with the documented actions nothing is refused, and each one that is
// missing is named by an error or in the log.
func TestPermissions(t *testing.T) {
	t.Parallel()
	rows := documented(t)
	if len(rows) != 5 {
		t.Errorf("%d rows are documented: %v", len(rows), rows)
	}
	for what, actions := range rows {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			for _, text := range refusals(t, what, actions) {
				isACL := strings.Contains(text, "s3:PutObjectAcl is not permitted") && !slices.Contains(actions, "s3:PutObjectAcl")
				if !isACL && strings.Contains(text, "permit") {
					t.Errorf("told was %s", text)
				}
			}
		})
		for _, missing := range actions {
			t.Run(what+", without "+missing, func(t *testing.T) {
				t.Parallel()
				left := slices.DeleteFunc(slices.Clone(actions), func(action string) bool { return action == missing })
				if got := refusals(t, what, left); !slices.ContainsFunc(got, func(text string) bool { return strings.Contains(text, missing) }) {
					t.Errorf("told were %q", got)
				}
			})
		}
	}
}

// refusals returns what an archiver tells that may do no more than these actions: it
// finishes what an earlier holder prepared, and delivers a small object and a large
// one, of which a part fails.
func refusals(t *testing.T, what string, actions []string) (told []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a := archiving(t, localaws.Bucket{}, strings.Contains(what, "several"), func(c *processors.Config) {
			c.RetryInterval = 20 * time.Second
			if strings.Contains(what, "with a key") {
				c.AWSKMSKeyARN = key
			}
		})
		a.prepared(t)
		a.Permit(limited, actions...)
		ctx, cancel := context.WithTimeout(a.ctx, 2*time.Minute) // what goes on is told once a minute
		defer cancel()
		a.ctx = ctx
		a.Faults().Add(localaws.Fault{Service: localaws.S3, Operation: "UploadPart", Kind: localaws.Error(400, "InvalidRequest"), Times: 1})
		err := a.processor.Initialize(a.ctx, kcl.InitializationInput{
			Checkpoint: a.row.at, Checkpointer: a.cp, Pending: a.row.pending, Replay: a.replay, CheckTrust: func() error { return nil },
		})
		if err == nil {
			err = errors.Join(a.process(1), a.process(1, large()[:partBytes]...))
		}
		if err != nil {
			told = append(told, err.Error())
		}
		for _, l := range a.logs.All() {
			told = append(told, fmt.Sprint(l.Message, " ", l.ContextMap()["error"]))
		}
	})
	return told
}

// prepared has somebody who may do everything prepare a cut, and put nothing under its
// keys. Then another holder begins.
func (a *archive) prepared(t *testing.T) {
	t.Helper()
	a.begin(t)
	f := a.Faults().Add(localaws.Fault{
		Service: localaws.S3, Operation: "PutObject", Kind: localaws.Refuse(),
		Match: func(r *http.Request, _ []byte) bool { return !strings.Contains(r.URL.Path, "/_shardmill/") },
	})
	ctx, cancel := context.WithTimeout(a.ctx, 10*time.Second)
	defer cancel()
	whole := a.ctx
	a.ctx = ctx
	if err := a.process(1); err == nil || a.row.pending == nil {
		t.Fatalf("no cut was left: %v, %+v", err, a.row)
	}
	a.ctx = whole
	f.Remove()
	a.processor = a.again()
	a.cp = checkpoint.New(a.row, a.row.at, false)
	_ = a.logs.TakeAll()
}

// replay is what an earlier holder read.
func (a *archive) replay(context.Context, checkpoint.ExtendedSequenceNumber, checkpoint.ExtendedSequenceNumber, kcl.ReplayOptions) iter.Seq2[kcl.Record, error] {
	return func(yield func(kcl.Record, error) bool) {
		for _, r := range a.read {
			if !yield(r, nil) {
				return
			}
		}
	}
}
