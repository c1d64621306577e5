#!/usr/bin/env bash
# PostgreSQL from the system's packages: the SQL engine behind the tests of what loads
# Redshift. It speaks Redshift's protocol and most of its SQL, but has no COPY from S3.
# The superuser is "referee" and has no password: loopback only.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
referee postgres

# pg_bin: the folder of its programs, or nothing.
pg_bin() {
  local d
  if command -v initdb >/dev/null && command -v postgres >/dev/null; then
    dirname "$(readlink -f "$(command -v postgres)")"
    return
  fi
  d="$(dpkg-query -W -f '${Package}\n' 'postgresql-[0-9]*' 2>/dev/null | xargs -r dpkg -L 2>/dev/null | grep '/bin/initdb$' | tail -n 1)" || true
  [[ -z "$d" ]] || dirname "$d"
}

do_install() {
  [[ -z "$(pg_bin)" ]] || return 0
  need apt-get
  patiently apt-get update -qq || die "apt-get could not update"
  patiently env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql || die "apt-get could not install postgresql"
  [[ -n "$(pg_bin)" ]] || die "postgresql is installed, and its programs are not found"
}

do_start() {
  pick_port port "${POSTGRES_PORT:-}"
  forget # each start is a fresh database
  local bin home as=()
  bin="$(pg_bin)"
  home="$(mktemp -d -t shardmill-postgres.XXXXXX)"
  printf '%s' "$home" >"$RUN/home"
  if [[ "$(id -u)" -eq 0 ]]; then # PostgreSQL refuses to run as root
    need setpriv
    as=(setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups)
    chown nobody: "$home"
  fi
  cd /
  "${as[@]}" "$bin/initdb" -D "$home/data" -U referee --auth=trust -E UTF8 --locale=C -N >"$LOGFILE" 2>&1 || { tail -n 20 "$LOGFILE" >&2; die "initdb failed"; }
  spawn "${as[@]}" "$bin/postgres" -D "$home/data" -p "$(port port)" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
    -c fsync=off -c synchronous_commit=off -c full_page_writes=off
  wait_for "$bin/pg_isready" -q -h 127.0.0.1 -p "$(port port)"
}

forget() { if [[ -s "$RUN/home" ]]; then rm -rf "$(cat "$RUN/home")" "$RUN/home"; fi; }
endpoint() { printf 'postgres://referee@127.0.0.1:%s/postgres?sslmode=disable\n' "$(port port)"; }
dispatch "$@"
[[ "${1:-}" != stop ]] || forget
