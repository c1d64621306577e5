#!/usr/bin/env bash
# Elasticsearch 6.8.23, the last whole distribution on Maven Central. It refuses to be
# root, so root runs it as the user nobody. `restart SETTING=VALUE...` keeps its data.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
referee elasticsearch
VERSION=6.8.23
STAMP="$VERSION $(digest "$REFEREE_SCRIPTS/elasticsearch.xml")"
HEAP="${ELASTICSEARCH_HEAP:-512m}"

do_install() {
  installed "$STAMP" && return 0
  need java mvn
  rm -rf "${DIR:?}/download" "${DIR:?}/server"
  maven -f "$REFEREE_SCRIPTS/elasticsearch.xml" dependency:unpack-dependencies \
    -DoutputDirectory="$DIR/download" -DmarkersDirectory="$DIR/download/markers" || die "maven could not resolve Elasticsearch $VERSION"
  mv "$DIR/download/elasticsearch-$VERSION" "$DIR/server"
  rm -rf "${DIR:?}/download"
  chmod +x "$DIR"/server/bin/*
  rm -rf "$DIR"/server/modules/x-pack-ml # native code, and hundreds of megabytes of memory
  mark_installed "$STAMP"
}

# home prints the folder of this run, which the user nobody can reach.
home() { cat "$RUN/home" 2>/dev/null || die "not started"; }

do_start() {
  pick_port port "${ELASTICSEARCH_PORT:-}"
  forget
  rm -f "$RUN/settings"
  local home
  home="$(mktemp -d -t shardmill-elasticsearch.XXXXXX)"
  printf '%s' "$home" >"$RUN/home"
  cp -al "$DIR/server" "$home/server" 2>/dev/null || cp -a "$DIR/server" "$home/server"
  mkdir -p "$home/data" "$home/logs" "$home/tmp"
  cp -r "$home/server/config" "$home/config"
  # The JVM options of 6.8 know nothing past Java 14; these fit 8 to 17.
  printf '%s\n' "-Xms$HEAP" "-Xmx$HEAP" -XX:+UseSerialGC -Djava.awt.headless=true -Dfile.encoding=UTF-8 \
    -Dio.netty.noUnsafe=true -Dio.netty.noKeySetOptimization=true -Dio.netty.recycler.maxCapacityPerThread=0 \
    -Dlog4j.shutdownHookEnabled=false -Dlog4j2.disable.jmx=true '12-:-Djava.security.manager=allow' >"$home/config/jvm.options"
  launch
}

launch() {
  local home setting as=()
  home="$(home)"
  {
    printf '%s\n' 'cluster.name: referee' 'node.name: referee' 'discovery.type: single-node' 'network.host: 127.0.0.1' \
      "http.port: $(port port)" 'transport.port: 13000-14999' "path.data: $home/data" "path.logs: $home/logs" \
      'xpack.security.enabled: false' 'xpack.ml.enabled: false' 'xpack.watcher.enabled: false' 'xpack.monitoring.enabled: false' \
      'bootstrap.system_call_filter: false' 'cluster.routing.allocation.disk.threshold_enabled: false'
    for setting in ${ELASTICSEARCH_SETTINGS:-} $(cat "$RUN/settings" 2>/dev/null); do printf '%s\n' "${setting/=/: }"; done
  } >"$home/config/elasticsearch.yml"
  if [[ "$(id -u)" -eq 0 ]]; then
    need setpriv
    as=(setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups)
    chmod 755 "$home"
    chown -R nobody: "$home/config" "$home/data" "$home/logs" "$home/tmp"
  fi
  cd "$home" || die "$home is not there"
  spawn "${as[@]}" env HOME="$home" ES_PATH_CONF="$home/config" ES_TMPDIR="$home/tmp" JAVA_HOME="$(java_home)" "$home/server/bin/elasticsearch"
  wait_for http_ok "$(endpoint)/_cluster/health?wait_for_status=yellow&timeout=1s"
}

java_home() { local j; j="$(readlink -f "$(command -v java)")"; printf '%s' "${j%/bin/java}"; }
forget() { if [[ -s "$RUN/home" ]]; then rm -rf "$(cat "$RUN/home")" "$RUN/home"; fi; }
endpoint() { printf 'http://127.0.0.1:%s\n' "$(port port)"; }
dispatch "$@"
[[ "${1:-}" != stop ]] || forget
