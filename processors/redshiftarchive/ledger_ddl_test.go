package redshiftarchive_test

import (
	"strings"
	"testing"

	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

func TestLedgerDDL(t *testing.T) {
	t.Parallel()
	ddl := redshiftarchive.LedgerDDL("audit.ledger")
	for _, want := range []string{"CREATE TABLE IF NOT EXISTS audit.ledger (", "object VARCHAR(1100) NOT NULL", "manifest VARCHAR(1100)", "loaded_at TIMESTAMP DEFAULT GETDATE()", "SORTKEY (object);\n"} {
		if !strings.Contains(ddl, want) {
			t.Errorf("%s lacks %s", ddl, want)
		}
	}
}
