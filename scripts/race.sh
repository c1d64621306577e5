#!/usr/bin/env bash
# race.sh [PACKAGE...]: runs the packages' tests under the race detector; all where
# goroutines share something if none is named.
# Tests in a testing/synctest bubble run on one processor: go1.26 lets goroutines
# of a bubble that receive from due timers at the same time share one context of
# the race detector, which then crashes (SIGSEGV in __tsan::SlotLock, in packages
# with nothing wrong in them). What happens before what is found on one
# processor just as well.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The longest comes first, so that the others run beside it.
[[ $# -gt 0 ]] || set -- ./sim ./checkpoint/... ./lease/... ./kcl/... ./processors/... ./localaws/... ./cmd/... ./internal/...
listed="$(go list -f '{{.ImportPath}} {{join .TestImports " "}} {{join .XTestImports " "}}' "$@")"
bubbles=() others=()
while read -r package imports; do
  [[ "$package" != */processors/internal/exactlyonce || "$*" == *exactlyonce* ]] || continue # a model that one goroutine searches, for minutes
  [[ "$package" != */partition/internal/jq || "$*" == *internal/jq* ]] || continue           # programs that one goroutine runs, for minutes; its users share it
  if [[ " $imports " == *" testing/synctest "* ]]; then bubbles+=("$package"); else others+=("$package"); fi
done <<<"$listed"

cpus="$(getconf _NPROCESSORS_ONLN)"
status=0
[[ ${#others[@]} -eq 0 ]] || go test -race -timeout 25m "${others[@]}" || status=1
[[ ${#bubbles[@]} -eq 0 ]] || GOMAXPROCS=1 go test -race -timeout 25m -p "$cpus" -parallel 4 "${bubbles[@]}" || status=1
exit "$status"
