# Everything runs in a virtual environment of its own, .venv, made on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DOCS := .venv-docs
DIST := .venv-dist
INSTALL := -m pip install --disable-pip-version-check --progress-bar on -c constraints.txt

.PHONY: quickstart test slow attacks explore lint types layers docs check bench paper examples dist clean

quickstart: $(VENV)/installed  ## train a small sweep, measure it, draw it
	$(BIN)/closedist quickstart

test: $(VENV)/installed-dev  ## the test suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" -n 2

slow: $(VENV)/installed-dev  ## the tests that take long: kills, fuzzing, large inputs
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow -n 2

ATTACKS = tests/system/test_fuzz.py tests/system/test_faults_kills.py tests/system/test_faults_processes.py \
	tests/paper/test_resume.py
attacks: $(VENV)/installed-dev  ## of these the kills, the fuzzing and two processes at once, which CI runs too
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow -n 2 $(ATTACKS)

explore: $(VENV)/installed-dev  ## the properties again, on examples that no run has seen
	HYPOTHESIS_PROFILE=explore OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" -n 2 $$(grep -rl "^from hypothesis" tests)

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-dev
	$(BIN)/mypy

layers: $(VENV)/installed-dev
	$(BIN)/lint-imports

docs: $(DOCS)/installed  ## the documentation's site, in site/; a link that leads nowhere stops it
	NO_MKDOCS_2_WARNING=1 PATH="$(DOCS)/bin:$$PATH" $(DOCS)/bin/mkdocs build --quiet

check: lint types layers docs test  ## what CI runs, but for the attacks

bench: $(VENV)/installed-dev  ## speed, beside straightforward implementations; leave the machine alone meanwhile
	$(BIN)/python benchmarks/train.py
	$(BIN)/python benchmarks/measures.py
	$(BIN)/python benchmarks/many.py

paper: $(VENV)/installed-dev  ## representations/ to results.zip, its figures and docs/reproduction.md
	$(BIN)/python docs/make_results.py
	$(BIN)/python docs/make_images.py d_LLV_train_synthetic d_LLV_vs_width
	$(BIN)/python examples/reproduction_tables.py --write

examples: $(VENV)/installed-dev  ## the worked examples of README.md, docs/examples.md and docs/quantised.md
	$(BIN)/python examples/yardstick.py
	$(BIN)/python examples/digits.py
	$(BIN)/python examples/language_models.py
	$(BIN)/python examples/quantised_copies.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing PyTorch and what else closedist needs into $(VENV): minutes; pip shows every package below"
	$(BIN)/python $(INSTALL) -e .
	touch $@

$(VENV)/installed-dev: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing PyTorch and what the tests need into $(VENV): minutes; pip shows every package below"
	$(BIN)/python $(INSTALL) -e ".[dev,hf,slurm]"
	touch $@ $(VENV)/installed

$(DOCS)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DOCS)
	@echo "Installing what builds the documentation into $(DOCS): a minute"
	$(DOCS)/bin/python $(INSTALL) mkdocs-material "mkdocstrings[python]" ruff
	touch $@

dist: $(DIST)/installed  ## wheel and source distribution in dist/, built and checked
	rm -rf build dist
	$(DIST)/bin/python -m build
	$(DIST)/bin/twine check --strict dist/*
	$(DIST)/bin/check-wheel-contents dist/*.whl

$(DIST)/installed:
	$(PYTHON) -m venv $(DIST)
	$(DIST)/bin/python $(INSTALL) build twine check-wheel-contents
	touch $@

clean:
	rm -rf $(VENV) $(DOCS) $(DIST) site build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
