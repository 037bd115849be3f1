# Building, running, testing and measuring Frontdesk. `make` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/frontdesk
export CARGO_TARGET_DIR ?= $(CACHE)/target
export PATH := $(CACHE)/node/node_modules/.bin:$(PATH):$(HOME)/.cargo/bin

FRONTDESK := $(CARGO_TARGET_DIR)/release/frontdesk
EVALS := $(CARGO_TARGET_DIR)/release/frontdesk-evals

# What `make eval` plays; `make eval WORLD=... DIALOGUES=... DATA=...` plays something else.
WORLD ?= shop
DATA ?= evals/worlds
DIALOGUES ?= $(DATA)/$(WORLD)/dialogues.jsonl

# What `make build` builds beside the usual: cuda, vulkan or metal.
FEATURES ?=
ifneq ($(FEATURES),)
# The program finds llama.cpp's libraries beside itself, the evaluation commands there.
export LD_LIBRARY_PATH := $(CARGO_TARGET_DIR)/release:$(LD_LIBRARY_PATH)
ifeq ($(shell uname -sm),Linux x86_64)
# Of the libraries one suits each kind of processor: none is tuned for this one, and all of AMX's set-up is kept
# (see bot/setup.sh).
export CMAKE_C_FLAGS := -ffunction-sections -fdata-sections -fPIC -m64 -w -fno-tree-dse -fno-dse
export CMAKE_CXX_FLAGS := $(CMAKE_C_FLAGS)
endif
endif
# How `make bench` is run. PEER is a llama-server to measure beside ours.
CONNECTIONS ?= 10000
PEER ?=
BENCH_PORT ?= 18080
# Where `make test` starts a server for the widget's tests.
TEST_PORT ?= 18081

# Says how long the commands took: $(call timed,WHAT,COMMANDS)
timed = @begun=$$SECONDS; $(2); printf '== %s: %d s\n' '$(1)' $$((SECONDS - begun))

# Waits until the server $$server, which takes connections before its model is loaded, says that it is
# ready: $(call ready,PORT)
ready = until { exec 3<>/dev/tcp/127.0.0.1/$(1) && printf 'GET /readyz HTTP/1.0\r\n\r\n' >&3 && grep -q '200 OK' <&3; } 2>/dev/null; \
	do kill -0 $$server; sleep 0.2; done; exec 3>&-

# One build for the product, its tests and its checks: the native parts take a quarter of an hour.
RUST_TESTS := $(if $(shell PATH='$(PATH)' command -v cargo-nextest),nextest run,test)

.PHONY: help run test check models widget build eval bench setup setup-tests clean
.PHONY: test-rust test-widget test-page test-models

help: ## Lists the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 12

run: build ## Builds everything, fetches the models, starts the server with the demo shop
	$(FRONTDESK) models fetch
	exec $(FRONTDESK) run --demo evals/worlds/shop

test: setup-tests test-models test-rust test-widget test-page ## Runs all tests

check: widget ## Formatting, lints and documentation, as strict as they come
	$(call timed,formatting,cargo fmt --all --check)
	$(call timed,lints,cargo clippy --release --workspace --tests -- -D warnings)
	$(call timed,documentation,RUSTDOCFLAGS='-D warnings' cargo doc --release --workspace --no-deps)

models: setup test-models ## Fetches all model files, those of the tests included

widget: setup connectors/web/dist/frontdesk.js ## Builds the chat widget, if its sources are newer

eval: setup test-models ## Plays labelled dialogues and prints the figures
	$(EVALS) replay $(DIALOGUES) --world $(WORLD) --data $(DATA)

bench: build ## Memory per open connection of a running server, and the local model's speed
	@$(FRONTDESK) models fetch && $(FRONTDESK) models fetch reply; \
	data=$$(mktemp -d); \
	FRONTDESK__DATA__DIR=$$data FRONTDESK__SERVER__LISTEN=127.0.0.1:$(BENCH_PORT) \
		$(FRONTDESK) run & server=$$!; \
	trap 'kill $$server; wait $$server || true; rm -r "$$data"' EXIT; \
	$(call ready,$(BENCH_PORT)); \
	$(EVALS) connections --url ws://127.0.0.1:$(BENCH_PORT)/v1/chat --count $(CONNECTIONS) --pid $$server
	$(FRONTDESK) bench generate $(if $(PEER),--peer $(PEER))

setup: ## Installs what building needs, where it is missing
	@bot/setup.sh

clean: ## Deletes what was built; models and data stay
	cargo clean
	rm -rf connectors/web/dist connectors/web/node_modules

build: setup widget ## Builds the program and prints where it is
	$(call timed,build,$(if $(FEATURES),$(build_libraries),cargo build --release))
	@printf '%s\n' '$(FRONTDESK)'

# Puts llama.cpp's libraries, as cargo has just built them, beside the program: those that it cannot do
# without, and in backends/ those of which it loads what the machine has.
build_libraries = out=$$(cargo build --release --features $(FEATURES) --message-format=json-render-diagnostics | \
	sed -n '/build-script-executed.*llama-cpp-sys-2/s/.*"out_dir":"\([^"]*\)".*/\1/p'); \
	if [ -d "$$out/backends" ]; then \
		cp --remove-destination "$$out"/lib/lib*.so* '$(dir $(FRONTDESK))'; \
		rm -rf '$(dir $(FRONTDESK))backends'; \
		cp -r "$$out/backends" '$(dir $(FRONTDESK))'; \
	fi

setup-tests:
	$(call timed,setup,bot/setup.sh --tests)

test-models: build
	$(call timed,models,$(FRONTDESK) models fetch; $(FRONTDESK) models fetch reply smollm2 encoder-small)

test-rust: widget
	$(call timed,Rust tests,bot/postgres.sh cargo $(RUST_TESTS) --release --workspace)

test-widget: widget
	$(call timed,widget tests,npm --prefix connectors/web test)

# The widget's tests once more, on the page of the server itself, where the model writes: replies that grow.
test-page: build
	@begun=$$SECONDS; data=$$(mktemp -d); \
	FRONTDESK__DATA__DIR=$$data FRONTDESK__SERVER__LISTEN=127.0.0.1:$(TEST_PORT) \
		FRONTDESK__GENERATE__ANSWERS=generative $(FRONTDESK) run --demo evals/worlds/shop & server=$$!; \
	trap 'kill $$server; wait $$server || true; rm -r "$$data"' EXIT; \
	$(call ready,$(TEST_PORT)); \
	FRONTDESK_URL=http://127.0.0.1:$(TEST_PORT) FRONTDESK_PATIENCE_MS=60000 \
		npm --prefix connectors/web run --silent test:server; \
	printf '== %s: %d s\n' 'widget on the server' $$((SECONDS - begun))

WIDGET_SOURCES := $(shell find connectors/web/src connectors/web/demo -type f 2>/dev/null) \
	connectors/web/build.mjs

connectors/web/dist/frontdesk.js: connectors/web/node_modules/.package-lock.json $(WIDGET_SOURCES)
	npm --prefix connectors/web run --silent build

connectors/web/node_modules/.package-lock.json: connectors/web/package-lock.json
	cd connectors/web && npm ci --loglevel=error --no-audit --no-fund
	@touch $@
