# Two commands: `make run` does the main job, `make test` proves it. Both need only python3 and make.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
LIGHT  := $(VENV)/.installed-to-run
BENCH  := $(VENV)/.installed-to-bench
FULL   := $(VENV)/.installed-to-test
WORKERS ?= 2
PIP     = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# Without stored bytecode each worker would rewrite and compile every test again.
PYTEST  = env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -q -W error -n $(WORKERS)

.PHONY: help run test test-all test-fast coverage check bench speed clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 11

$(LIGHT): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[cli,plot]'
	@touch $@

$(BENCH): $(LIGHT)
	$(PIP) -e '.[bench]'
	@touch $@

$(FULL): $(LIGHT)
	$(PIP) -e '.[all,dev]'
	@touch $@

run: $(LIGHT)  ## fit the shipped rollouts, allocate, score on held-out samples, print the table
	$(BIN)/python -m benchmarks.main_job

test: $(FULL)  ## every test, at most 20 examples of each law, warnings as errors
	CLEAR_ALLOC_TEST_PROFILE=dev $(PYTEST)

test-all: $(FULL)  ## every test with all the examples that its law asks for
	$(PYTEST)

test-fast: $(FULL)  ## the tests of less than a second, few examples each, in under a minute
	CLEAR_ALLOC_TEST_PROFILE=dev $(PYTEST) -m "not slow" tests

coverage: $(FULL)  ## every test with few examples each, then the branches of the package that none of them took
	CLEAR_ALLOC_TEST_PROFILE=dev $(PYTEST) --cov --cov-report=term-missing:skip-covered

check: $(FULL)  ## lint, format, types, tests with doctests and the import order
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(PYTEST)

bench: $(BENCH)  ## compare policies on simulated streams and real rollouts, two or three minutes
	$(BIN)/python -m benchmarks run --quick
	$(BIN)/python -m benchmarks report

speed: $(LIGHT)  ## time allocate() against np.sort and other solvers, a minute; nothing is written
	$(BIN)/python -m benchmarks.speed

clean:  ## remove what the targets made
	rm -rf $(VENV) out .coverage
