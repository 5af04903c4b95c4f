# The variables that a user may set; all settings: docs/settings.md.
CUSTOMERS ?= 20099
TARGET    ?= duckdb
RAW       ?=
HOME_DIR  ?= data
SIZES     ?= 500 2000 20099
PYTHON    ?= python3

VENV  := .venv
BIN   := $(VENV)/bin
STAMP := $(VENV)/.installed
# There from the first to the last moment of a set-up: what a killed one leaves is not built upon.
UNFINISHED := $(VENV)/.unfinished

# Recipes read them from the environment, so that their values may have any characters.
export HOME_DIR RAW

# As python_ml sets it, but for tests, whose plugins load numpy first.
export OPENBLAS_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help setup run metabase test test-tools test-athena test-dashboards test-infra test-kernels lint layering check coverage dictionary settings-page docs docs-site bench clean lock

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 17

setup: $(STAMP) ## install everything into .venv (a no-op the second time)

# An environment whose interpreter has gone, or which was made for another folder, is made anew.
ifneq ($(shell test -x $(BIN)/python && test ! -e $(UNFINISHED) && { test ! -s $(STAMP) || test "$$(cat $(STAMP))" = "$$(pwd -P)"; } && echo whole),whole)
.PHONY: $(STAMP)
endif

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] < (3, 13) else "Python 3.11 or 3.12 is needed; set PYTHON=<path>")'
	@if [ -e $(UNFINISHED) ] || { [ -s $@ ] && [ "$$(cat $@)" != "$$(pwd -P)" ]; } \
	  || ! $(BIN)/python -m pip --version > /dev/null 2>&1; then \
	  mkdir -p $(VENV) && touch $(UNFINISHED) && find $(VENV) -mindepth 1 ! -path $(UNFINISHED) -delete; \
	fi
	@touch $(UNFINISHED)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@rm $(UNFINISHED)
	@pwd -P > $@

metabase: setup ## Metabase on this machine with our dashboards, from what `make run` made (Docker)
	@infra/metabase/up.sh $(BIN)/spanishgas --home "$$HOME_DIR" --target $(TARGET)

run: setup ## raw files to scored customers; CUSTOMERS=20099 TARGET=duckdb RAW=<folder of real files>
	@[ -n "$$RAW" ] || $(BIN)/spanishgas simulate --home "$$HOME_DIR" --customers $(CUSTOMERS) --reuse
	@$(BIN)/spanishgas run --home "$$HOME_DIR" --target $(TARGET) --raw "$${RAW:-$$HOME_DIR/raw}"

test: setup lint ## lint, types, then every test
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-tools: setup # what the next three need beside the Python environment
	@tests/infra/install.sh $(BIN)/python
	@tests/images/install.sh
	@tests/dashboards/install.sh $(BIN)/python

test-athena: setup ## the whole project on a local Athena, and its images (a JDK 17, Maven, npm, Terraform, Go, buildah)
	@tests/infra/install.sh $(BIN)/python
	@tests/images/install.sh
	@$(BIN)/python -m pytest tests/images tests/athena -W ignore::DeprecationWarning

test-dashboards: setup ## dashboards against tools of Metabase's makers and a Postgres (npm, Postgres)
	@tests/dashboards/install.sh $(BIN)/python
	@$(BIN)/python -m pytest tests/dashboards

test-infra: setup ## Terraform, state machine, images and workflows, with their own checkers (npm, Terraform, Go)
	@tests/infra/install.sh $(BIN)/python
	@$(BIN)/python -m pytest tests/infra

test-kernels: setup ## the tests that compute, under the numeric kernels of other processors
	@tests/kernels.sh $(BIN)/python

lint: setup ## ruff, mypy, sqlfluff, import-linter, dbt-bouncer
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy
	@DBT_SPANISHGAS_WAREHOUSE=:memory: $(BIN)/sqlfluff lint --disable-progress-bar --processes 2 models analyses tests/dbt
	@$(MAKE) --no-print-directory layering

layering: setup # of dbt models and of Python packages; the data dictionary is what the models say
	@DBT_SPANISHGAS_WAREHOUSE=:memory: $(BIN)/dbt parse --quiet --no-use-colors
	@$(BIN)/python -m python_ml.contracts.dictionary target/manifest.json | cmp -s - docs/data-dictionary.md || { echo "docs/data-dictionary.md is not what the models say: make dictionary"; exit 1; }
	@$(BIN)/python -m python_ml.contracts.settings_page | cmp -s - docs/settings.md || { echo "docs/settings.md is not what the settings say: make settings-page"; exit 1; }
	@$(BIN)/lint-imports --no-logo > target/imports.log || { cat target/imports.log; exit 1; }
	@$(BIN)/dbt-bouncer run --show-all-failures > target/dbt-bouncer.log 2>&1 || { cat target/dbt-bouncer.log; exit 1; }

check: setup ## the quick loop, one to two minutes: lint without sqlfluff, the quick unit tests
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy
	@$(MAKE) --no-print-directory layering
	@$(BIN)/python -m pytest -n 2 --failed-first -x -m "not slow and not thorough" tests/unit --ignore tests/unit/project/test_sql_static.py

coverage: setup ## which lines of python_ml the quick unit tests run, as a table; the whole suite runs more
	@$(BIN)/python -m pytest -n 2 -m "not slow" tests/unit --ignore tests/unit/project/test_sql_static.py --cov=python_ml --cov-report=term:skip-covered

dictionary: setup # docs/data-dictionary.md, of the models' YAML
	@DBT_SPANISHGAS_WAREHOUSE=:memory: $(BIN)/dbt parse --quiet --no-use-colors
	@$(BIN)/python -m python_ml.contracts.dictionary target/manifest.json > docs/data-dictionary.md

settings-page: setup # docs/settings.md, of the classes in python_ml/settings.py
	@$(BIN)/python -m python_ml.contracts.settings_page > docs/settings.md

docs: dictionary ## data dictionary, and dbt's own pages with the lineage, of the published warehouse
	@DBT_SPANISHGAS_LAKE="$$HOME_DIR/lake" DBT_SPANISHGAS_WAREHOUSE="$$HOME_DIR/warehouse.duckdb" $(BIN)/dbt docs generate --static --quiet --no-use-colors
	@mkdir -p "$$HOME_DIR/reports/dbt_docs" && cp target/static_index.html "$$HOME_DIR/reports/dbt_docs/index.html"
	@echo "docs/data-dictionary.md, $$HOME_DIR/reports/dbt_docs/index.html"

docs-site: setup ## the documentation as a site in target/site; any warning fails
	@mkdir -p target
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict > target/docs-site.log 2>&1 || { cat target/docs-site.log; exit 1; }
	@echo "target/site/index.html (search needs a server: $(BIN)/python -m http.server --directory target/site)"

bench: setup ## times and memory against peers, into docs/performance.md; fails on a missed target; SIZES="500 2000 20099 200990" takes 40 minutes
	@$(BIN)/python -m tests.bench.performance --sizes $(SIZES)

clean: ## remove what was built, keep .venv and the raw files
	rm -rf target logs dev.duckdb "$$HOME_DIR/lake" "$$HOME_DIR/warehouse.duckdb" "$$HOME_DIR/reports" "$$HOME_DIR/.runs" "$$HOME_DIR/runs.sqlite"

lock: ## resolve requirements.lock anew
	$(BIN)/uv pip compile pyproject.toml --quiet --extra dev --generate-hashes --no-header \
	  --universal --python-version 3.11 -o requirements.lock
