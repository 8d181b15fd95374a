# Each target works on a fresh machine; `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/sh
CORES ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
export PATH := $(CURDIR)/.venv/bin:$(PATH)
DEMO := demo

# Snakemake and uv write caches, Snakemake even before it reads the workflow.
ifneq ($(shell test -w "$${XDG_CACHE_HOME:-$$HOME}" && echo yes),yes)
export XDG_CACHE_HOME := $(CURDIR)/.snakemake/cache
endif

# A file's tests share a worker and its fixtures; tests/conftest.py sets the order of the files.
PYTEST := python -m pytest -n $(CORES) --maxprocesses 8 --dist loadfile --no-loadscope-reorder

.PHONY: help setup setup-scvi setup-scvi-cpu setup-edger setup-storage setup-slurm pin-conda image demo demo-replication test test-fast test-oldest test-cluster check lint format hooks docs picture bench bench-statistics lock audit clean FORCE

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 13

# `make ... PYTHON=python3.13` names the interpreter; a .venv of another version is recreated.
ifneq ($(PYTHON),)
ifneq ($(shell PYTHON='$(PYTHON)' sh envs/setup.sh --is-current && echo yes),yes)
.venv/base.stamp: FORCE
endif
endif

setup: .venv/base.stamp ## create the environment (.venv) from requirements.lock; PYTHON=... chooses the Python

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

setup-scvi-cpu: .venv/base.stamp requirements-scvi.lock ## the same without CUDA (1 GB), for machines without a GPU
	@sh envs/setup.sh --without-cuda requirements-scvi.lock

setup-edger: .venv/edger.stamp ## add pyedger, for `expression.engine: edger_ql`

.venv/edger.stamp: .venv/base.stamp requirements-edger.lock
	@sh envs/setup.sh requirements.lock requirements-edger.lock
	@touch $@

setup-storage: .venv/storage.stamp ## add storage plugins of Snakemake, for matrices named by an address

.venv/storage.stamp: .venv/base.stamp requirements-storage.lock
	@sh envs/setup.sh requirements.lock requirements-storage.lock
	@touch $@

setup-slurm: .venv/slurm.stamp ## add the executor plugin for Slurm, for `--profile profiles/slurm`

.venv/slurm.stamp: .venv/base.stamp requirements-slurm.lock
	@sh envs/setup.sh requirements.lock requirements-slurm.lock
	@touch $@

.venv/docs.stamp: .venv/base.stamp requirements-docs.lock
	@sh envs/setup.sh requirements.lock requirements-docs.lock
	@touch $@

$(DEMO)/samples.tsv: | .venv/base.stamp
	python -m lammscope.simulate $(DEMO)

# Compiled once: if PYTHONDONTWRITEBYTECODE is set, each of a hundred jobs would compile it again.
demo: .venv/base.stamp $(DEMO)/samples.tsv ## simulate the demo cohort, run the workflow, print the report's path
	@python -m compileall -q lammscope
	snakemake --cores $(CORES)
	@echo "Report: $(CURDIR)/results/report.html"

$(DEMO)/replication/samples.tsv: | .venv/base.stamp
	python -m lammscope.simulate $(DEMO)/replication --patients 5 --missing-post 5 --cells 250 --seed 2 --first-patient 21

demo-replication: demo $(DEMO)/replication/samples.tsv ## simulate a second cohort, test the demo's primary result in it, combine both
	snakemake --cores $(CORES) --configfile config/replication.yaml
	python -m lammscope.combine results $(DEMO)/replication/results --output $(DEMO)/combined
	@echo "Reports: $(CURDIR)/$(DEMO)/replication/results/report.html and $(CURDIR)/$(DEMO)/combined/report.html"

test: .venv/dev.stamp ## all tests: unit, script, workflow, and real data if present
	@python -m compileall -q lammscope
	$(PYTEST)

test-fast: .venv/dev.stamp ## the quick tests
	$(PYTEST) -m "not slow and not real_data"

check: lint test-fast ## what a pull request must pass, in under five minutes

# Test tools are those of the lock file; imported libraries are the oldest allowed.
test-oldest: .venv/dev.stamp ## the quick tests, with the oldest versions that pyproject.toml allows
	uv venv -q --clear --python .venv/bin/python .venv-oldest
	VIRTUAL_ENV=.venv-oldest uv pip install -q --compile-bytecode --resolution lowest-direct -r pyproject.toml
	VIRTUAL_ENV=.venv-oldest uv pip install -q --compile-bytecode -c requirements-dev.lock pytest pytest-xdist hypothesis
	PATH="$(CURDIR)/.venv-oldest/bin:$$PATH" $(PYTEST) -m "not slow and not real_data"

# One test after another: they share a Slurm.
test-cluster: .venv/dev.stamp .venv/slurm.stamp ## the workflow on a Slurm of two emulated nodes (as root; tests/cluster/install_slurm installs it)
	@python -m compileall -q lammscope
	python -m pytest tests/cluster

lint: .venv/dev.stamp ## ruff, mypy, snakefmt, snakemake --lint
	ruff check .
	ruff format --check .
	mypy
	snakefmt --check Snakefile workflow
	sh tests/lint_workflow.sh

format: .venv/dev.stamp ## format the code
	ruff check --fix .
	ruff format .
	snakefmt Snakefile workflow

docs: .venv/docs.stamp ## build the documents as a site that works offline, site/index.html; a broken link is an error
	@rm -rf site
	python -m sphinx -q -W --keep-going -c docs -d .sphinx . site
	@echo "Documents: $(CURDIR)/site/index.html"

picture: demo ## take the picture of the demo's report for README.md (needs Chromium or Chrome)
	python docs/picture.py results/report.html

hooks: .venv/dev.stamp ## run the checks of .pre-commit-config.yaml at each commit
	pre-commit install

bench: .venv/base.stamp ## time the demo to the report; with CELLS=100000, time that size to markers beside scanpy (and pegasus: PEGASUS=python)
	python -m benchmarks.scale --cores $(CORES) $(if $(CELLS),--cells $(CELLS) --to joint --reference) \
		$(if $(PEGASUS),--pegasus $(PEGASUS))

# Each part runs, whatever limits others miss. Parts on real cells need the data sets (DATA=folder).
STATISTICS := abundance_null trend_null abundance_incomplete abundance_weighted \
	"abundance_power compare tests/golden/propeller/p.tsv.gz" \
	"gene_sets_null $(if $(DATA),--data $(DATA))" "ambient_expression $(if $(DATA),--data $(DATA))"

bench-statistics: .venv/base.stamp ## print the figures of the statistics: false positives, power, ambient RNA (hours)
	@missed=; for part in $(STATISTICS); do echo "== $$part"; \
		python -m benchmarks.$$part || missed="$$missed$${part%% *} "; done; \
	test -z "$$missed" || { echo "Limits missed in: $$missed"; exit 1; }

# In an environment of its own, since pip-audit is no part of the workflow; each lock file is complete.
audit: .venv/base.stamp ## look for known vulnerabilities in the locked versions (needs the network)
	@bad=; for file in requirements.lock requirements-dev.lock requirements-docs.lock requirements-edger.lock requirements-scvi.lock requirements-slurm.lock requirements-storage.lock; do \
		echo "== $$file"; uvx pip-audit --disable-pip --require-hashes -r $$file || bad="$$bad $$file"; done; \
		test -z "$$bad" || { echo "See above, and update with make lock:$$bad"; exit 1; }

lock: .venv/base.stamp ## update the seven lock files
	uv pip compile -q --universal --generate-hashes --no-header pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --no-header -c requirements.lock --group dev -o requirements-dev.lock
	uv pip compile -q --universal --generate-hashes --no-header -c requirements.lock --group scvi -o requirements-scvi.lock
	uv pip compile -q --universal --generate-hashes --no-header -c requirements.lock --group edger -o requirements-edger.lock
	uv pip compile -q --universal --generate-hashes --no-header -c requirements.lock --group storage -o requirements-storage.lock
	uv pip compile -q --universal --generate-hashes --no-header -c requirements.lock --group slurm -o requirements-slurm.lock
	uv pip compile -q --universal --generate-hashes --no-header -c requirements.lock --group docs -o requirements-docs.lock
	python envs/pin_conda.py

pin-conda: ## pin Python for `--sdm conda` to the build of today, in envs/*.pin.txt (needs conda and its channels)
	@sh envs/pin_builds.sh

image: ## build the image of the Dockerfile (ENGINE=docker or podman)
	$(or $(ENGINE),docker) build -t lammscope .

# Subfolders of results/ with a sample table of their own are other cohorts.
clean: ## remove the demo cohort and its results, but not those of other cohorts
	rm -rf $(DEMO)
	@for path in results/*; do test -e "$$path/design/samples.tsv" || rm -rf "$$path"; done
	@rmdir results 2>/dev/null && rm -rf .snakemake || true
