# Everything a user types; `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := all
.PHONY: all smoke estimate status partial verify archive retrain bench setup test test-all lint clean clean-results help

PYTHON ?= python3
CORES ?= all
CONFIG ?= config/default.yaml
export CONFIG
BIN := .venv/bin
STAMP := .venv/.lagbench-setup
BENCH_STAMP := .venv/.lagbench-bench
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES) --quiet host rules
RULES := Snakefile workflow/rules

all: setup ## set up and run the main job: figures and table (CONFIG=..., CORES=...)
	@$(BIN)/python -m workflow.experiment.gate "$$CONFIG"
	@$(SNAKEMAKE) --configfile "$$CONFIG"
	@$(BIN)/python -m workflow.operations.outcome "$$CONFIG"

smoke: setup ## run a complete tiny benchmark in under a minute
	@$(SNAKEMAKE) --configfile config/smoke.yaml
	@$(BIN)/python -m workflow.operations.outcome config/smoke.yaml

estimate: setup ## say what a run would cost before it is begun: jobs, core-hours, memory, disk (CONFIG=..., CORES=...)
	@$(BIN)/python -m workflow.operations.estimate $(if $(filter-out all,$(CORES)),--cores "$(CORES)") "$$CONFIG"

status: setup ## say what is done, runs, waits, failed and why (CONFIG=...)
	@$(BIN)/python -m workflow.operations.status "$$CONFIG"

partial: setup ## make tables and figures of what there is so far, also while a run goes on (CONFIG=...)
	@OMP_NUM_THREADS=1 $(BIN)/python -m workflow.operations.partial "$$CONFIG" # as the jobs have: BLAS rounds by its threads

verify: setup ## make published tables and a random sample of runs again and compare (CONFIG=... or ARCHIVE=..., SAMPLE=n, SEED=s)
	@$(BIN)/python -m $(if $(ARCHIVE),workflow.archive verify "$(ARCHIVE)",workflow.verification "$$CONFIG") \
	  --cores $(CORES) $(if $(SAMPLE),--sample "$(SAMPLE)") $(if $(SEED),--seed "$(SEED)")

archive: all ## pack a finished experiment into results/<experiment>.zip, checksums and report within (CONFIG=...)
	@$(BIN)/python -m workflow.archive pack "$$CONFIG" --report

retrain: setup ## train again what other versions of torch, numpy or numba made (CONFIG=...)
	@stale=$$($(BIN)/python -m workflow.operations.staleness "$$CONFIG") && \
	  if [ -n "$$stale" ]; then $(SNAKEMAKE) --configfile "$$CONFIG" --forcerun $$stale; \
	  else echo "retrain: all runs were made under the versions that are installed"; fi
	@$(BIN)/python -m workflow.operations.outcome "$$CONFIG"

# An OpenBLAS told to run as on another CPU would slow all that use it.
bench: setup $(BENCH_STAMP) ## measure the fused kernel beside its rivals, under half an hour (THREADS=..., QUICK=1)
	@env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE $(BIN)/python -m benchmarks \
	  $(if $(THREADS),--threads "$(THREADS)") $(if $(filter-out 0,$(QUICK)),--quick)

setup: $(STAMP) ## make .venv from requirements.lock, once

# The stamp comes last: an installation that failed is tried again.
$(STAMP): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "setup: expected Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1 | head -n 1); choose another with make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "setup: $(PYTHON) has no venv; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@rm -f $@
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	@touch $@

# Without JAX the benchmark has one rival less.
$(BENCH_STAMP): requirements-bench.txt $(STAMP)
	@rm -f $@
	@if $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --requirement requirements-bench.txt --constraint requirements.lock; then touch $@; \
	  else echo "bench: JAX (requirements-bench.txt) could not be installed" >&2; fi

test: setup ## run the fast tests
	$(BIN)/python -m pytest -n auto --dist loadfile -q

test-all: setup ## run all tests, those that train too
	$(BIN)/python -m pytest -n auto --dist loadfile -q -m "not slurm"

lint: setup ## check style, types, rules and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check $(RULES)
	$(BIN)/snakemake --lint
	$(BIN)/python -m pytest -q tests/test_import_direction.py

clean: ## remove caches; results are kept
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
	@if [ -d results ]; then echo "clean: results/ is kept (make clean-results removes it after asking)"; fi

clean-results: ## list the runs and logs under results/ and remove them after asking
	@find results -maxdepth 2 \( -name runs -o -name logs \) 2>/dev/null | sort
	@read -r -p "remove these folders? their runs must then be trained again [y/N] " answer; \
	  if [ "$$answer" = y ]; then find results -maxdepth 2 \( -name runs -o -name logs \) -prune -exec rm -rf {} +; \
	  else echo "clean-results: nothing removed"; fi

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
