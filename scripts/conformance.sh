#!/usr/bin/env bash
# Holds the suites that our own local services and adapters pass to servers that
# we did not write: DynamoDB Local, kinesis-mock, versitygw and Lambda's emulator,
# started for this run; our containers to readers that others wrote: gzip, unzip and
# Python's; queries of partition keys to jq 1.6; signatures to botocore's; and what the
# configuration judges to AWS's model of the Firehose API.
# Arguments go to go test.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
models="$(mktemp -d -t shardmill-models.XXXXXX)"
trap 'rm -rf "$models"' EXIT
FIREHOSE_MODEL="$("$here/referees/firehose-model.sh" "$models")"
READERS_PYTHON="$("$here/referees/python-readers.sh" install)"
JQ="$("$here/referees/jq.sh" install)"
SIGV4_PYTHON="$("$here/referees/sigv4.sh" install)"
export FIREHOSE_MODEL READERS_PYTHON JQ SIGV4_PYTHON
"$here/with-referees.sh" dynamodb-local kinesis-mock versitygw lambda -- \
  "$here/tagged-tests.sh" conformance -timeout 10m "$@"
