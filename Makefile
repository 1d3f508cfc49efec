# What people type here. Everything lives in $(VENV); nothing is installed elsewhere except, as root on Debian, by `make test`
# the packages chromium, postgresql, nodejs and npm, and by `make image` buildah, debootstrap and haproxy.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV ?= .venv
GAME ?= jungle
PORT ?= 8000
BOTS ?= 20
EXAMPLES ?= 500
ARGS ?=

# Not the blocks of code in the documentation: those are laid out to be read.
PYTHON_SOURCES := src tests benchmarks setup.py

BIN := $(VENV)/bin
CORE := $(shell find ext -type f 2>/dev/null)
CORE_MODULES = $(patsubst ext/monkeytown/_core/%.pyx,monkeytown._core.%,$(wildcard ext/monkeytown/_core/*.pyx))
# What has no input or output is covered to the last branch.
PURE := src/monkeytown/errors.py,src/monkeytown/identity.py,src/monkeytown/position.py,src/monkeytown/player.py,src/monkeytown/chat.py,src/monkeytown/fields.py,src/monkeytown/views.py,src/monkeytown/schema.py,src/monkeytown/game.py,src/monkeytown/room/*,src/monkeytown/protocol/*
PURE_TESTS = $(wildcard tests/test_errors.py tests/test_identity.py tests/test_position.py tests/test_chat.py tests/test_views.py tests/test_schema.py tests/test_game.py tests/schema tests/game tests/room tests/protocol)

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' Makefile

# ---- environments ----

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or later is needed; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	@touch $@

$(VENV)/.play: $(VENV)/.created pyproject.toml setup.py $(CORE)
	$(BIN)/python -m pip install --quiet --editable '.[all]'
	@touch $@

$(VENV)/.dev: $(VENV)/.created pyproject.toml setup.py $(CORE)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.play

.PHONY: build
build: $(VENV)/.dev ## Make the environment and compile the core

# ---- play ----

.PHONY: play
play: $(VENV)/.play ## Serve Jungle with bots at http://127.0.0.1:8000 (GAME=, PORT=, BOTS=)
	@$(BIN)/monkeytown run $(GAME) --port $(PORT) --bots $(BOTS)

# ---- test ----

.PHONY: chromium
chromium: $(VENV)/.dev
	@$(BIN)/python -m tests.browser --install >/dev/null

.PHONY: postgres
postgres: $(VENV)/.dev
	@$(BIN)/python -m tests.postgres --install >/dev/null

.PHONY: test
test: $(VENV)/.dev chromium postgres npm ## Install what the suite needs, a browser included, and run it (ARGS= for pytest)
	@$(BIN)/python -m pytest $(ARGS)

# Docker or Podman where they work; elsewhere, as root on Debian, the packages buildah and debootstrap.
.PHONY: image
image: $(VENV)/.dev ## Build the container image, run it, and the proxy of compose.yaml, as an operator would
	@$(BIN)/python -m tests.image.engine --install >/dev/null
	@$(BIN)/python -m tests.deploy.haproxy --install >/dev/null
	@$(BIN)/python -m pytest -m image tests/image tests/deploy $(ARGS)

.PHONY: api-check
api-check: $(VENV)/.dev ## Ask the REST API for what its document allows, and for what it does not (EXAMPLES= of each endpoint)
	MONKEYTOWN_API_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest tests/server/rest/test_openapi.py $(ARGS)

.PHONY: safe
safe: $(VENV)/.dev chromium postgres npm ## Run the suite on a build of the core with all its checks on
	MONKEYTOWN_SAFE=1 $(BIN)/python setup.py -q build --build-base=build/safe-work --build-lib=build/safe
	PYTHONPATH=$(CURDIR)/build/safe $(BIN)/python -m pytest $(ARGS)

.PHONY: sanitize
sanitize: $(VENV)/.dev ## Run the core's own tests and fuzzers under AddressSanitizer and UndefinedBehaviorSanitizer
	MONKEYTOWN_SANITIZE=1 $(BIN)/python setup.py -q build --build-base=build/sanitize-work --build-lib=build/sanitize
	PYTHONPATH=$(CURDIR)/build/sanitize PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
	LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
	    $(BIN)/python -m pytest tests/_core tests/room tests/test_vectors.py tests/test_testing.py $(ARGS)

# ---- check ----

.PHONY: check
check: lint types stubs javascript coverage ## Lint, types, stubs, JavaScript syntax, branch coverage of the pure floors

.PHONY: lint
lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check $(PYTHON_SOURCES)
	PATH="$(abspath $(BIN)):$$PATH" cython-lint ext

.PHONY: types
types: $(VENV)/.dev
	$(BIN)/mypy --strict src

.PHONY: stubs
stubs: $(VENV)/.dev
	$(BIN)/python -m mypy.stubtest --ignore-unused-allowlist --allowlist tests/stubtest_allowlist.txt $(CORE_MODULES)

# The environment brings a node of its own (Playwright's), so no other has to be installed.
.PHONY: javascript
javascript: $(VENV)/.dev
	@for file in $$(git ls-files '*.js' '*.mjs'); do $$($(BIN)/python tests/node.py) --check $$file; done

.PHONY: coverage
coverage: $(VENV)/.dev
	$(BIN)/coverage run --data-file=.coverage.pure --branch --include='$(PURE)' -m pytest -q $(PURE_TESTS)
	$(BIN)/coverage report --data-file=.coverage.pure --show-missing --skip-covered --fail-under=100

.PHONY: format
format: $(VENV)/.dev ## Format the Python sources and mend what ruff can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format $(PYTHON_SOURCES)

# ---- bench ----

.PHONY: npm
npm:
	@if ! command -v npm >/dev/null; then \
	    if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nodejs npm >/dev/null; \
	    else \
	        echo "npm is missing: install Node with npm (Debian, Ubuntu: apt-get install nodejs npm; macOS: brew install node)"; exit 1; \
	    fi; \
	fi

.PHONY: bench
bench: $(VENV)/.dev postgres npm ## Measure, side by side with others; QUICK=1 takes minutes
	$(if $(QUICK),MONKEYTOWN_BENCH_QUICK=1) $(BIN)/python -m pytest benchmarks --ignore benchmarks/chaos --benchmark-only $(ARGS)

.PHONY: chaos
chaos: $(VENV)/.dev postgres ## Break connections, databases and servers, many times over, and see that nobody else notices; QUICK=1 takes minutes
	$(if $(QUICK),MONKEYTOWN_BENCH_QUICK=1) $(BIN)/python -m pytest benchmarks/chaos --benchmark-only $(ARGS)

.PHONY: bench-peers
bench-peers: $(VENV)/.dev npm ## Players held and processor time beside other servers; QUICK=1 takes minutes
	$(BIN)/python -m benchmarks.peers.run $(if $(QUICK),--quick) $(ARGS)

.PHONY: clean
clean: ## Remove what was built; the sources stay
	rm -rf build dist $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage* src/*.egg-info
	find src tests benchmarks -name '*.so' -delete -o -name '__pycache__' -prune -exec rm -rf {} +
