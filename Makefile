# make setup     creates the virtual environment .venv with goldenhour and its tools
# make run       installs what a run needs, and simulates the built-in scenario 'standard' into out/standard
# make wheelhouse  fetches all packages of a run into a folder; with it a machine without a network installs (WHEELHOUSE=...),
#                if it has the same minor version of Python, system and processor
# make test      runs lint, types, import rules and tests
# make test-fast runs lint and the tests that need neither Ray nor a database, half a minute
# make bench     throughput and memory (SIZES="1000 10000" sets the numbers of patients), finite care by load, micro-benchmarks
# make validate      the records against published figures, 300,000 patients: docs/validation.md; fails if one is missed
# make bench-rules      clinical rules on 100,000 records of all built-in scenarios; fails if one is broken that held (tests/clinical_rules)
# make bench-effects    what care and fast evacuation are worth in coin, before and after 2009; fails if a direction is wrong or a figure is off
# make bench-theory     single facilities against queueing theory; fails if a value lies outside its interval
# make bench-peers      the same network in SimPy and Ciw; fails if means differ; compares speed
# make bench-experiments  intervals, stopping, selection and sensitivity against known answers, speed, memory and chaos, SIZE=full or small; fails if one falls short
# make bench-capacity   what one more ambulance, table or bed is worth; fails if one more raises mortality
# make bench-stores     runs, database and caches under load and with servers killed; fails if a figure falls short
# make bench-many-runs  RUNS=20 `goldenhour run` processes at once beside a load; fails if one fails or its bytes differ
# make bench-secrets    generated settings with passwords, of which no part may be shown; CASES=2000
# make bench-scenario-fuzz  checks and runs NUMBER=10000 mutated scenarios; fails on a traceback, a hang or too much memory
# make chaos     kills any process of a run on three local nodes, ROUNDS=100 times; fails if anything is lost
# make soak      one run after another for MINUTES=3; fails if memory, handles or the object store grow
# make bench-finite-fuzz  random networks of finite care against its laws, NUMBER=2000 for each property test, from SEED on; fails if one is broken
# make bench-rollback   an older commit and this one read each other's files and database, or refuse clearly (COMMIT=...)
# make bench-cluster  runs as jobs of a cluster whose nodes have only the dependencies; fails if one goes wrong
# make bench-observe  a real Prometheus scrapes a real run; fails if a query of the dashboards has no data
# make bench-scaleout  throughput of 1, 2 and 4 nodes with one core each; the bytes must be equal
# make bench-shards  processor time of one simulator, of its shards and of their merge; the bytes must be equal
# make bench-side-by-side   speed and memory of an older commit and the working tree, interleaved; fails if either is worse (COMMIT=...)
# make bench-limit  full records/s against hashing and writing the same bytes, and an older commit; MEMORY=1: also peak memory to 5,000,000
# make bench-cold         the first run on a machine against an older commit, interleaved; fails above 0.3 of its time (COMMIT=...)
# make docs      generates docs/records.md, docs/scenario.md, docs/assumptions.md, docs/evidence.md, docs/records.schema.json and the excerpt in README.md
# make clean     removes .venv, out and every cache of the tools; it leaves the folder wheelhouse

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3.14 python3 python; do \
	"$$p" -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' 2>/dev/null \
	&& { command -v "$$p"; break; }; done)
SIZES ?= 1000 10000 50000 100000 1000000
BIN := .venv/bin
STAMP := .venv/.goldenhour-installed
RUN_STAMP := .venv/.goldenhour-run-installed
INSTALL = $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt $(if $(WHEELHOUSE),--no-index --find-links $(WHEELHOUSE))

## $(call quietly,message,command): run the command; print a line every 15 s, and its output if it fails.
define quietly
log=$$(mktemp); start=$$SECONDS; echo "$(1) ..."; \
( $(2) ) >"$$log" 2>&1 & job=$$!; \
trap 'kill $$job 2>/dev/null || true; rm -f "$$log"' EXIT; \
while kill -0 $$job 2>/dev/null; do \
	sleep 1; t=$$((SECONDS - start)); \
	if (( t > 0 && t % 15 == 0 )); then echo "  $$t s"; fi; \
done; \
if wait $$job; then echo "  done in $$((SECONDS - start)) s"; else cat "$$log"; exit 1; fi
endef

.PHONY: help setup run wheelhouse test test-fast bench validate bench-rules bench-effects bench-theory bench-peers bench-experiments bench-capacity bench-stores bench-many-runs bench-secrets bench-scenario-fuzz bench-finite-fuzz bench-rollback bench-cluster bench-observe bench-scaleout bench-shards bench-side-by-side bench-limit bench-cold docs clean chaos soak

help:
	@sed -n 's/^# //p' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP)

.venv/bin/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "goldenhour needs Python 3.11, 3.12, 3.13 or 3.14 and found none; name one: make setup PYTHON=/path/to/python3.12"; \
		exit 1; fi
	@"$(PYTHON)" -m venv .venv

$(RUN_STAMP): pyproject.toml constraints.txt | .venv/bin/python
	@$(call quietly,Installing the build tools,$(INSTALL) hatchling editables)
	@$(call quietly,Installing goldenhour (a minute or two the first time),$(INSTALL) --no-build-isolation -e .)
	@touch $@

$(STAMP): $(RUN_STAMP)
	@$(call quietly,Installing the tools of the tests (a few minutes the first time),$(INSTALL) --no-build-isolation -e '.[dev]')
	@touch $@

run: $(RUN_STAMP)
	$(BIN)/goldenhour run standard -o out/standard --force

wheelhouse: | .venv/bin/python
	@$(call quietly,Fetching all packages that a run needs,$(BIN)/python -m pip wheel --disable-pip-version-check \
		-c constraints.txt --wheel-dir wheelhouse hatchling editables .)
	@rm -f wheelhouse/goldenhour-*.whl
	@echo "$$(ls wheelhouse | wc -l) wheels, $$(du -sh wheelhouse | cut -f1), in wheelhouse: copy it beside the Makefile of the other machine,"
	@echo "and install there without a network: make run WHEELHOUSE=wheelhouse"
	@$(BIN)/python -c 'import platform, sys; print("They fit Python {}.{} on {} {} only.".format(*sys.version_info[:2], platform.system(), platform.machine()))'

test: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest -n 2 --dist loadgroup

test-fast: setup
	$(BIN)/ruff check .
	$(BIN)/pytest -n 2 --fast

bench: setup
	$(BIN)/python -m bench.throughput $(SIZES)
	$(BIN)/python -m bench.capacity load --short
	$(BIN)/python -m bench.soak
	$(BIN)/pytest bench/test_micro.py --benchmark-columns=min,median,rounds --benchmark-sort=name

validate: setup
	$(BIN)/python -m bench.validation

bench-rules: setup
	$(BIN)/python -m bench.clinical_rules

bench-effects: setup
	$(BIN)/python -m bench.effects $(if $(REPLICATIONS),--replications $(REPLICATIONS))

bench-theory: setup
	$(BIN)/python -m bench.theory

bench-peers: setup
	$(BIN)/python -m bench.peers

bench-experiments: setup
	@failed=0; for bench in experiments experiments_queue experiments_speed experiments_chaos; do \
		$(BIN)/python -m bench.$$bench --size $(or $(SIZE),full) || failed=1; done; exit $$failed

bench-capacity: setup
	$(BIN)/python -m bench.capacity

bench-stores: setup
	$(BIN)/python -m bench.stores

bench-many-runs: setup
	$(BIN)/python -m bench.many_runs $(or $(RUNS),20)

bench-scenario-fuzz: setup
	$(BIN)/python -m bench.scenario_fuzz --number $(or $(NUMBER),10000)

bench-finite-fuzz: setup
	$(BIN)/python -m bench.finite_fuzz --number $(or $(NUMBER),2000) $(if $(SEED),--seed $(SEED))

chaos: setup
	$(BIN)/python -m bench.chaos $(or $(ROUNDS),100)

soak: setup
	$(BIN)/python -m bench.soak $(or $(MINUTES),3)

bench-secrets: setup
	$(BIN)/python -m bench.secret_fuzz --cases $(or $(CASES),2000)

bench-rollback: setup
	$(BIN)/python -m bench.rollback $(if $(COMMIT),--commit $(COMMIT))

bench-cluster: setup
	$(BIN)/python -m bench.cluster_job

bench-observe: setup
	$(BIN)/python -m bench.observe

bench-scaleout: setup
	$(BIN)/python -m bench.scaleout

bench-shards: setup
	$(BIN)/python -m bench.shards --shards 3 --patients 100000

bench-side-by-side: setup
	$(BIN)/python -m bench.side_by_side $(or $(COMMIT),HEAD)

bench-limit: setup
	$(BIN)/python -m bench.limit $(if $(COMMIT),--commit $(COMMIT)) $(if $(MEMORY),--memory)

bench-cold: setup
	$(BIN)/python -m bench.cold $(COMMIT)

docs: setup
	mkdir -p docs && $(BIN)/python -m engine.documentation > docs/records.md.new && mv docs/records.md.new docs/records.md
	$(BIN)/python -m engine.scenario.documentation > docs/scenario.md.new && mv docs/scenario.md.new docs/scenario.md
	$(BIN)/python -c "from engine.scenario.range_page import page; print(page(), end='')" > docs/assumptions.md.new && mv docs/assumptions.md.new docs/assumptions.md
	$(BIN)/python -c "from engine.scenario.evidence_page import page; print(page(), end='')" > docs/evidence.md.new && mv docs/evidence.md.new docs/evidence.md
	$(BIN)/python -m goldenhour schema > docs/records.schema.json.new && mv docs/records.schema.json.new docs/records.schema.json
	$(BIN)/python -m bench.readme_excerpt

clean:
	rm -rf .venv out build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
