# Everything here needs Python 3.11 or newer and make, and nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
DEVELOPMENT := $(VENV)/.development

.DEFAULT_GOAL := help
.PHONY: help demo serve test check format lock bench clean

help: ## What can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(RUNTIME) ## Serve, send 400 interactions of made-up shops, label them, show the numbers
	@$(BIN)/aura-analytics demo

serve: $(RUNTIME) ## Serve on http://127.0.0.1:8787
	@$(BIN)/aura-analytics serve

test: $(DEVELOPMENT) ## All tests; TEST_POSTGRES_URL may name a PostgreSQL to use
	@$(BIN)/pytest -n 4 --dist worksteal

check: $(DEVELOPMENT) ## Format, lint, types, architecture, and the tests that start no service
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/pytest -q -n 4 tests/unit tests/contract

format: $(DEVELOPMENT) ## Bring the code into form
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: $(DEVELOPMENT) ## Pin the newest versions that pyproject.toml allows
	@$(BIN)/uv pip compile $(LOCK) pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile $(LOCK) pyproject.toml --extra postgres -o requirements-postgres.lock
	@echo 'hatchling>=1.27' | $(BIN)/uv pip compile $(LOCK) - -o deploy/requirements-build.lock
	@$(BIN)/uv pip compile $(LOCK) pyproject.toml --all-extras --group dev -o requirements-dev.lock

LOCK := --quiet --no-strip-extras --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate

bench: $(DEVELOPMENT) ## Measure on this machine
	@$(BIN)/python bench/run.py
	@$(BIN)/python bench/asking.py
	@$(BIN)/python bench/backends.py
	@$(BIN)/python bench/crowd.py
	@$(BIN)/python bench/judging.py

clean: ## Remove what was made, but no data
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ". Try make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV)

$(RUNTIME): $(VENV)/bin/python pyproject.toml requirements.lock
	@echo "Setting up (once) …"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps -e .
	@touch $@

$(DEVELOPMENT): $(RUNTIME) requirements-dev.lock
	@echo "Setting up the tests' tools (once) …"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@
