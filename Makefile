# Each target makes .venv from nothing where it is missing or out of date; only Python and make are needed.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test test-slow fuzz kills lint docs clean

demo: .venv/.installed
	$(BIN)/coarsefine demo

test: .venv/.development
	$(BIN)/python -m pytest -n 2 --dist worksteal tests

test-slow: .venv/.development
	$(BIN)/python -m pytest -m slow tests

# Random input for an hour; what is found is in build/fuzz.
FUZZ ?= --minutes 60 --jobs 2
fuzz: .venv/.development
	PYTHONPATH=tests $(BIN)/python -m fuzz $(FUZZ)

# Goes on where it was stopped; remove runs/kills and runs/disturbed to begin anew. Full disks take root, and strace helps.
kills: .venv/.development
	$(BIN)/python benchmarks/kills.py --kills 360 --resume --json benchmarks/results/kills.json
	$(BIN)/python benchmarks/disturb.py --times 3 --resume --json benchmarks/results/disturbed.json

lint: .venv/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile

docs: .venv/.development
	rm -rf build/api
	$(BIN)/python docs/api.py build/api

# torch goes first, so that nothing else chooses its version. A machine without a GPU can do without the CUDA libraries:
# set PIP_EXTRA_INDEX_URL to PyTorch's index of CPU builds, which its install page names.
.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) torch
	$(PIP) -e ".[embedded]"
	touch $@

# What tests, lint and docs need beside it: a demo does without.
.venv/.development: .venv/.installed
	$(PIP) -e ".[dev]"
	touch $@

clean:
	rm -rf .venv build demo demo_zh
