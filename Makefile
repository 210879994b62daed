# Targets are listed by `make` or `make help`.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO      ?= go
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X thump/internal/process.Version=$(VERSION)
BUILD   := CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)'
WEB     := dashboard/web
ARGS    ?=

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: need-go $(WEB)/dist/index.html ## build bin/thump (with the web UI) and bin/thump-agent
	$(BUILD) -o bin/ ./cmd/thump ./cmd/thump-agent

.PHONY: up
up: build ## build, then run the whole pipeline on this host: http://127.0.0.1:8420
	exec bin/thump up $(ARGS)

.PHONY: agent
agent: need-go ## build bin/thump-agent alone (no Node.js needed)
	$(BUILD) -o bin/ ./cmd/thump-agent

.PHONY: agent-redis
agent-redis: need-go ## build bin/thump-agent with Redis as a transport besides AMQP
	$(BUILD) -tags redis -o bin/ ./cmd/thump-agent

.PHONY: web
web: $(WEB)/dist/index.html ## build the web UI

$(WEB)/node_modules/.package-lock.json: $(WEB)/package-lock.json $(WEB)/package.json
	@$(MAKE) --no-print-directory need-node
	cd $(WEB) && npm ci --no-audit --no-fund --loglevel=error

WEB_SOURCES := $(shell find $(WEB)/src $(WEB)/public $(WEB)/index.html $(WEB)/*.ts $(WEB)/*.json -type f 2>/dev/null)
$(WEB)/dist/index.html: $(WEB)/node_modules/.package-lock.json $(WEB_SOURCES)
	cd $(WEB) && npm run build

.PHONY: test
test: build ## vet and test everything that needs no other server
	$(GO) vet ./...
	$(GO) test ./...
	cd $(WEB) && npm test

.PHONY: race
race: $(WEB)/dist/index.html ## the same Go tests under the race detector
	$(GO) test -race -p 1 -timeout 20m ./... # one package at a time: each uses all cores already

.PHONY: lint
lint: need-go ## gofmt, go vet, staticcheck
	@unformatted="$$(gofmt -l $$(git ls-files '*.go'))"; \
	  if [ -n "$$unformatted" ]; then echo "not formatted by gofmt:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

FUZZTIME ?= 30s
.PHONY: fuzz
fuzz: need-go ## run each fuzz target for FUZZTIME (30s)
	@for p in $$(grep -rlE '^func Fuzz' --include='*_test.go' agent broker internal | xargs -n1 dirname | sort -u); do \
	  for f in $$(grep -hoE '^func Fuzz[A-Za-z0-9]+' $$p/*_test.go | cut -d' ' -f2); do \
	    echo "== $$p $$f"; $(GO) test ./$$p -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME); done; done

BENCH ?= .
.PHONY: bench
bench: need-go ## run the benchmarks ten times into bench.out (for benchstat)
	$(GO) test ./... -run '^$$' -bench '$(BENCH)' -benchmem -count 10 | tee bench.out

REF ?= main
.PHONY: bench-compare
bench-compare: bench ## compare with the benchmarks of REF (main)
	rm -rf dist/bench-ref && git worktree prune && git worktree add --force dist/bench-ref $(REF)
	cd dist/bench-ref && $(GO) test ./... -run '^$$' -bench '$(BENCH)' -benchmem -count 10 > ../../bench-ref.out || true
	git worktree remove --force dist/bench-ref
	$(GO) tool benchstat bench-ref.out bench.out

.PHONY: bench-alerting
bench-alerting: build ## measure sample published -> webhook received, next to Debian's Prometheus and Alertmanager, alone and under load
	$(GO) run ./test/bench/alerting -thump bin/thump

.PHONY: bench-agent
bench-agent: build ## measure what the agent costs a host, next to Debian's node_exporter
	$(GO) run ./test/bench/agent

.PHONY: man
man: need-go ## write the man pages into dist/man
	$(GO) test ./cmd/thump-agent -count=1 -run TestManPages -man $(CURDIR)/dist/man/agent
	$(GO) test ./cmd/thump -count=1 -run TestManPages -man $(CURDIR)/dist/man/server

# A later nfpm does not resolve. `go run` keeps it out of go.mod.
NFPM := $(GO) run github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.43.0
# A version that sorts: that of the tag, or before any tag the time of the commit.
PACKAGE_VERSION := $(shell git describe --tags --exact-match 2>/dev/null | sed 's/^v//' | grep -E '^[0-9]' || git log -1 --format=0~git%cd.%h --date=format:%Y%m%d%H%M%S 2>/dev/null || echo 0~dev)

.PHONY: packages
packages: build man ## build deb and rpm of thump and of the agent into dist/packages, and look into them
	rm -rf dist/packages && mkdir -p dist/packages
	for name in thump-agent thump; do for kind in deb rpm; do \
	  ARCH=$$($(GO) env GOARCH) VERSION='$(PACKAGE_VERSION)' $(NFPM) package -f configs/packages/$$name.yaml -p $$kind -t dist/packages/; done; done
	configs/packages/check

.PHONY: cross
cross: need-go ## compile the agent for the other systems it runs on
	@for t in linux/arm64 darwin/arm64 windows/amd64 freebsd/amd64; do \
	  echo "thump-agent $$t"; CGO_ENABLED=0 GOOS=$${t%/*} GOARCH=$${t#*/} $(GO) build -trimpath -o /dev/null ./cmd/thump-agent; done

.PHONY: interop
interop: build ## test against a real RabbitMQ and foreign clients (Debian's packages)
	test/interop/run

.PHONY: browser
browser: build ## walk the pages in a real browser (Debian's chromium)
	test/browser/run

GRAFANA         := dashboard/grafana
GRAFANA_DIST    := dist/thump-metrics-datasource
GRAFANA_TARGETS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64
$(GRAFANA)/node_modules/.package-lock.json: $(GRAFANA)/package-lock.json $(GRAFANA)/package.json
	@$(MAKE) --no-print-directory need-node
	cd $(GRAFANA) && npm ci --no-audit --no-fund --loglevel=error

.PHONY: grafana-plugin
grafana-plugin: need-go $(GRAFANA)/node_modules/.package-lock.json ## build the Grafana data source as Grafana loads it: dist/thump-metrics-datasource
	cd $(GRAFANA) && rm -rf dist && npm run build
	rm -rf $(GRAFANA_DIST) && mkdir -p $(GRAFANA_DIST) && cp -r $(GRAFANA)/dist/. $(GRAFANA_DIST)/
	@for t in $(GRAFANA_TARGETS); do os=$${t%/*} arch=$${t#*/}; ext=; [ $$os = windows ] && ext=.exe; \
	  echo "gpx_thump $$t"; (cd $(GRAFANA) && CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch $(GO) build -mod=mod -trimpath -ldflags '-s -w' -o ../../$(GRAFANA_DIST)/gpx_thump_$${os}_$$arch$$ext ./cmd/gpx_thump) || exit 1; done
	cd $(GRAFANA) && node test/validate.mjs ../../$(GRAFANA_DIST) $(GRAFANA_TARGETS)

.PHONY: grafana-test
grafana-test: need-go $(GRAFANA)/node_modules/.package-lock.json $(WEB)/dist/index.html ## test the Grafana data source: its executable as Grafana drives it, its editors in a browser
	cd $(GRAFANA) && $(GO) vet -mod=mod ./... && $(GO) test -mod=mod -timeout 20m ./...
	cd $(GRAFANA) && npm run build && npm test

.PHONY: bench-grafana
bench-grafana: need-go $(WEB)/dist/index.html ## what 50 live panels cost the Grafana data source
	cd $(GRAFANA) && THUMP_BENCH=1 $(GO) test -mod=mod -count 1 -v -run FiftyPanels ./contract

.PHONY: ci
ci: ## what the continuous integration runs
	.ci/run

.PHONY: clean
clean: ## remove what was built; data stays
	rm -rf bin dist $(WEB)/node_modules $(GRAFANA)/node_modules $(GRAFANA)/dist test/browser/node_modules test/browser/artifacts bench.out bench-ref.out
	find $(WEB)/dist -mindepth 1 ! -name .gitkeep -delete

.PHONY: need-go need-node
need-go:
	@command -v $(GO) >/dev/null || { echo "Go is missing: install Go 1.26.7 or later, see https://go.dev/doc/install"; exit 1; }

need-node:
	@command -v npm >/dev/null || { echo "Node.js is missing: install Node.js 20 or later with npm, for example 'apt-get install nodejs npm'"; exit 1; }
	@node -e 'if (parseInt(process.versions.node) < 20) { console.log("Node.js " + process.version + " is too old: install 20 or later"); process.exit(1) }'
