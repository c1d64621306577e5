#!/usr/bin/env bash
# Runs our code and the real Java KCL, 2.7.2 and where the test says so 3.5.1, on one lease
# table (DynamoDB Local) and one stream (kinesis-mock), started for this run. Arguments go to go test; with
# `-args -update` the recordings in testdata/leases are made anew.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
for version in 2.7.2 3.5.1; do JAVA_KCL_VERSION="$version" "$here/referees/java-kcl.sh" install; done # what takes minutes the first time is not the tests' to wait for
exec "$here/with-referees.sh" dynamodb-local kinesis-mock -- \
  "$here/tagged-tests.sh" interop -timeout 12m "$@"
