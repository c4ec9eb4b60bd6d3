# On a fresh machine with Python 3.10 or newer: `make demo` shows the main job, `make test` runs everything that must hold.

PYTHON ?= python3
BIN := .venv/bin
DEMO := demo

# Besides the one it is developed in, an environment for every promise to work in another one.
ENVIRONMENTS := .venv/ready .venv-datasets3/ready .venv-metric/ready .venv-space/ready
REQUIREMENTS := metrics/sarchat_bench/requirements.txt

.PHONY: help demo test test-slow lint environments benchmark sample clean

help:
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: .venv/ready ## synthesize a source, build it, load it, score two made-up models, write a report page
	@$(BIN)/python examples/demo.py $(DEMO)

test: lint environments ## linters, types, and every test but the slow ones
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow"

test-slow: environments ## the tests that take minutes, with ms-swift, TRL and lmms-eval where they can be installed
	bash tests/export/environment.sh trainers
	bash tests/export/environment.sh lmms
	$(BIN)/python -m pytest -m slow

lint: .venv/ready ## ruff, mypy, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=metrics $(BIN)/lint-imports --no-cache

environments: $(ENVIRONMENTS) ## make what the tests run in

benchmark: .venv/ready ## measure the build, as the README states it
	$(BIN)/python benchmarks/build.py

sample: .venv/ready ## make the bundled sample anew
	$(BIN)/python build/sample.py

clean: ## remove what these targets made
	rm -rf .venv .venv-* $(DEMO) artifacts .mypy_cache .ruff_cache .pytest_cache .hypothesis

# $(call environment,PACKAGES): makes the environment that the target lies in, or brings it up to date.
define environment
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check $(1)
	touch $@
endef

.venv/ready: pyproject.toml
	$(call environment,--editable ".[dev]")

.venv-datasets3/ready: pyproject.toml
	$(call environment,"datasets==3.6.0" --editable .)

.venv-metric/ready: $(REQUIREMENTS)
	$(call environment,-r $(REQUIREMENTS))

.venv-space/ready: $(REQUIREMENTS)
	$(call environment,"gradio==6.31.0" -r $(REQUIREMENTS))
