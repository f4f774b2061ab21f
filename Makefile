# Everything runs in a virtual environment of its own, .venv, made on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DOCS := .venv-docs

.PHONY: quickstart test slow attacks explore lint types layers docs check bench paper examples clean

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
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/installed-dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev,hf,slurm]"
	touch $@ $(VENV)/installed

$(DOCS)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt mkdocs-material "mkdocstrings[python]" ruff
	touch $@

clean:
	rm -rf $(VENV) $(DOCS) site build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
