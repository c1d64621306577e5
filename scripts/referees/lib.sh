# shellcheck shell=bash disable=SC2034
# What the referee scripts share. Source it; do not run it.
#
# A referee is a server or a tool that this project did not write and that
# judges what the project does. It is installed once, by the ordinary client of
# a public package registry (mvn, npm, go), into its folder under
# $REFEREE_HOME. What belongs to one run of it, the pidfile, the log, the port
# and the data, is in $REFEREE_RUN, so that two runs with folders of their own
# do not meet.
set -euo pipefail

REFEREE_HOME="${REFEREE_HOME:-${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/shardmill-referees}"
REFEREE_RUN="${REFEREE_RUN:-$REFEREE_HOME/run}"
REFEREE_SCRIPTS="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
REFEREE_INSTALL_TIMEOUT="${REFEREE_INSTALL_TIMEOUT:-900}" # seconds
REFEREE_START_TIMEOUT="${REFEREE_START_TIMEOUT:-120}"     # seconds

log() { printf '%s: %s\n' "${REFEREE:-referee}" "$*" >&2; }
die() { log "$*"; exit 1; }
need() { local c; for c in "$@"; do command -v "$c" >/dev/null 2>&1 || die "needs '$c' on PATH"; done; }

# referee NAME: makes NAME the current referee, installed in $DIR and running
# in $RUN.
referee() {
  REFEREE="$1"
  DIR="$REFEREE_HOME/$1"
  RUN="$REFEREE_RUN/$1"
  PIDFILE="$RUN/pid"
  LOGFILE="$RUN/log"
  mkdir -p "$DIR" "$RUN"
}

# installed WHAT: true if this very WHAT (a version string) is installed.
installed() { [[ -f "$DIR/.installed" && "$(cat "$DIR/.installed")" == "$1" ]]; }
mark_installed() { printf '%s\n' "$1" >"$DIR/.installed"; }

# digest FILE...: a short digest, for a stamp that changes when a pom does.
digest() { cat "$@" | sha256sum | cut -c1-12; }

# locked CMD...: runs CMD while holding this referee's lock, so that two tests
# that want the same referee do not install it both at once.
locked() {
  need flock
  exec 9>"$DIR/.lock"
  flock -w "$REFEREE_INSTALL_TIMEOUT" 9 || die "another install has held $DIR/.lock for ${REFEREE_INSTALL_TIMEOUT}s"
  "$@" 9>&-
  exec 9>&-
}

# patiently CMD...: runs CMD for at most the install timeout, twice if need be:
# a registry may fail once. Its output goes to standard error.
patiently() {
  timeout "$REFEREE_INSTALL_TIMEOUT" "$@" >&2 && return 0
  log "trying once more: $*"
  timeout "$REFEREE_INSTALL_TIMEOUT" "$@" >&2
}

maven() { patiently mvn -B -ntp -q -Dstyle.color=never "$@"; }

# maven_libs POM DEST: copies POM's runtime class path into DEST.
maven_libs() {
  need mvn
  rm -rf "$2"
  maven -f "$1" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$2" || die "maven could not resolve $1"
}

# maven_build SOURCE DEST: builds a Maven project outside its own folder and
# copies the jar and its libs/ to DEST. Further arguments go to Maven.
maven_build() {
  need mvn
  local src="$1" dest="$2" tmp
  shift 2
  tmp="$(mktemp -d "$DIR/build.XXXXXX")"
  cp -r "$src/pom.xml" "$src/src" "$tmp/"
  maven -f "$tmp/pom.xml" package "$@" || { rm -rf "$tmp"; die "maven could not build $src"; }
  rm -rf "$dest"
  mkdir -p "$dest"
  mv "$tmp"/target/*.jar "$tmp/target/libs" "$dest/"
  rm -rf "$tmp"
}

# npm_packages NAME@VERSION...: installs into $DIR/node_modules.
npm_packages() {
  need node npm
  rm -rf "${DIR:?}/node_modules"
  printf '{"private":true}\n' >"$DIR/package.json"
  patiently npm install --prefix "$DIR" --no-audit --no-fund --loglevel=error "$@" || die "npm could not install $*"
}

# The pidfile holds "PID STARTTIME": the start time, from the kernel, tells
# our process from a later one that was given the same number.
proc_start() { local s; s="$(cat "/proc/$1/stat" 2>/dev/null)" || return 1; s="${s##*) }"; set -- $s; printf '%s' "${20}"; }
running() {
  local pid start
  [[ -s "$PIDFILE" ]] || return 1
  read -r pid start <"$PIDFILE" || return 1
  [[ -n "$start" && "$(proc_start "$pid")" == "$start" ]]
}
pid() { local p _; read -r p _ <"$PIDFILE"; printf '%s' "$p"; }

# spawn CMD...: starts CMD as a daemon in a session of its own.
spawn() {
  need setsid
  : >"$LOGFILE"
  setsid "$@" </dev/null >>"$LOGFILE" 2>&1 9>&- &
  local p=$!
  disown "$p"
  sleep 0.1
  printf '%s %s\n' "$p" "$(proc_start "$p" || true)" >"$PIDFILE"
}

# wait_for CMD...: repeats CMD until it succeeds, the daemon dies, or time is up.
wait_for() {
  local t0=$SECONDS
  until "$@" >/dev/null 2>&1; do
    running || { tail -n 40 "$LOGFILE" >&2; die "died while starting; its log is $LOGFILE"; }
    ((SECONDS - t0 < REFEREE_START_TIMEOUT)) || { tail -n 40 "$LOGFILE" >&2; stop; die "not healthy after ${REFEREE_START_TIMEOUT}s; its log is $LOGFILE"; }
    sleep 0.2
  done
}

# answers PORT: true if something accepts connections there.
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
# http_answers URL: true if an HTTP server answers with any status.
http_answers() { curl -sk -o /dev/null --max-time 3 --noproxy '*' "$1"; }
# http_ok URL: true if it answers 2xx.
http_ok() { curl -skf -o /dev/null --max-time 5 --noproxy '*' "$1"; }

# pick_port NAME [PORT]: writes into $RUN/NAME the port to listen on: PORT if
# given, which must be free, or else one that is. It looks below the range from
# which Linux gives ports to connections, so none is taken between look and use
# but by another pick.
pick_port() {
  local p="${2:-}" i
  if [[ -n "$p" ]]; then
    ! answers "$p" || die "port $p on 127.0.0.1 is taken"
  else
    for ((i = 0; i < 100; i++)); do
      p=$((15000 + RANDOM % 15000))
      answers "$p" || break
    done
    ! answers "$p" || die "found no free port on 127.0.0.1"
  fi
  printf '%s' "$p" >"$RUN/$1"
}
port() { cat "$RUN/$1" 2>/dev/null || die "not started"; }

# end: ends the current referee, gently for $STOP_GRACE seconds; with KILL at once.
# Only ever our own process.
end() {
  local p i
  if running; then
    p="$(pid)"
    if [[ "${1:-}" != KILL ]]; then
      kill -TERM "$p" 2>/dev/null || true
      for ((i = 0; i < 5 * ${STOP_GRACE:-5}; i++)); do running || break; sleep 0.2; done
    fi
    if running; then
      kill -KILL "$p" 2>/dev/null || true
      for ((i = 0; i < 25; i++)); do running || break; sleep 0.2; done
    fi
  fi
  rm -f "${PIDFILE:?}"
}

# stop: ends the current referee, and forgets its data.
stop() {
  end
  rm -rf "${RUN:?}/data"
}

# again [SETTING=VALUE...]: ends the current referee, unless it has ended, and launches
# it with its data on its port, with these settings besides. It needs a function
# `launch`.
again() {
  STOP_GRACE=30 end
  printf '%s\n' "$@" >"$RUN/settings"
  launch
}

# start_once: installs and starts, unless it runs already.
start_once() {
  do_install
  running || do_start
}

# dispatch VERB: the command line that every server's script has. `kill` and `restart
# [SETTING=VALUE...]` leave the data where they are; few can be restarted.
dispatch() {
  case "${1:-}" in
    install) locked do_install ;;
    start)
      locked start_once
      endpoint
      ;;
    stop) stop ;;
    kill) locked end KILL ;;
    restart)
      shift
      declare -F launch >/dev/null || die "it cannot be restarted"
      locked again "$@"
      endpoint
      ;;
    status) if running; then printf 'running pid %s\n' "$(pid)"; endpoint; else printf 'stopped\n'; return 3; fi ;;
    endpoint) endpoint ;;
    *) printf 'usage: %s install|start|stop|kill|restart|status|endpoint\n' "$(basename "$0")" >&2; return 2 ;;
  esac
}

# python_packages VERB: the command line of a referee that is packages of Python:
# those that REFEREE.txt lists, in a virtual environment. `install` prints its
# interpreter.
python_packages() {
  [[ "${1:-}" == install ]] || { printf 'usage: %s install\n' "$(basename "$0")" >&2; return 2; }
  locked install_python_packages "$REFEREE_SCRIPTS/$REFEREE.txt"
  printf '%s\n' "$DIR/venv/bin/python"
}

# install_python_packages FILE: makes the environment, unless it is there.
install_python_packages() {
  local version
  version="$(digest "$1")"
  installed "$version" && return 0
  need python3
  rm -rf "${DIR:?}/venv"
  patiently python3 -m venv "$DIR/venv" || die "python3 could not make a virtual environment"
  patiently "$DIR/venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps -r "$1" ||
    die "pip could not install what $1 lists"
  mark_installed "$version"
}
