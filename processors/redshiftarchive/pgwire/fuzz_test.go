package pgwire_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/shardmill/shardmill/processors/redshiftarchive/pgwire"
)

// Whatever a server answers, a try ends, and nobody takes it for more than it is.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("C\x00\x00\x00\x09COPY\x00Z\x00\x00\x00\x05I"))
	f.Add([]byte("E\x00\x00\x00\x1dSERROR\x00CXX000\x00Mcanary\x00\x00Z\x00\x00\x00\x05I"))
	f.Add([]byte("T\x00\x00\x00\x06\x7f\xff"))
	f.Add([]byte("D\x00\x00\x00\x06\x00\x01"))
	f.Add([]byte("G\x00\x00\x00\x07\x00\x00\x00"))
	f.Add([]byte("E\xff\xff\xff\xff"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		synctest.Test(t, func(t *testing.T) {
			d := &database{raw: raw}
			err := connectTo(t, d).Load(t.Context(), try(false))
			d.end(t)
			if err == nil && !strings.Contains(string(raw), "Z\x00\x00\x00\x05") {
				t.Errorf("%q is taken for a success", raw)
			}
			if err != nil && faultOf(t, err).Undone && !strings.Contains(string(raw), "ERROR") {
				t.Errorf("%q is taken for undone: %v", raw, err)
			}
		})
	})
}

// A URL is one of the pattern, or an error without its text.
func FuzzURL(f *testing.F) {
	for _, u := range []string{url, "jdbc:redshift://c.a.us-east-1.redshift.amazonaws.com:5439/dev?ssl=true", "jdbc:redshift://h:1/d;password=" + password, "postgres://u:" + password + "@h/d"} {
		f.Add(u, "")
	}
	f.Fuzz(func(t *testing.T, u, endpoint string) {
		_, err := pgwire.New(pgwire.Config{URL: u, ClusterEndpoint: endpoint, Login: new(account)})
		if err == nil && (!strings.HasPrefix(u, "jdbc:") || strings.ContainsAny(u, "@ \x00\n")) {
			t.Errorf("%q is taken", u)
		}
		if err != nil && strings.Contains(err.Error(), password) {
			t.Errorf("shows the password: %v", err)
		}
	})
}
