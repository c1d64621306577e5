#!/usr/bin/env bash
# Holds what loads into Redshift to what we did not write: PostgreSQL as the engine of its
# SQL, behind a COPY of our own, and duckdb as a reader of what is staged. It runs the tests
# with the build tag redshift, with
#   POSTGRES_ENDPOINT  the server's URL as libpq has it, of a superuser without a password
#   DUCKDB_PYTHON      a Python that has duckdb
# Those that kill archivers mostly wait, so more of them run side by side than there are
# processors. Arguments go to go test.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
DUCKDB_PYTHON="$("$here/referees/duckdb.sh" install)"
export DUCKDB_PYTHON
"$here/with-referees.sh" postgres -- "$here/tagged-tests.sh" redshift -parallel 6 -timeout 6m "$@"
