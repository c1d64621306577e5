#!/usr/bin/env bash
# Holds what loads into Redshift to what we did not write: PostgreSQL as the engine of its
# SQL, behind a COPY of our own, and duckdb as a reader of what is staged. It runs the tests
# with the build tag redshift, also those that kill real processes. Arguments go to go test.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
DUCKDB_PYTHON="$("$here/referees/duckdb.sh" install)"
export DUCKDB_PYTHON
"$here/with-referees.sh" postgres -- "$here/tagged-tests.sh" redshift -timeout 8m "$@"
