// Package pgwire is the redshiftarchive.Database that speaks PostgreSQL's protocol with a
// cluster or workgroup of Amazon Redshift.
package pgwire

import (
	"github.com/jackc/pgx/v5"
)

// Database is one connection at a time to a database. One goroutine uses it.
type Database struct {
	config *pgx.ConnConfig
}
