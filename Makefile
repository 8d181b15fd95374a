# Each target is one command on a fresh machine; `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/sh
CORES ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
export PATH := $(CURDIR)/.venv/bin:$(PATH)
DEMO := demo

.PHONY: help setup setup-scvi demo test test-fast lint format bench lock docs clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: .venv/base.stamp ## make the environment (.venv) from requirements.lock

.venv/base.stamp: requirements.lock envs/setup.sh
	@sh envs/setup.sh requirements.lock
	@touch $@

.venv/dev.stamp: .venv/base.stamp requirements-dev.lock
	@sh envs/setup.sh requirements.lock requirements-dev.lock
	@touch $@

setup-scvi: .venv/scvi.stamp ## add scvi-tools, for `integration.method: scvi` (6 GB with CUDA)

.venv/scvi.stamp: .venv/base.stamp requirements-scvi.lock
	@sh envs/setup.sh requirements.lock requirements-scvi.lock
	@touch $@

$(DEMO)/samples.tsv: | .venv/base.stamp
	python -m lammscope.simulate $(DEMO)

# Compiled once, since where PYTHONDONTWRITEBYTECODE is set each of a hundred jobs would compile it anew.
demo: .venv/base.stamp $(DEMO)/samples.tsv ## simulate the demo cohort, run the workflow, name the report
	@python -m compileall -q lammscope
	snakemake --cores $(CORES)
	@echo "Report: $(CURDIR)/results/report.html"

test: .venv/dev.stamp ## all tests: unit, script, workflow, and real data where it is there
	python -m pytest -n $(CORES) --maxprocesses 8 --dist loadfile

test-fast: .venv/dev.stamp ## the tests that take seconds
	python -m pytest -m "not slow and not real_data"

lint: .venv/dev.stamp ## ruff, mypy, snakefmt, snakemake --lint
	ruff check .
	ruff format --check .
	mypy
	snakefmt --check Snakefile workflow
	sh tests/lint_workflow.sh

format: .venv/dev.stamp ## put the code into its form
	ruff check --fix .
	ruff format .
	snakefmt Snakefile workflow

bench: .venv/base.stamp ## time the demo to the report; with CELLS=100000 that size to markers, beside scanpy
	python -m benchmarks.scale --cores $(CORES) $(if $(CELLS),--cells $(CELLS) --to joint --reference)

lock: .venv/base.stamp ## compile the three lock files anew
	uv pip compile -q --universal --generate-hashes --no-header pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --no-header -c requirements.lock --group dev -o requirements-dev.lock
	uv pip compile -q --universal --generate-hashes --no-header -c requirements.lock --group scvi -o requirements-scvi.lock
	python envs/pin_conda.py

clean: ## remove results and the demo cohort
	rm -rf results $(DEMO) .snakemake
