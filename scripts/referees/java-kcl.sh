#!/usr/bin/env bash
# A worker on the real Java KCL. `install` builds it; `run` runs one worker in
# the foreground, with the arguments of the worker itself (see Worker.java), and
# ends when its standard input does. JAVA_KCL_VERSION picks the line: 3.5.1,
# 3.4.2 and 2.7.2 are known to build from the one source.
#   java-kcl.sh run --app=a --stream=s --kinesis=URL --dynamodb=URL ...
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
KCL="${JAVA_KCL_VERSION:-2.7.2}"
referee "java-kcl-$KCL"
SRC="$REFEREE_SCRIPTS/javakcl"
VERSION="$KCL-$(digest "$SRC/pom.xml" "$SRC"/src/main/java/referees/kcl/*.java)"

do_install() {
  installed "$VERSION" && return 0
  need java javac
  maven_build "$SRC" "$DIR/app" -Dkcl.version="$KCL"
  mark_installed "$VERSION"
}

case "${1:-}" in
  install) locked do_install ;;
  run)
    shift
    locked do_install
    AWS_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true \
      exec java -Xmx"${JAVA_KCL_HEAP:-384m}" -XX:+UseSerialGC -Dorg.slf4j.simpleLogger.defaultLogLevel="${JAVA_KCL_LOG:-info}" \
      -cp "$DIR/app/kcl-worker.jar:$DIR/app/libs/*" referees.kcl.Worker "$@"
    ;;
  *) printf 'usage: %s install|run [WORKER-OPTION...]\n' "$(basename "$0")" >&2; exit 2 ;;
esac
