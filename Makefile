# Clarion: `make run` serves, `make test` proves. Both need Python 3.11+ (with venv) and nothing else.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000
RUN_STAMP := $(VENV)/.installed-run
TEST_STAMP := $(VENV)/.installed-test

.PHONY: help run test lint guards chaos chaos-short bench bench-quick
.DEFAULT_GOAL := help

help: ## say what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/'

run: $(RUN_STAMP) ## serve the demo and the console at http://127.0.0.1:8000 (PORT=, CLARION_DATA=)
	@exec $(BIN)/python manage.py up --port $(PORT)

test: $(TEST_STAMP) ## lint, types, architecture and every test that this machine can run
	@$(BIN)/python tests/run.py

lint: $(TEST_STAMP) ## style, types and architecture only
	@$(BIN)/python tests/run.py --only lint

chaos: $(TEST_STAMP) ## break everything under load for 20 minutes and write docs/chaos.md (CHAOS_SEED=)
	@$(BIN)/python -m tests.chaos.report

chaos-short: $(TEST_STAMP) ## the short form of every scenario: some ten minutes, no report
	@$(BIN)/python tests/run.py --only chaos

bench: $(TEST_STAMP) ## measure Clarion beside what one would pick instead, and write docs/benchmarks.md
	@$(BIN)/python -m tests.benchmarks

bench-quick: $(TEST_STAMP) ## the same ratios in small, under three minutes; nothing is written
	@$(BIN)/python -m tests.benchmarks --quick

guards: $(TEST_STAMP) ## break each promise on purpose and see its test fail
	@$(BIN)/python tests/guards/run.py

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Clarion needs Python 3.11 or later with the venv module; none was found. Name one with: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(RUN_STAMP): requirements.txt | $(BIN)/python
	@echo "Installing what Clarion needs (once, and again when requirements.txt changes) ..."
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(TEST_STAMP): requirements-dev.txt | $(BIN)/python
	@echo "Installing what the tests need (once, and again when requirements-dev.txt changes) ..."
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@ $(RUN_STAMP)
