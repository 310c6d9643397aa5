# Everything from a bare machine: Linux, Python 3.11, make and a package index. Each target sets up what it needs.
PYTHON ?= $(shell for p in python3.11 python3 python; do \
  $$p -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2> /dev/null && echo $$p && break; done)
BIN := .venv/bin
READY := .venv/requirements.lock# what the environment was made of

# Snakemake keeps a cache below HOME and ends in a traceback where it cannot.
ifneq ($(shell test -w "$$HOME" && echo yes),yes)
export XDG_CACHE_HOME ?= $(CURDIR)/.snakemake/cache
endif

.PHONY: help demo test test-all lint bench scale coverage cost lock

help:
	@echo 'make demo      the whole workflow on generated data: the table on the terminal, the page beside it'
	@echo 'make test      the quick tests'
	@echo 'make test-all  the slow tests, which `make test` leaves out (REALMINI=DIR adds those on real photos)'
	@echo 'make lint      ruff, snakefmt, snakemake --lint'
	@echo 'make bench     our speed against what people would use instead: the table of the README (half an hour; REALMINI=DIR: on real photos)'
	@echo 'make scale     throughput and memory at 1, 10 and 100 times the demo: the figure of the README (minutes)'
	@echo 'make coverage  how often the intervals hold the truth: the other table of the README (minutes)'
	@echo 'make cost      hours that a config takes on this machine, per run and in all: make cost CONFIG=config/paper.yaml'
	@echo 'make lock      requirements.lock anew from the ranges in pyproject.toml'

demo: $(READY)
	$(BIN)/snakemake --cores all
	@$(BIN)/python -m workflow.reporting.report

test: $(READY)
	$(BIN)/pytest -m "not slow"

test-all: $(READY)
	$(BIN)/pytest -m slow

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/snakemake --lint

bench: $(READY)
	$(BIN)/python -m tests.bench

scale: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench.scale

coverage: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench.coverage

CONFIG ?= config/paper.yaml
cost: $(READY)
	$(BIN)/python -m workflow.cost --config $(CONFIG)

# The lock is complete, and two of its packages ask for others that must stay away (pyproject.toml): hence --no-deps.
$(READY): requirements.lock
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 found; name one: make PYTHON=/path/to/python3.11"; exit 1; }
	@cmp -s $< $@ || { $(PYTHON) -m venv .venv && \
	  $(BIN)/python -m pip install --disable-pip-version-check --no-deps --require-hashes -r $<; }
	@cp $< $@

lock:
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 found; name one: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .work/lock
	.work/lock/bin/python -m pip install --disable-pip-version-check --quiet uv
	.work/lock/bin/uv pip compile pyproject.toml --group dev --generate-hashes --python-version 3.11 \
	  --python-platform x86_64-manylinux_2_28 --no-header --no-annotate --quiet -o requirements.lock
	rm -r .work/lock
