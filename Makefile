# Everything a user types; `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := all
.PHONY: all smoke estimate status partial verify archive retrain check bench setup test test-all lint clean clean-results help

ifneq ($(words [$(CURDIR)]),1)
$(error expected a folder whose path has no blanks, as Snakemake does; this one is "$(CURDIR)": move it)
endif

PYTHON ?= python3
CORES ?= all
CONFIG ?= config/default.yaml
export CONFIG
unexport PYTHONSAFEPATH # python -m finds the packages of this folder
# Snakemake needs a cache folder, which a user without a home, as in a container, does not have.
ifneq ($(shell d="$${XDG_CACHE_HOME:-$$HOME/.cache}"; mkdir -p "$$d" 2>/dev/null && [ -w "$$d" ] && echo yes),yes)
export XDG_CACHE_HOME := $(CURDIR)/.snakemake/cache
endif
BIN := .venv/bin
STAMP := .venv/.lagbench-setup
BENCH_STAMP := .venv/.lagbench-bench
WORKFLOW := $(BIN)/python -m workflow
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES) --quiet host rules
RULES := Snakefile workflow/rules

all: setup ## set up and run the main job: figures and table (CONFIG=..., CORES=...)
	@$(WORKFLOW) validate "$$CONFIG"
	@$(SNAKEMAKE) --configfile "$$CONFIG"
	@$(WORKFLOW) outcome "$$CONFIG"

smoke: setup ## run a complete tiny benchmark in a minute or two
	@$(SNAKEMAKE) --configfile config/smoke.yaml
	@$(WORKFLOW) outcome config/smoke.yaml

estimate: setup ## estimate what a run would cost before it is begun: jobs, core-hours, memory, disk (CONFIG=..., CORES=...)
	@$(WORKFLOW) estimate $(if $(filter-out all,$(CORES)),--cores "$(CORES)") "$$CONFIG"

status: setup ## report what is done, runs, waits, failed and why (CONFIG=...)
	@$(WORKFLOW) status "$$CONFIG"

partial: setup ## write tables and figures of what there is so far, also while a run goes on (CONFIG=...)
	@$(WORKFLOW) partial "$$CONFIG"

verify: setup ## compute published tables and a random sample of runs again and compare (CONFIG=... or ARCHIVE=..., SAMPLE=n, SEED=s)
	@$(WORKFLOW) verify "$(if $(ARCHIVE),$(ARCHIVE),$$CONFIG)" --cores $(CORES) $(if $(SAMPLE),--sample "$(SAMPLE)") $(if $(SEED),--seed "$(SEED)")

archive: all ## pack a finished experiment into results/<experiment>.zip, checksums and report within (CONFIG=...)
	@$(WORKFLOW) archive "$$CONFIG" --report

retrain: setup ## train again what other versions of torch, numpy or numba trained (CONFIG=...)
	@$(WORKFLOW) retrain "$$CONFIG" --cores $(CORES)

check: setup ## run the conformance suite for one file (CELL=name or TASK=name)
	@$(WORKFLOW) check $(if $(CELL),--cell "$(CELL)") $(if $(TASK),--task "$(TASK)")

# OpenBLAS, if set to run as on another CPU, would slow all that use it.
bench: setup $(BENCH_STAMP) ## measure the fused kernel and its rivals, under half an hour (THREADS=..., QUICK=1)
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
