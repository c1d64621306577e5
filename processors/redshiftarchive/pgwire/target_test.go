package pgwire_test

import (
	"strings"
	"testing"
	"time"

	"github.com/shardmill/shardmill/processors/redshiftarchive/pgwire"
)

func TestURLs(t *testing.T) {
	t.Parallel()
	const host = "examplecluster.abc123xyz789.us-west-2.redshift.amazonaws.com"
	for _, tt := range []struct{ url, endpoint, want string }{
		{url: "jdbc:redshift://" + host + ":5439/dev"},
		{url: "jdbc:postgresql://" + host + ":5439/dev"},
		{url: "jdbc:redshift://default.123456789012.us-east-1.redshift-serverless.amazonaws.com:5439/dev"},
		{url: "jdbc:redshift://c.abc.cn-north-1.redshift.amazonaws.com.cn:5439/dev"},
		{url: "jdbc:redshift://127.0.0.1:15439/dev"},
		{url: "jdbc:redshift://localhost:15439/dev"},
		{url: "jdbc:redshift://[::1]:15439/dev"},
		{url: "jdbc:redshift://" + host + ":5439/dev?ssl=true&tcpKeepAlive=true"},
		{url: "jdbc:redshift://" + host + ":5439/dev;sslmode=verify-full"},
		{url: "jdbc:redshift://warehouse.example.com:5439/dev", endpoint: "warehouse.example.com:5439"},
		{url: "jdbc:redshift://" + host + ":5439/dev", endpoint: "127.0.0.1:15439"},
		{url: "jdbc:redshift://warehouse.example.com:5439/dev", want: "set clusterEndpoint"},
		{url: "jdbc:redshift://redshift.example.com:5439/dev", want: "set clusterEndpoint"},
		{url: "jdbc:redshift://" + host + "/dev", want: "not like"},
		{url: "jdbc:redshift://" + host + ":5439/", want: "not like"},
		{url: "jdbc:redshift://" + host + ":99999/dev", want: "1-65535"},
		{url: "jdbc:redshift://" + host + ":0/dev", want: "1-65535"},
		{url: "postgres://loader:" + password + "@" + host + ":5439/dev", want: "not like"},
		{url: "jdbc:redshift://loader:" + password + "@" + host + ":5439/dev", want: "not like"},
		{url: "jdbc:redshift://" + host + ":5439/dev?password=" + password, want: "has the option password; set Username and Password"},
		{url: "jdbc:redshift://" + host + ":5439/dev?sslmode=disable", want: "verify-full"},
		{url: "jdbc:redshift://" + host + ":5439/dev?ssl=false", want: "verify-full"},
		{url: "jdbc:redshift://" + host + ":5439/dev?loginToRp=" + password, want: `option "loginToRp"`},
		{url: "jdbc:redshift://" + host + ":5439/dev", endpoint: "nowhere", want: "clusterEndpoint is not like HOST:PORT"},
		{url: "jdbc:redshift://" + host + ":5439/dev", endpoint: "h:0", want: "1-65535"},
		{url: "", want: "not like"},
	} {
		_, err := pgwire.New(pgwire.Config{URL: tt.url, ClusterEndpoint: tt.endpoint, Login: new(account)})
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q, %q: %v; want %q", tt.url, tt.endpoint, err, tt.want)
		}
		if err != nil {
			hasNoSecret(t, err)
		}
	}
}

// All that is wrong is named at once.
func TestConfig(t *testing.T) {
	t.Parallel()
	_, err := pgwire.New(pgwire.Config{URL: "x", RootCAs: []byte("x"), ConnectTimeout: -time.Second, StatementTimeout: -time.Second})
	for _, want := range []string{"ClusterJDBCURL", "login", "RootCAs (caFile)", "ConnectTimeout is -1s", "StatementTimeout is -1s"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}
