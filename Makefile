# `make song PROMPT="..."` and `make test` are all that a fresh machine needs: Python 3.10 or later, and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROMPT ?= the sky is blue
# Handed on through the environment, unexpanded: a prompt may hold quotes, dollars and backticks.
export RHAPSODY_PROMPT = $(value PROMPT)
ARGS ?=
# tinysoundfont declares pyaudio, which needs PortAudio headers and only plays live (docs/decisions/0005).
SYNTHESIZER := tinysoundfont==0.3.7

.PHONY: help setup song serve deploy test check lint types layers bench clean
help: ## Show what can be made.
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

# The stamp is newer than pyproject.toml exactly when everything in it is installed.
$(VENV)/.installed: pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.exit("Rhapsody needs Python 3.10 to 3.13; this is " + sys.version.split()[0] + ". Set PYTHON=python3.12, say.") if not (3, 10) <= sys.version_info[:2] <= (3, 13) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Setting up (once, some minutes) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[all,dev]'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps $(SYNTHESIZER)
	@touch $@

setup: $(VENV)/.installed ## Create .venv and install what is missing.

song: $(VENV)/.installed ## Make a song: make song PROMPT="the sky is blue" ARGS="--seed 1"
	@$(BIN)/rhapsody song $(ARGS) -- "$$RHAPSODY_PROMPT"

serve: $(VENV)/.installed ## One machine: Prefect server, both pools, workers, all deployments: make serve ARGS="--port 4300"
	@$(BIN)/rhapsody serve $(ARGS)

deploy: $(VENV)/.installed ## Make the server at PREFECT_API_URL look like prefect.yaml and deployments/.
	@$(BIN)/rhapsody deploy $(ARGS)

# Tests with servers mostly wait, so they run beside the others; their reports come last.
FAULTS := tests/integration/faults
test: $(VENV)/.installed check ## Check style, types and layers, then run the tests.
	@reports=$$(mktemp -d); trap 'rm -rf $$reports' EXIT; \
	$(BIN)/python -m pytest $(FAULTS) >$$reports/faults 2>&1 & faults=$$!; \
	$(BIN)/python -m pytest tests/integration --ignore=$(FAULTS) >$$reports/servers 2>&1 & servers=$$!; \
	$(BIN)/python -m pytest --ignore=tests/integration; failed=$$?; \
	wait $$faults || failed=1; wait $$servers || failed=1; cat $$reports/servers $$reports/faults; exit $$failed

check: lint types layers ## Style, types and layers alone.

lint: $(VENV)/.installed
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(VENV)/.installed
	@$(BIN)/mypy

layers: $(VENV)/.installed
	@$(BIN)/lint-imports

bench: $(VENV)/.installed ## Measure the figures that README.md states.
	@$(BIN)/python -m tests.benchmarks.song

clean: ## Remove the virtual environment and caches; songs and the store stay.
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
