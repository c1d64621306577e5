#!/usr/bin/env bash
# kinesis-mock (npm: kinesis-local): Kinesis over HTTP and over TLS with HTTP/2.
# Both ports serve one set of streams. Its certificate is self-signed.
# An access key id of 12 digits names an account of its own: a cheap way to
# give each test a Kinesis with no streams in it. It grows slow with the bytes
# it holds: start a fresh one for each suite. It listens on every interface.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
referee kinesis-mock
VERSION=0.6.2
STOP_GRACE=1 # it keeps nothing, and does not heed SIGTERM

do_install() {
  installed "$VERSION" && return 0
  npm_packages "kinesis-local@$VERSION"
  mark_installed "$VERSION"
}

do_start() {
  pick_port port "${KINESIS_MOCK_PLAIN_PORT:-}"
  pick_port tls-port "${KINESIS_MOCK_TLS_PORT:-}"
  cd "$DIR/node_modules/kinesis-local" || die "not installed" # it reads its certificate from here
  KINESIS_MOCK_PLAIN_PORT="$(port port)" KINESIS_MOCK_TLS_PORT="$(port tls-port)"
  export KINESIS_MOCK_PLAIN_PORT KINESIS_MOCK_TLS_PORT AWS_ACCOUNT_ID=000000000000 AWS_REGION=us-east-1
  export SHARD_LIMIT=500 LOG_LEVEL="${KINESIS_MOCK_LOG_LEVEL:-WARN}"
  local op # how long a stream is CREATING, UPDATING and so on
  for op in CREATE_STREAM DELETE_STREAM REGISTER_STREAM_CONSUMER DEREGISTER_STREAM_CONSUMER START_STREAM_ENCRYPTION \
    STOP_STREAM_ENCRYPTION MERGE_SHARDS SPLIT_SHARD UPDATE_SHARD_COUNT UPDATE_STREAM_MODE; do
    export "${op}_DURATION=${KINESIS_MOCK_DELAY:-100ms}"
  done
  spawn node --max-old-space-size=2048 main.js
  wait_for http_ok "$(endpoint)/healthcheck"
}

endpoint() { printf 'http://127.0.0.1:%s\n' "$(port port)"; }
dispatch "$@"
