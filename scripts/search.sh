#!/usr/bin/env bash
# Holds what delivers to Elasticsearch and OpenSearch, and the cluster of our local
# services, to servers that we did not write: OpenSearch 2.19, and then Elasticsearch
# 6.8, started for this run one after the other. It runs the tests with the build tag
# search twice, each time with
#   SEARCH_SERVER    opensearch or elasticsearch
#   SEARCH_ENDPOINT  its URL; bodies of requests may have 1 MiB
#   SEARCH_SCRIPT    kills and restarts it: `$SEARCH_SCRIPT kill`, `$SEARCH_SCRIPT restart SETTING=VALUE...`
# Arguments go to go test.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
export OPENSEARCH_SETTINGS=http.max_content_length=1mb ELASTICSEARCH_SETTINGS=http.max_content_length=1mb
status=0
for server in opensearch elasticsearch; do
  "$here/with-referees.sh" "$server" -- "$here/tagged-tests.sh" search -p 1 -timeout 8m "$@" || status=1
done
measured="$(mktemp)"
trap 'rm -f "$measured"' EXIT
env -u OPENSEARCH_SETTINGS "$here/with-referees.sh" opensearch -- bash -c 'cd "$1/../internal/tools/bulkbench" && go test -run "^$" -bench Bulk/real -benchtime 1x .' search "$here" | tee "$measured" || status=1
grep -q '^BenchmarkBulk/real' "$measured" || { echo "FAIL: no benchmark of a real server ran"; status=1; }
exit "$status"
