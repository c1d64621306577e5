#!/usr/bin/env bash
# with-referees.sh REFEREE... -- COMMAND...: installs and starts the servers
# named, runs the command with their addresses in its environment, and stops
# them, however it ends.
#   dynamodb-local  DYNAMODB_ENDPOINT
#   kinesis-mock    KINESIS_ENDPOINT, KINESIS_SERVER
#   versitygw       S3_ENDPOINT
#   lambda          LAMBDA_ENDPOINT, of the function "function"
#   opensearch, or elasticsearch   SEARCH_ENDPOINT, SEARCH_SERVER, SEARCH_SCRIPT
#   postgres  POSTGRES_ENDPOINT, a URL as libpq has it, of a superuser without a password
# The servers are fresh and belong to this run alone.
set -euo pipefail

scripts="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/referees"
REFEREE_RUN="$(mktemp -d -t shardmill-referees.XXXXXX)"
export REFEREE_RUN
# Of 12 digits, so that it names an account in kinesis-mock too.
export AWS_ACCESS_KEY_ID=000000000000 AWS_SECRET_ACCESS_KEY=local
export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
unset AWS_PROFILE AWS_SESSION_TOKEN

servers=()
while [[ $# -gt 0 && "$1" != "--" ]]; do
  [[ -x "$scripts/$1.sh" ]] || { echo "no referee is called $1" >&2; exit 2; }
  servers+=("$1")
  shift
done
shift || true
[[ $# -gt 0 ]] || { echo "usage: $(basename "$0") REFEREE... -- COMMAND..." >&2; exit 2; }

command=""
finish() {
  status=$?
  trap - EXIT
  trap '' INT TERM # timeout tells a process twice, by itself and with its group
  [[ -z "$command" ]] || kill -TERM "$command" 2>/dev/null || true
  for server in "${servers[@]}"; do
    "$scripts/$server.sh" stop || true
    if [[ $status -ne 0 && -s "$REFEREE_RUN/$server/log" ]]; then
      echo "--- the last lines of $server's log" >&2
      tail -n 20 "$REFEREE_RUN/$server/log" >&2
    fi
  done
  rm -rf "$REFEREE_RUN"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

for server in "${servers[@]}"; do
  endpoint="$("$scripts/$server.sh" start)"
  echo "$server runs at $endpoint"
  case "$server" in
    dynamodb-local) export DYNAMODB_ENDPOINT="$endpoint" ;;
    kinesis-mock) export KINESIS_ENDPOINT="$endpoint" KINESIS_SERVER=kinesis-mock ;;
    versitygw) export S3_ENDPOINT="$endpoint" ;;
    postgres) export POSTGRES_ENDPOINT="$endpoint" ;;
    lambda) export LAMBDA_ENDPOINT="$endpoint" ;;
    opensearch | elasticsearch) export SEARCH_ENDPOINT="$endpoint" SEARCH_SERVER="$server" SEARCH_SCRIPT="$scripts/$server.sh" ;;
  esac
done

# In the background, because a trap waits for a command in the foreground.
"$@" &
command=$!
code=0
wait "$command" || code=$?
command=""
exit "$code"
