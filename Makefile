# Every tool is pinned and built by go from the module proxy; none is in go.mod.
GOLANGCI := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOFUMPT  := go run mvdan.cc/gofumpt@v0.12.0
SEEDS    ?= 1000
FUZZTIME ?= 30s
CASES    ?= 1000000
BENCH    ?= .
TIME     ?= 10m

SHELL       := bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: check
check: ## What CI runs, without the servers and the Java KCL
	bash .ci/run check

.PHONY: ci
ci: ## What CI runs
	bash .ci/run

.PHONY: fmt
fmt: ## Format
	$(GOFUMPT) -l -w .

.PHONY: fmt-check
fmt-check: ## Fail if anything is not formatted or not tidy
	@test -z "$$($(GOFUMPT) -l .)" || { echo 'run make fmt'; exit 1; }
	go mod tidy -diff

.PHONY: vet
vet: ## go vet, for every build tag
	go vet ./...
	go vet -tags 'conformance interop kill search' ./...

.PHONY: lint
lint: ## golangci-lint
	$(GOLANGCI) run ./...

.PHONY: test
test: ## Unit tests and simulations
	go test ./...

.PHONY: race
race: ## The same under the race detector, where goroutines share
	bash scripts/race.sh

.PHONY: conformance
conformance: ## Against DynamoDB Local, kinesis-mock and versitygw, started on loopback
	bash scripts/conformance.sh

.PHONY: search
search: ## Against OpenSearch 2.19 and Elasticsearch 6.8, started on loopback
	bash scripts/search.sh

.PHONY: interop
interop: ## Side by side with the Java KCL on one lease table
	bash scripts/interop.sh

.PHONY: sim
sim: ## Whole worlds in virtual time; SEEDS=1000 of each kind, fewer through the SDK
	go test ./sim -v -count=1 -timeout 180m -run TestWorlds$$ -args -seeds=$(SEEDS) | grep -v -e '^=== ' -e '--- PASS' -e '^PASS' -e '^ok '

.PHONY: flakes
flakes: ## Each test many times beside busy processes, for hours; RUNS=50 SIM_RUNS=10 PROCS="1 4 8" PACKAGES=./kcl
	RUNS='$(RUNS)' SIM_RUNS='$(SIM_RUNS)' PROCS='$(PROCS)' bash scripts/flakes.sh $(PACKAGES)

.PHONY: kill
kill: ## Kill processes at chosen points of the protocol, and chaos for 90 s; count what is lost
	bash scripts/tagged-tests.sh kill -timeout 17m

.PHONY: chaos
chaos: ## Four archivers under everything at once; TIME=10m
	SHARDMILL_CHAOS_TIME=$(TIME) go test -tags kill -count=1 -v -timeout 3h -run 'TestChaos$$' ./cmd/shardmill/killtest

.PHONY: memory
memory: ## What 200 shards that are behind take of the machine's memory; TIME=10m
	SHARDMILL_MEMORY_TIME=$(TIME) go test -p 1 ./sim/memory ./kcl/kinesissource ./processors -run '^Test(MemoryBound|ResidentMemory)$$' -count=1 -v -timeout 3h

.PHONY: bench
bench: ## Measure README's figures, and write them there
	bash scripts/bench.sh --write

.PHONY: benchstat
benchstat: ## Benchmarks, as benchstat reads them; BENCH=regexp
	go test -run '^$$' -bench '$(BENCH)' -benchmem -count 6 ./...

.PHONY: fuzz
fuzz: ## Each fuzz target for FUZZTIME, and CASES spoilt answers of GetRecords
	go test -count=1 -timeout 3h -run TestMutants ./kcl/kinesissource/internal/decode -args -cases=$(CASES)
	@go list -f '{{.ImportPath}}' ./... | while read p; do \
	  go test -list '^Fuzz' $$p | { grep '^Fuzz' || true; } | while read f; do \
	    go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$p || exit 1; done || exit 1; done
