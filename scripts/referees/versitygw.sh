#!/usr/bin/env bash
# versitygw (Go): a strict S3 server on a folder. It checks signatures,
# checksums, conditional writes and part sizes as S3 does. It takes only the
# keys $AWS_ACCESS_KEY_ID and $AWS_SECRET_ACCESS_KEY. The first install compiles
# it, which takes a minute or so.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
referee versitygw
VERSION=v1.8.0

do_install() {
  installed "$VERSION" && return 0
  need go
  (cd "$DIR" && GOFLAGS=-mod=mod GOBIN="$DIR/bin" patiently go install "github.com/versity/versitygw/cmd/versitygw@$VERSION") ||
    die "go could not install versitygw $VERSION"
  mark_installed "$VERSION"
}

do_start() {
  pick_port port "${VERSITYGW_PORT:-}"
  rm -rf "${RUN:?}/data" "$RUN/versions" # each start is empty
  mkdir -p "$RUN/data" "$RUN/versions"
  ROOT_ACCESS_KEY="${AWS_ACCESS_KEY_ID:?}" ROOT_SECRET_KEY="${AWS_SECRET_ACCESS_KEY:?}" \
    spawn "$DIR/bin/versitygw" --port "127.0.0.1:$(port port)" --quiet posix --versioning-dir "$RUN/versions" "$RUN/data"
  wait_for http_answers "$(endpoint)"
}

endpoint() { printf 'http://127.0.0.1:%s\n' "$(port port)"; }
dispatch "$@"
