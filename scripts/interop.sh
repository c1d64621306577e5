#!/usr/bin/env bash
# Runs our code and the real Java KCL on one lease table (DynamoDB Local) and
# one stream (kinesis-mock), started for this run. Arguments go to go test; with
# `-args -update` the recordings in testdata/leases are made anew.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
"$here/referees/java-kcl.sh" install # what takes minutes the first time is not the tests' to wait for
exec "$here/with-referees.sh" dynamodb-local kinesis-mock -- \
  "$here/tagged-tests.sh" interop -timeout 12m "$@"
