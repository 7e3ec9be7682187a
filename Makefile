# Everything here needs Python 3.11 or newer and make, and nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
DEVELOPMENT := $(VENV)/.development

.DEFAULT_GOAL := help
# What the page is made of, and Node from PyPI for those who work on it.
PAGE := hatch_build.py web/index.html web/package-lock.json web/vite.config.ts $(shell find web/src -type f)
WEB := web/node_modules/.development
TELL_OF_PAGE := test -f src/aura_analytics/dashboard/index.html || echo "The page couldn't be built; all else works. Say 'make page' to try again."
# What the theme says of its own plans is no news of ours.
SITE := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
IN_WEB := cd web && PATH="$(CURDIR)/$(BIN):$$PATH"
# The assistant's side in TypeScript: its tests run it in workerd, which npm brings.
WORKER := examples/main-worker/node_modules/.development
IN_WORKER := cd examples/main-worker && PATH="$(CURDIR)/$(BIN):$$PATH"

.PHONY: help demo serve page docs test check lint types format lock audit bench clean

help: ## What can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(RUNTIME) ## Serve, send 400 interactions of made-up shops, label them, show the numbers
	@$(BIN)/aura-analytics demo

serve: $(RUNTIME) ## Serve on http://127.0.0.1:8787
	@$(BIN)/aura-analytics serve

page: $(VENV)/bin/python ## Build the page anew
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps -e .
	@$(TELL_OF_PAGE)

docs: $(DEVELOPMENT) ## Build the documentation as a site, in site/
	@$(BIN)/python scripts/documents.py
	@$(SITE)

test: $(DEVELOPMENT) $(WEB) $(WORKER) ## All tests; TEST_POSTGRES_URL may name a PostgreSQL to use, HYPOTHESIS_PROFILE=thorough tries more examples
	@$(BIN)/pytest -n 3 --dist worksteal

check: lint ## What lint does, and the tests that start no service (UNIT_TESTS=no leaves those to `make test`)
	@$(if $(filter no,$(UNIT_TESTS)),:,$(BIN)/pytest -q -n 3 tests/unit)

lint: $(DEVELOPMENT) $(WEB) $(WORKER) ## Format, lint, types, architecture: all that runs no test
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(IN_WEB) npm run --silent check
	@$(IN_WORKER) npm run --silent check
	@$(BIN)/python scripts/openapi.py web/node_modules/.openapi.json > /dev/null
	@$(IN_WEB) npm run --silent types -- --check
	@$(SITE)

types: $(DEVELOPMENT) $(WEB) ## Make the page's types of the endpoints anew
	@$(BIN)/python scripts/openapi.py web/node_modules/.openapi.json > /dev/null
	@$(IN_WEB) npm run --silent types

format: $(DEVELOPMENT) $(WEB) ## Bring the code into form
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@$(IN_WEB) npm run --silent format

lock: $(DEVELOPMENT) ## Pin the newest versions that pyproject.toml allows
	@$(BIN)/uv pip compile $(LOCK) pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile $(LOCK) pyproject.toml --extra postgres --extra s3 --extra otel -o requirements-postgres.lock
	@printf 'hatchling>=1.27\nnodejs-wheel>=24\n' | $(BIN)/uv pip compile $(LOCK) - -o deploy/requirements-build.lock
	@$(BIN)/uv pip compile $(LOCK) pyproject.toml --all-extras --group dev -o requirements-dev.lock

LOCK := --quiet --no-strip-extras --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate

audit: $(DEVELOPMENT) ## Look the locked packages up among those with known holes; fails where one can't be looked up
	@for lock in requirements requirements-postgres; do $(BIN)/pip-audit --strict --require-hashes --disable-pip -r $$lock.lock || exit 1; done

bench: $(DEVELOPMENT) $(WORKER) ## Measure on this machine
	@$(BIN)/python bench/run.py
	@$(BIN)/python bench/door.py
	@$(BIN)/python bench/asking.py
	@$(BIN)/python bench/backends.py
	@$(BIN)/python bench/crowd.py
	@$(BIN)/python bench/judging.py
	@$(BIN)/python bench/main_worker.py
	@$(BIN)/python bench/page.py

clean: ## Remove what was made, but no data
	rm -rf $(VENV) dist site web/node_modules examples/main-worker/node_modules src/aura_analytics/dashboard .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ". Try make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV)

$(RUNTIME): $(VENV)/bin/python pyproject.toml requirements.lock $(PAGE)
	@echo "Setting up (once) …"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps -e .
	@$(TELL_OF_PAGE)
	@touch $@

$(DEVELOPMENT): $(RUNTIME) requirements-dev.lock
	@echo "Setting up the tests' tools (once) …"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

$(WEB): $(DEVELOPMENT) web/package-lock.json
	@$(IN_WEB) npm ci --silent --ignore-scripts --no-audit --no-fund
	@touch $@

$(WORKER): $(DEVELOPMENT) examples/main-worker/package-lock.json
	@$(IN_WORKER) npm ci --silent --ignore-scripts --no-audit --no-fund
	@touch $@
