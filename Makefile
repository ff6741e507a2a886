# Every target works alone, from a clean clone, with Python 3.11 or newer and make.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo quick test gpu-test check format wheel clean
.DEFAULT_GOAL := demo

.venv/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

# Without the tools for developers, and without byte code of what is never imported.
.venv/.runs: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable .
	touch $@

demo: .venv/.runs  ## six models on the bundled Alzheimer's table, compared and explained
	$(BIN)/python -m smalldata -m model=dummy,linear,knn,svm,xgboost,mlp dataset=omics explain.repeats=1

# The tests of one file stay in one process and share what it has fitted.
SPREAD := -n 2 --dist loadscope

quick: .venv/.installed  ## the tests of daily work, under a minute on two cores
	$(BIN)/python -m pytest $(SPREAD) --quick

test: .venv/.installed  ## the whole suite
	$(BIN)/python -m pytest $(SPREAD)

gpu-test: .venv/.installed  ## the tests that need an NVIDIA card, and what the doctor says of it
	$(BIN)/python -m smalldata doctor
	$(BIN)/python -m pytest -m gpu -v

check: .venv/.installed  ## style, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.installed  ## rewrite the sources in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: .venv/.installed  ## dist/smalldata-*.whl, with conf/ and the bundled data inside
	rm -rf dist
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
