# décalage: the same commands here and in CI. `make help` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
BUILD := build
AUDIT := $(BUILD)/audit/bin/pip-audit
RUN_STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
RAY_STAMP := $(VENV)/.installed-ray
ALL_STAMP := $(VENV)/.installed-all

.PHONY: help setup check test cluster demo trials audit picture lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "décalage needs Python 3.11 or newer; run: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(RUN_STAMP): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --constraint constraints.txt --editable '.[models,server]'
	@touch $@

$(DEV_STAMP): $(RUN_STAMP)
	$(PIP) install --constraint constraints.txt --editable '.[models,server,dev]'
	@touch $@

$(RAY_STAMP): $(DEV_STAMP)
	$(PIP) install --constraint constraints.txt --editable '.[models,server,dev,ray]'
	@touch $@

$(ALL_STAMP): $(RAY_STAMP)
	$(PIP) install --constraint constraints.txt --editable '.[models,server,dev,compare,fuzz,ray]'
	@touch $@

setup: $(RUN_STAMP) ## a virtual environment with the program and its models

check: $(DEV_STAMP) ## style, types, licences, pins
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m scripts.licences

test: $(DEV_STAMP) ## all tests but those that start a Ray cluster
	$(BIN)/python -m pytest

cluster: $(RAY_STAMP) ## the tests that start a Ray cluster
	$(BIN)/python -m pytest -m ray

demo: $(RUN_STAMP) ## a minute of English speech as Portuguese captions, at speaking pace
	@$(BIN)/decalage translate samples/talk.flac --pace realtime --to pt

trials: $(ALL_STAMP) ## the long trials behind docs/measurements.md and reliability.md: hours
	$(BIN)/python -m scripts.trials

$(AUDIT): | $(BIN)/python
	$(PYTHON) -m venv $(BUILD)/audit
	$(BUILD)/audit/bin/python -m pip --disable-pip-version-check --quiet install pip-audit==2.10.1

audit: $(AUDIT) ## known vulnerabilities of what constraints.txt pins; asks pypi.org
	$(BIN)/python -m scripts.audit $(AUDIT)

picture: $(DEV_STAMP) ## docs/captions.svg, from a run
	@mkdir -p $(BUILD)
	$(BIN)/decalage translate samples/talk.flac --pace realtime --duration 33 --format jsonl > $(BUILD)/run.jsonl
	$(BIN)/python -m scripts.picture $(BUILD)/run.jsonl docs/captions.svg

lock: $(ALL_STAMP) ## constraints.txt from what is installed and tested
	$(PIP) freeze --exclude-editable | grep -v '^pip==\|^setuptools==' > constraints.txt

clean: ## remove what was built
	rm -rf $(VENV) $(BUILD) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
