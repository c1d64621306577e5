package redshiftarchive_test

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// checked is a database that is looked at.
type checked struct {
	*link

	err   error
	hangs bool
	asked redshiftarchive.Tables
}

func (c *checked) Check(ctx context.Context, t redshiftarchive.Tables) error {
	c.asked = t
	if c.hangs {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return c.err
}

// What a loader will meet is looked at without a write; each look ends.
func TestLooks(t *testing.T) {
	t.Parallel()
	newer := func(w *world) { w.put(markers+"a", `{"version":2}`) }
	for _, row := range []struct {
		name   string
		change func(*redshiftarchive.Config)
		world  func(*world)
		db     checked
		plan   func(int, string) answer
		want   []string // status and text of each look, but the last
	}{
		{"all is well", func(*redshiftarchive.Config) {}, func(w *world) { w.stage("a", object(1, 1)) }, checked{}, nil, []string{"ok 1 markers wait", "ok aws_iam_role=" + roleR, "ok it is there"}},
		{"a ledger", func(c *redshiftarchive.Config) { c.Ledger = "my ledger" }, func(*world) {}, checked{}, nil, []string{"ok 0 markers wait", "ok ", "ok they are there"}},
		{"a marker that is newer", func(*redshiftarchive.Config) {}, newer, checked{}, nil, []string{"wrong 1 markers wait, and _shardmill/load/orders/a cannot be loaded: marker of a newer version", "ok ", "ok "}},
		{"nothing may be listed", func(*redshiftarchive.Config) {}, func(*world) {}, checked{}, always("list", answer{kind: denied}), []string{"wrong list: access denied", "ok ", "ok "}},
		{"no list is answered", func(*redshiftarchive.Config) {}, func(*world) {}, checked{}, always("list", answer{kind: hangs}), []string{"wrong no answer within 1m0s", "ok ", "ok "}},
		{"markers may not be read", func(*redshiftarchive.Config) {}, newer, checked{}, always("read", answer{kind: denied}), []string{"wrong read: access denied", "ok ", "ok "}},
		{
			"no table", func(*redshiftarchive.Config) {}, func(*world) {},
			checked{err: &redshiftarchive.Fault{Code: "Redshift.TableNotFound", Message: "create it"}},
			nil,
			[]string{"ok ", "ok ", "wrong Redshift.TableNotFound: create it"},
		},
		{"the database does not answer", func(*redshiftarchive.Config) {}, func(*world) {}, checked{hangs: true}, nil, []string{"ok ", "ok ", "wrong no answer within 3m0s"}},
		{"keys", session(aws.Credentials{AccessKeyID: "CANARY", SecretAccessKey: "CANARY", SessionToken: "CANARY"}), func(*world) {}, checked{}, nil, []string{"ok ", "ok temporary keys", "ok "}},
		{"keys of a user", session(aws.Credentials{AccessKeyID: "CANARY", SecretAccessKey: "CANARY"}), func(*world) {}, checked{}, nil, []string{"ok ", "ok keys without a token", "ok "}},
		{"keys that are not as they must be", func(c *redshiftarchive.Config) { c.Access = indiscreet{} }, func(*world) {}, checked{}, nil, []string{"ok ", "wrong get: parse failed of process output, which", "ok "}},
		{"no keys", session(aws.Credentials{}), func(*world) {}, checked{}, nil, []string{"ok ", "wrong the keys for COPY are empty", "ok "}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, false)
				row.world(w)
				before := fmt.Sprint(w.bucket)
				row.db.link = &link{world: w, plan: row.plan}
				l, err := redshiftarchive.New(changed(row.change), row.db.link, &row.db)
				if err != nil {
					t.Fatal(err)
				}
				begun := time.Now()
				looks := l.Looks(t.Context())
				if len(looks) != 4 || looks[3].Status != redshiftarchive.LookNotChecked || time.Since(begun) > 5*time.Minute || fmt.Sprint(w.bucket) != before {
					t.Fatalf("%+v after %v", looks, time.Since(begun))
				}
				for i, want := range row.want {
					if got := string(looks[i].Status) + " " + looks[i].Text; !strings.HasPrefix(got, want) || strings.Contains(got, "CANARY") {
						t.Errorf("%s: %s; want %s", looks[i].What, got, want)
					}
				}
				if row.name == "a ledger" && !reflect.DeepEqual(row.db.asked, redshiftarchive.Tables{Table: "public.events", Ledger: `"my ledger"`}) {
					t.Errorf("asked about %+v", row.db.asked)
				}
			})
		})
	}
}

func session(k aws.Credentials) func(*redshiftarchive.Config) {
	return func(c *redshiftarchive.Config) { c.Access = keys(k, nil) }
}
