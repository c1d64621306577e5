#!/usr/bin/env bash
# Holds what loads Amazon Redshift to an SQL engine that we did not write: PostgreSQL,
# started for this run. It runs the tests with the build tag redshift, with
#   POSTGRES_ENDPOINT  its URL as libpq has it, of a superuser without a password
# Those that kill archivers mostly wait, so more of them run side by side than there are
# processors. Arguments go to go test.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
exec "$here/with-referees.sh" postgres -- "$here/tagged-tests.sh" redshift -parallel 6 -timeout 6m "$@"
