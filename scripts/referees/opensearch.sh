#!/usr/bin/env bash
# OpenSearch's own server, one node, from its jars on Maven Central: its core, without
# ingest processors, scripts and security. `restart SETTING=VALUE...` keeps its data.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
referee opensearch
SRC="$REFEREE_SCRIPTS/opensearch"
VERSION="2.19.5-$(digest "$SRC/pom.xml" "$SRC"/src/main/java/referees/opensearch/*.java)"
HEAP="${OPENSEARCH_HEAP:-512m}"

do_install() {
  installed "$VERSION" && return 0
  need java javac
  maven_build "$SRC" "$DIR/app"
  mark_installed "$VERSION"
}

do_start() {
  pick_port port "${OPENSEARCH_PORT:-}"
  rm -rf "${RUN:?}/data" "$RUN/settings" # each start is a fresh cluster
  launch
}

launch() {
  local settings=()
  [[ ! -s "$RUN/settings" ]] || mapfile -t settings < <(grep . "$RUN/settings")
  # shellcheck disable=SC2086 # several settings
  spawn java -Xms"$HEAP" -Xmx"$HEAP" -XX:+UseSerialGC -Dopensearch.networkaddress.cache.ttl=60 -Djava.security.manager=allow \
    -Dlog4j2.disable.jmx=true -Djava.awt.headless=true -cp "$DIR/app/opensearch-node.jar:$DIR/app/libs/*" \
    referees.opensearch.Main "$RUN/data" "$(port port)" ${OPENSEARCH_SETTINGS:-} "${settings[@]}"
  wait_for http_ok "$(endpoint)/_cluster/health?wait_for_status=yellow&timeout=1s"
}

endpoint() { printf 'http://127.0.0.1:%s\n' "$(port port)"; }
dispatch "$@"
