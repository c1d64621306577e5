#!/usr/bin/env bash
# What signs requests as AWS's own clients in Python do: botocore. `install` puts it
# into a virtual environment and prints its interpreter.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
referee sigv4
PACKAGES="$REFEREE_SCRIPTS/sigv4.txt"
VERSION="$(digest "$PACKAGES")"

do_install() {
  installed "$VERSION" && return 0
  need python3
  rm -rf "${DIR:?}/venv"
  patiently python3 -m venv "$DIR/venv" || die "python3 could not make a virtual environment"
  patiently "$DIR/venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps -r "$PACKAGES" ||
    die "pip could not install what $PACKAGES lists"
  mark_installed "$VERSION"
}

case "${1:-}" in
  install)
    locked do_install
    printf '%s\n' "$DIR/venv/bin/python"
    ;;
  *) printf 'usage: %s install\n' "$(basename "$0")" >&2; exit 2 ;;
esac
