#!/usr/bin/env bash
# Holds the suites that our own local services and adapters pass to servers that
# we did not write: DynamoDB Local, kinesis-mock and versitygw, started for this
# run; and our containers to readers that others wrote: gzip, unzip, zstd and
# Python's. Arguments go to go test.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
READERS_PYTHON="$("$here/referees/python-readers.sh" install)"
export READERS_PYTHON
exec "$here/with-referees.sh" dynamodb-local kinesis-mock versitygw -- \
  "$here/tagged-tests.sh" conformance -timeout 10m "$@"
