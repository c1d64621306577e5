#!/usr/bin/env bash
# DynamoDB Local (Amazon's own emulator) from Maven Central, in memory.
# It holds its maker's licence (use for development and test, no resale). It
# accepts any credentials and listens on every interface.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
referee dynamodb-local
POM="$REFEREE_SCRIPTS/dynamodb-local.xml"
VERSION="3.3.1-$(digest "$POM")"

do_install() {
  installed "$VERSION" && return 0
  need java
  maven_libs "$POM" "$DIR/libs"
  mark_installed "$VERSION"
}

do_start() {
  pick_port port "${DYNAMODB_LOCAL_PORT:-}"
  # sqlite4java looks for its native library by bare name in libs/.
  DDB_LOCAL_TELEMETRY=0 AWS_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true \
    spawn java -Xmx"${DYNAMODB_LOCAL_HEAP:-512m}" -XX:+UseSerialGC \
    -Djava.library.path="$DIR/libs" -Dsqlite4java.library.path="$DIR/libs" \
    -cp "$DIR/libs/*" software.amazon.dynamodb.services.local.main.ServerRunner \
    -inMemory -sharedDb -disableTelemetry -port "$(port port)"
  wait_for http_answers "$(endpoint)"
}

endpoint() { printf 'http://127.0.0.1:%s\n' "$(port port)"; }
dispatch "$@"
