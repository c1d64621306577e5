#!/usr/bin/env bash
# tagged-tests.sh TAG [GO-TEST-ARGUMENT...]: runs the tests in the files that begin
# with `//go:build TAG`, and no others. It fails unless each of them passed: a
# test that was skipped or did not run is a failure.
set -euo pipefail

tag="$1"
shift
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mapfile -t files < <(grep -rl --include='*_test.go' "^//go:build $tag\$" . | sort)
[[ ${#files[@]} -gt 0 ]] || { echo "no test has the build tag $tag" >&2; exit 1; }
mapfile -t packages < <(dirname "${files[@]}" | sort -u)

out="$(mktemp)"
trap 'rm -f "$out"' EXIT
status=0
for package in "${packages[@]}"; do
  mapfile -t tests < <(grep -l "^//go:build $tag\$" "$package"/*_test.go | xargs sed -n 's/^func \(Test[A-Za-z0-9_]*\)(t \*testing\.T).*/\1/p' | sort -u)
  [[ ${#tests[@]} -gt 0 ]] || { echo "FAIL: $package: has files with the tag $tag, but no test in them"; status=1; continue; }
  echo "=== $package: ${tests[*]}"
  go test -tags "$tag" -count=1 -v -run "^($(IFS='|'; echo "${tests[*]}"))\$" "$package" "$@" 2>&1 | tee "$out" | sed '/^=== \(RUN\|PAUSE\|CONT\|NAME\) /d' || status=1
  for t in "${tests[@]}"; do
    grep -q "^--- PASS: $t " "$out" || { echo "FAIL: $package: $t did not pass"; status=1; }
  done
  if grep -q -e '--- SKIP' "$out"; then
    echo "FAIL: $package: tests were skipped"
    status=1
  fi
done
exit "$status"
