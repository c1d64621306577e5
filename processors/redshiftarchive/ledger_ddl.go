package redshiftarchive

// LedgerDDL returns the statement that creates a ledger, unless a table of that name is
// there. table is as SQL has it, quoted if need be. Whoever loads needs SELECT, INSERT and
// UPDATE on it; UPDATE is what LOCK asks for. The whole ledger is on each node, as it is small and
// its rows are asked for by their objects.
func LedgerDDL(table string) string {
	return "CREATE TABLE IF NOT EXISTS " + table + ` (
  object VARCHAR(1100) NOT NULL,
  manifest VARCHAR(1100),
  loaded_at TIMESTAMP DEFAULT GETDATE()
) DISTSTYLE ALL SORTKEY (object);
`
}
