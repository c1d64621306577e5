#!/usr/bin/env bash
# Measures what README's figures say, and prints them as a table; with --write it
# replaces the block between <!-- figures --> and <!-- /figures --> in README.md.
# Benchmarks run in rounds, one after another in each, so that what is compared
# is measured side by side; the medians of the rounds count. It takes a
# quarter of an hour on two cores of a machine that has nothing else to do.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
ROUNDS="${ROUNDS:-5}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# build NAME PACKAGE ARGS...: compiles a package's tests, to run them many times.
build() { go test -c -o "$work/$1.test" "${@:3}" "$2"; }

# bench NAME PACKAGE REGEXP TIME: runs benchmarks once, on one core.
bench() { (cd "$2" && "$work/$1.test" -test.run '^$' -test.bench "$3" -test.benchtime "$4" -test.benchmem -test.cpu 1); }

# figures NAME PACKAGE REGEXP ARGS...: runs tests that log figures.
figures() {
  local name="$1" dir="$2" run="$3"
  shift 3
  (cd "$dir" && "$work/$name.test" -test.v -test.run "$run" -test.timeout 20m "$@")
}

build processors ./processors
build kpl ./kcl/kpl
build source ./kcl/kinesissource
build portable ./kcl/kinesissource -tags purego
build dynamo ./lease/leasedynamo
build lease ./lease
build fleet ./sim/fleet
build program ./cmd/shardmill

{
  for ((i = 0; i < ROUNDS; i++)); do
    bench processors ./processors '^BenchmarkArchive$' 20x
    bench program ./cmd/shardmill '^BenchmarkEndToEnd$' 2x
    bench source ./kcl/kinesissource '^BenchmarkDecode$/^10MB-of-1KB$' 10x
    bench source ./kcl/kinesissource '^BenchmarkWorker$/^10MB-of-1KB$' 3x
    bench source ./kcl/kinesissource '^BenchmarkResident$' 1x
    bench portable ./kcl/kinesissource '^BenchmarkDecode$/^10MB-of-1KB$' 10x | sed 's/^Benchmark/&Portable/'
    bench portable ./kcl/kinesissource '^BenchmarkWorker$/^10MB-of-1KB$/^plain$' 3x | sed 's/^Benchmark/&Portable/'
    bench kpl ./kcl/kpl '^BenchmarkSplit(Plain|Beside)$' 200ms
    bench dynamo ./lease/leasedynamo '^Benchmark(EncodeRow|DecodeRow|Renew)$' 200ms
  done
  figures lease ./lease '^TestOneWorkerRenewsThousandsOfLeases$'
  figures fleet ./sim/fleet '^TestCostOfLeases$' -full
  figures fleet ./sim/fleet '^TestBalanceInRounds$' -full
} >"$work/out" || { tail -50 "$work/out"; exit 1; }

go run ./internal/tools/figures "$@" <"$work/out"
