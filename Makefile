# On a fresh machine with Python 3.10 or newer: `make demo` shows the main job, `make test` runs everything that must hold.

PYTHON ?= python3
BIN := .venv/bin
DATASETS3 := .venv-datasets3
METRIC := .venv-metric
SPACE := .venv-space
DEMO := demo

.PHONY: help demo test test-fast test-slow lint sample benchmark clean

help:
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: .venv/ready ## synthesize a source, build it, load it, score two made-up models, open the report
	@$(BIN)/python examples/demo.py $(DEMO)

test: lint .venv/ready $(DATASETS3)/ready $(METRIC)/ready $(SPACE)/ready ## linters, types, every test but the slow ones
	$(BIN)/python -m pytest -n auto -m "not slow"

test-slow: .venv/ready $(DATASETS3)/ready $(METRIC)/ready $(SPACE)/ready ## the tests that take minutes
	$(BIN)/python -m pytest -m slow

lint: .venv/ready ## ruff, mypy, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

benchmark: .venv/ready ## measure what the README states
	$(BIN)/python benchmarks/build.py

sample: .venv/ready ## make the bundled sample anew
	$(BIN)/python build/sample.py

clean: ## remove what these targets made
	rm -rf .venv .venv-* $(DEMO) artifacts .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@

# The environments that a part of the project promises to work in, apart from the one it is developed in.
$(DATASETS3)/ready: pyproject.toml
	$(PYTHON) -m venv $(DATASETS3)
	$(DATASETS3)/bin/python -m pip install --quiet "datasets==3.6.0" --editable .
	touch $@
