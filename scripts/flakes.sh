#!/usr/bin/env bash
# Finds tests that fail now and then: runs the tests of packages again and again
# beside busy processes and on several numbers of processors, and prints which
# failed and how often. The exit status is 1 if any did. Each package is compiled
# once; each run is a process of its own, so that a panic or a hang costs one run.
#   flakes.sh [PACKAGE...]  default: all where goroutines meet, and the simulations
# These variables of the environment change it; with the defaults it takes hours:
#   RUNS=50       runs of each package on each number of processors
#   SIM_RUNS=10   the same of ./sim/...
#   PROCS="1 4 8" numbers of processors (GOMAXPROCS)
#   BUSY=4        busy processes beside
#   LIMIT=10m     of one run; then it shows its goroutines, and is killed
#   TESTS=REGEXP  only these tests; default: all
#   RACE=-race    under the race detector; default: without
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
RUNS="${RUNS:-50}" SIM_RUNS="${SIM_RUNS:-10}" PROCS="${PROCS:-1 4 8}" BUSY="${BUSY:-4}" LIMIT="${LIMIT:-10m}"
TESTS="${TESTS:-.}" RACE="${RACE:-}"

work="$(mktemp -d -t shardmill-flakes.XXXXXX)"
busy=() running=""
declare -A failures=() # by package and test
runs=0 failed=0

# finish ends all processes and prints what failed so far.
finish() {
  trap - EXIT
  trap '' INT TERM
  [[ ${#busy[@]} -eq 0 ]] || kill "${busy[@]}" 2>/dev/null
  [[ -z "$running" ]] || { kill -TERM "$running" 2>/dev/null; wait "$running"; }
  printf '\n%d runs, %d failed, %d s\n' "$runs" "$failed" "$SECONDS"
  for what in "${!failures[@]}"; do printf '%6d  %s\n' "${failures[$what]}" "$what"; done | sort -k2
  rm -rf "$work/bin" "$work/log"
  rmdir "$work" 2>/dev/null || echo "the output of each run that failed is in $work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

[[ $# -gt 0 ]] || set -- ./checkpoint/... ./lease/... ./kcl/... ./processors/... ./localaws/... ./cmd/... ./internal/... ./sim/...
listed="$(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}} {{.Dir}}{{end}}' "$@")" || exit 1
module="$(go list -m)"
mkdir "$work/bin"
names=() dirs=()
while read -r package dir; do
  [[ -n "$package" ]] || continue
  name="${package#"$module"/}"
  go test -c ${RACE:+"$RACE"} -o "$work/bin/${name//\//+}" "$package" || exit 1
  names+=("$name") dirs+=("$dir")
done <<<"$listed"

# once NAME DIR PROCS: one run. What failed is counted, and its output kept.
once() {
  local name="$1" dir="$2" procs="$3" log="$work/log" status=0 what
  cd "$dir" || exit 1
  GOMAXPROCS="$procs" timeout --signal=QUIT --kill-after=10 "$LIMIT" "$work/bin/${name//\//+}" \
    -test.run "$TESTS" -test.count 1 -test.paniconexit0 -test.timeout 0 >"$log" 2>&1 &
  running=$!
  wait "$running" || status=$?
  running=""
  cd "$OLDPWD" || exit 1
  runs=$((runs + 1))
  [[ $status -ne 0 ]] || { rm "$log"; return; }
  failed=$((failed + 1))
  mapfile -t what < <(sed -nE 's/^ *--- FAIL: ([^ ]+) .*/\1/p' "$log" | sort -u)
  [[ ${#what[@]} -gt 0 ]] || what=("(the process ended with $status)")
  for w in "${what[@]}"; do failures["$name $w"]=$((${failures["$name $w"]:-0} + 1)); done
  mv "$log" "$work/${name//\//+}.$procs.$runs.log"
}

for ((i = 0; i < BUSY; i++)); do
  (trap - EXIT; while kill -0 $$; do for ((j = 0; j < 100000; j++)); do :; done; done) 2>/dev/null &
  busy+=($!)
done
for i in "${!names[@]}"; do
  n="$RUNS"
  [[ "${names[$i]}" != sim && "${names[$i]}" != sim/* ]] || n="$SIM_RUNS"
  t0=$SECONDS
  for procs in $PROCS; do
    for ((r = 0; r < n; r++)); do once "${names[$i]}" "${dirs[$i]}" "$procs"; done
  done
  printf '%6ds  %s, %d times on each of %s processors\n' $((SECONDS - t0)) "${names[$i]}" "$n" "$PROCS"
done
[[ $failed -eq 0 ]]
