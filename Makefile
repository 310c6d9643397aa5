# Everything from a bare machine: Linux or macOS, Python 3.11 to 3.13, make and a package index. Each target sets up what it needs.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
  $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2> /dev/null && echo $$p && break; done)
BIN := .venv/bin
READY := .venv/made-of# the place, the lock and the hook that the environment was made of
MADE_OF = { pwd; cat requirements.lock $(HOOK); }

# Snakemake keeps a cache below HOME and ends in a traceback where it cannot: Python runs this line before it.
HOOK := workflow/snakemake_cache.pth

.PHONY: FORCE help environment demo test test-all lint bench scale coverage cost power scorecard lock

help:
	@echo 'make demo      the whole workflow on generated data: the table on the terminal, the page beside it'
	@echo 'make test      the quick tests'
	@echo 'make test-all  the slow tests, which `make test` leaves out (REALMINI=DIR adds those on real photos)'
	@echo 'make lint      ruff, mypy, snakefmt, snakemake --lint'
	@echo 'make bench     our speed against what people would use instead: the table of docs/benchmarks.md (half an hour; REALMINI=DIR: on real photos)'
	@echo 'make scale     throughput and memory at 1, 10 and 100 times the demo: the figure of docs/benchmarks.md (minutes)'
	@echo 'make coverage  how often the intervals hold the truth: the table of docs/statistics.md (minutes)'
	@echo 'make cost      hours that a config takes on this machine, per run and in all: make cost CONFIG=config/paper.yaml'
	@echo 'make scorecard the numbers of the paper next to those of a config: make scorecard CONFIG=config/paper.yaml'
	@echo 'make power     how many seeds a gap takes, by the records of a config: make power CONFIG=config/tiny.yaml GAP=0.5'
	@echo 'make lock      requirements.lock and environment.yml anew from the ranges in pyproject.toml'

demo: $(READY)
	$(BIN)/snakemake --cores all
	@$(BIN)/python -m workflow.reporting.report

# halves MARKERS PATHS: two halves of equal length at once, in processes of one thread: PATHS, and all other tests. What the
# second one prints comes after the first.
define halves
@export OMP_NUM_THREADS=1; second=$$(mktemp) && trap 'rm -f "$$second"' EXIT && \
{ $(BIN)/pytest -m $(1) $(2:%=--ignore-glob=%) > "$$second" 2>&1 & } && \
{ $(BIN)/pytest -m $(1) $(2); first=$$?; wait $$!; last=$$?; cat "$$second"; exit $$((first || last)); }
endef

test: $(READY)
	$(call halves,"not slow",tests/workflow tests/captioning tests/robustness tests/localization tests/classification)

test-all: $(READY)
	$(call halves,slow,tests/test_*.py)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow/rules $(wildcard */rules.smk)
	$(BIN)/snakemake --lint

bench: $(READY)
	$(BIN)/python -m tests.bench

scale: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench.scale

coverage: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench.coverage

CONFIG ?= config/paper.yaml
cost: $(READY)
	$(BIN)/python -m workflow.planning.cost --config $(CONFIG)

scorecard: $(READY)
	@$(BIN)/python -m workflow.reporting.scorecard --config $(CONFIG)

power: $(READY)
	@$(BIN)/python -m workflow.reporting.power --config $(CONFIG) $(if $(GAP),--gap $(GAP))

# An environment holds absolute paths: it is made again after a move of the checkout, a new lock, or the loss of its Python.
$(READY): FORCE
	@$(MADE_OF) | cmp -s - $@ && $(BIN)/python -c '' 2> /dev/null || $(MAKE) --no-print-directory environment

# Three packages come as sources: they are built with the lock's own setuptools, so no build tool is resolved. The lock is
# complete, and two of its packages ask for others that must stay away (pyproject.toml): hence --no-deps.
BUILD_TOOLS := setuptools packaging
PIP := $(BIN)/python -m pip --disable-pip-version-check install --no-deps --require-hashes --no-build-isolation
environment:
	@"$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2> /dev/null || { \
	  echo "error: Python 3.11, 3.12 or 3.13 is needed, and $(or $(PYTHON),python3) is not one: install one (Debian, Ubuntu: python3;" \
	  "elsewhere: conda, uv or pyenv) and name it: make PYTHON=/path/to/python3.13"; exit 1; }
	@rm -rf .venv
	@"$(PYTHON)" -m venv .venv > /dev/null 2>&1 || { rm -rf .venv; \
	  echo "error: $(PYTHON) cannot make a virtual environment; on Debian and Ubuntu, install the package python3-venv"; exit 1; }
	@for tool in $(BUILD_TOOLS); do sed -n "/^$$tool==/,/[^\\]$$/p" requirements.lock; done > .venv/build-tools.txt
	@$(PIP) --quiet --retries 1 -r .venv/build-tools.txt > .venv/pip.log 2>&1 || { \
	  echo "error: no package could be installed: $$(tail -n 1 .venv/pip.log) (network? all of it: .venv/pip.log)"; exit 1; }
	@$(PIP) -r requirements.lock || { echo "error: the packages could not be installed; the lines above say why"; exit 1; }
	@cp $(HOOK) "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
	@$(MADE_OF) > $(READY)

lock: $(READY)
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --quiet -o requirements.lock
	{ sed '/- pip:/q' environment.yml; sed -n 's/^\([a-z].*[^ ]\) *\\$$/      - "\1"/p' requirements.lock; } > environment.new
	mv environment.new environment.yml
