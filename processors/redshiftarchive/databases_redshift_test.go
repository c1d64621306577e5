//go:build redshift

package redshiftarchive_test

import (
	"fmt"
	neturl "net/url"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/shardmill/shardmill/localaws"
)

// The same, with PostgreSQL as the SQL engine behind our COPY.
func TestDatabasesOnPostgreSQL(t *testing.T) {
	t.Parallel()
	server := os.Getenv("POSTGRES_ENDPOINT")
	if server == "" {
		t.Fatal("POSTGRES_ENDPOINT is not set; scripts/redshift.sh starts a server, and sets it")
	}
	for name, open := range databases() {
		for what, f := range map[string]func(*testing.T, *house){"loads": loadsIt, "fails": failsAs, "loses answers": losesAnswers} {
			if name != "pgwire" && what == "loses answers" {
				continue // there is no connection to be cut: it is what "loads" shows
			}
			t.Run(name+", "+what, func(t *testing.T) {
				t.Parallel()
				in(t, localaws.Options{Warehouse: localaws.WarehouseOptions{PostgreSQL: newDatabase(t, server)}}, open, f)
			})
		}
	}
}

// newDatabase makes a database of its own, and returns its URL.
func newDatabase(t *testing.T, server string) string {
	t.Helper()
	u, err := neturl.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	c, err := pgconn.Connect(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	name := fmt.Sprintf("d%d", time.Now().UnixNano())
	if _, err := c.Exec(t.Context(), "CREATE DATABASE "+name).ReadAll(); err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}
