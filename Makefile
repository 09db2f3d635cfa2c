# The same commands for people and for CI. Needs Python ≥ 3.11; everything else is installed into .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
WORKERS ?= 2

.PHONY: help run test check bench lm-eval torchvision lock clean

help:
	@echo "make run    start Inference Chat and open http://127.0.0.1:7860"
	@echo "make test   run every test"
	@echo "make check  lint, format, types, import layers"
	@echo "make bench  measure, and write tests/bench/RESULTS.md"
	@echo "make lock   pin the newest allowed versions into the requirements files"

run: $(VENV)/run.stamp
	@$(BIN)/python -m inference_chat --open

test: $(VENV)/dev.stamp $(VENV)/js.stamp
	$(BIN)/python -m pytest -n $(WORKERS) --cov --cov-report=term --cov-fail-under=90

check: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_layers.py

bench: $(VENV)/dev.stamp
	@set -e; for file in tests/bench/bench_*.py; do \
	  echo "== $$file"; $(BIN)/python -m tests.bench.$$(basename $$file .py); done

# What pip resolves today from pyproject.toml, without what belongs to one platform only.
LOCK := build/lock
deps = $(PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]$(1), sep="\n")'
frozen = $(LOCK)/bin/python -m pip freeze | sed 's/+[a-z0-9.]*$$//' | grep -viE '^(nvidia|cuda|triton)'
lock:
	rm -rf $(LOCK) && $(PYTHON) -m venv $(LOCK)
	$(call deps,["dependencies"]) > $(LOCK)/run.in
	$(LOCK)/bin/python -m pip install --quiet -r $(LOCK)/run.in
	{ echo "# Made by \`make lock\` from pyproject.toml: what is installed and tested."; $(frozen); } > requirements.txt
	$(call deps,["optional-dependencies"]["dev"]) > $(LOCK)/dev.in
	$(LOCK)/bin/python -m pip install --quiet -r $(LOCK)/dev.in
	{ echo "# Made by \`make lock\`: what tests and checks need besides."; echo "-r requirements.txt"; \
	  $(frozen) | grep -vxFf requirements.txt; } > requirements-dev.txt

clean:
	rm -rf $(VENV) $(VENV)-lm-eval $(VENV)-torchvision .mypy_cache .ruff_cache .pytest_cache

# A stamp is as old as the installation it stands for, so pip runs only after its file has changed.
$(VENV)/run.stamp: requirements.txt | $(VENV)/bin/python
	$(PIP) install --quiet -r requirements.txt
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt requirements.txt | $(VENV)/bin/python
	$(PIP) install --quiet -r requirements-dev.txt
	@touch $@ $(VENV)/run.stamp

# Environments of their own, which fall back on ours: lm-eval needs older packages than the app, and the app's
# tests are to run where torchvision is not.
lm-eval: $(VENV)-lm-eval/stamp
torchvision: $(VENV)-torchvision/stamp
$(VENV)-torchvision/stamp: HOW := --no-deps
$(VENV)-%/stamp: requirements-%.txt $(VENV)/dev.stamp
	rm -rf $(VENV)-$* && $(PYTHON) -m venv $(VENV)-$*
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
	  > "$$($(VENV)-$*/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/below.pth"
	$(VENV)-$*/bin/python -m pip --disable-pip-version-check install --quiet $(HOW) -r requirements-$*.txt
	@touch $@

# The clients in JavaScript; where npm is missing or reaches no registry, their tests are skipped and say so.
$(VENV)/js.stamp: examples/clients/package-lock.json | $(VENV)/bin/python
	@if command -v npm >/dev/null; then npm ci --no-audit --no-fund --prefix examples/clients \
	  || echo "The JavaScript clients could not be installed: their tests are skipped."; fi
	@touch $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name it with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
