#!/usr/bin/env bash
# jq 1.6, which Firehose names as its engine, as Debian 12 packages it. `install`
# installs it as root, unless it is there, and prints its path.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
referee jq

found() { [[ "$(jq --version 2>/dev/null)" == jq-1.6 ]]; }

do_install() {
  found && return 0
  need apt-get
  patiently apt-get install -y -q --no-install-recommends 'jq=1.6*' ||
    { patiently apt-get update -q && patiently apt-get install -y -q --no-install-recommends 'jq=1.6*'; } ||
    die "apt-get could not install jq 1.6, which Debian 12 has"
  found || die "jq is $(jq --version 2>&1); it must be jq-1.6"
}

case "${1:-}" in
  install)
    locked do_install
    command -v jq
    ;;
  *) printf 'usage: %s install\n' "$(basename "$0")" >&2; exit 2 ;;
esac
