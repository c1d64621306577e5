package redshiftarchive_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// The Kinesis connectors' COPY has the credentials that there were when it was made, until
// they expire (peers' bug 65). Here each try has those of its time, also of a loader that
// has run for long.
func TestPeer65CredentialsAreThoseOfTheTry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		access := redshiftarchive.SessionAccess{Provider: provide(func(context.Context) (aws.Credentials, error) {
			hour := time.Now().Truncate(time.Hour)
			return aws.Credentials{AccessKeyID: fmt.Sprint("A", hour.Unix()), SecretAccessKey: "s", SessionToken: "t", CanExpire: true, Expires: hour.Add(time.Hour)}, nil
		})}
		for i := range 10 {
			time.AfterFunc(time.Duration(i)*3*time.Hour, func() { w.stage(strconv.Itoa(i), object(i, 0)) })
		}
		for _, try := range w.loaded(changed(func(c *redshiftarchive.Config) { c.Access = access }), loads(answer{kind: refused}), 31*time.Hour) {
			if want := fmt.Sprintf("aws_access_key_id=A%d;", try.at.Truncate(time.Hour).Unix()); !strings.Contains(try.sql, want) {
				t.Errorf("at %v: %s, want %s", try.at, try.sql, want)
			}
		}
		w.settled(true)
		if len(w.all()) != 11 {
			t.Errorf("%d COPYs", len(w.all()))
		}
	})
}
