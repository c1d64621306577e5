//go:build redshift

package warehousetest_test

import (
	"os"
	"testing"

	"github.com/shardmill/shardmill/localaws"
	"github.com/shardmill/shardmill/localaws/warehousetest"
)

// TestReferee runs the suite against PostgreSQL, at $POSTGRES_ENDPOINT, behind a COPY of our
// own.
func TestReferee(t *testing.T) {
	t.Parallel()
	url := os.Getenv("POSTGRES_ENDPOINT")
	if url == "" {
		t.Fatal("$POSTGRES_ENDPOINT is not set")
	}
	w := suite(t, stack(t, localaws.WarehouseOptions{PostgreSQL: url}), true)
	w.PostgreSQL = true
	warehousetest.Run(t, w)
}
