# Everything runs from a fresh clone with Python 3.11 or newer and pip; `make setup` makes .venv from hashed locks.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.DEFAULT_GOAL := test

# The first interpreter that is new enough and has pip; override with `make PYTHON=...`.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)
WORKERS ?= 2
# Many of the unit tests wait for sockets and processes, so that one more than there are processors pays.
UNIT_WORKERS ?= 3
IMAGE ?= holdfast:dev
BASE ?= python:3.12-slim-bookworm
BUILDER ?= $(firstword $(foreach tool,docker podman buildah,$(shell command -v $(tool) 2>/dev/null)))

bin := .venv/bin
stamp := .venv/.complete
# Every script of bench/ but those that measure nothing.
benchmarks = $(filter-out __init__ refresh_prices record_session record_run,$(basename $(notdir $(sort $(wildcard bench/*.py)))))

# Agents that are run through the proxy: from npm here, from pip beside it.
npm_clients := .clients/npm/.complete
pip_clients := $(patsubst tests/clients/requirements/%.txt,.clients/python/%/.complete,$(wildcard tests/clients/requirements/*.txt))

# The intercepting proxy is tested apart: mitmproxy pins versions that the SDKs need newer.
intercept := .venv/intercept

.PHONY: setup demo test test-sdks test-intercept test-clients clients check bench docs record clean lock image

setup: $(stamp)

# `venv --without-pip` and `pip --python` need neither Debian's python3-venv nor a download of pip.
$(stamp): requirements/dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "no Python 3.11 or newer with pip found; set PYTHON=" >&2; exit 1; }
	rm -rf .venv
	$(PYTHON) -m venv --without-pip .venv
	$(PYTHON) -m pip --python $(bin)/python install -qq --no-input --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(PYTHON) -m pip --python $(bin)/python install -qq --no-input --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

demo: $(stamp)
	$(bin)/holdfast demo

check: $(stamp)
	$(bin)/ruff check .
	$(bin)/mypy
	$(bin)/python -m pytest -q tests/test_structure.py

# The gate on the pure rooms comes before the closing line, so that the summary of the tests stands last.
test: check
	rm -rf out/test && mkdir -p out/test
	$(bin)/coverage erase
	$(bin)/coverage run -m pytest -n $(UNIT_WORKERS) 2>&1 | tee out/test/pytest.log
	$(bin)/coverage combine --quiet
	$(bin)/coverage report --skip-covered --fail-under=0
	$(bin)/coverage report --skip-covered --fail-under=100 --include='policies/*,proxy/dialects/*'
	@$(MAKE) --no-print-directory test-intercept test-sdks
	@tail -n 1 out/test/pytest.log

# The suites that the vendors ship with their SDKs, direct and through Holdfast (docs/conformance.md).
test-sdks: $(stamp)
	$(bin)/python -m tests.sdk_suites.run --python "$(PYTHON)" --workers $(WORKERS)

# With mitmproxy as of this Python: 11.0.2 for 3.11, newer ones for newer. Its agents are those of the main environment.
# mitmproxy holds back anyio, whose plugin is then too old for this pytest; nothing here needs it.
test-intercept: $(intercept)/.complete
	$(intercept)/bin/mypy --cache-dir .mypy_cache/intercept proxy/intercept tests/proxy/intercept \
		--python-version $$($(intercept)/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
	AGENT_PYTHON=$(abspath $(bin)/python) $(intercept)/bin/python -m pytest -p no:anyio -q -r s -n $(WORKERS) tests/proxy/intercept

$(intercept)/.complete: requirements/intercept.txt $(stamp)
	rm -rf $(intercept)
	$(PYTHON) -m venv --without-pip $(intercept)
	$(PYTHON) -m pip --python $(intercept)/bin/python install -qq --no-input --disable-pip-version-check --require-hashes -r $<
	$(PYTHON) -m pip --python $(intercept)/bin/python install -qq --no-input --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

# Real agents from their packages, two at a time; one whose package is not there is skipped, and the report says so.
test-clients: $(stamp) clients
	$(bin)/python -m pytest -q -r s -m clients -n $(WORKERS) tests/clients

clients: $(npm_clients) $(pip_clients)

# Any npm will do, since the Node that the agents need comes with them. Only the two packages named here run scripts,
# which put their program in place. Not `npm ci`: it wants the lock to name every platform's optional packages, and
# a registry need not have those; whatever the lock names is checked by hash here too.
$(npm_clients): tests/clients/package.json tests/clients/package-lock.json
	@if command -v npm >/dev/null; then \
		mkdir -p $(@D) && cp $^ $(@D) && cd $(@D) && npm install --ignore-scripts --no-audit --no-fund --loglevel=error && \
		npm rebuild --loglevel=error @anthropic-ai/claude-code opencode-ai && touch $(@F); \
	else echo "npm is missing, so the agents that come from it are not tested (Debian: apt-get install npm)" >&2; fi

# One environment for each file of requirements, from wheels only.
.clients/python/%/.complete: tests/clients/requirements/%.txt | $(stamp)
	@rm -rf $(@D); if test -n "$(interpreter)"; then \
		$(interpreter) -m venv --without-pip $(@D) && \
		$(bin)/uv pip install --quiet --python $(@D)/bin/python --only-binary :all: --require-hashes -r $< && touch $@; \
	else echo "no Python that $* runs on, so it is not tested" >&2; fi

interpreter = $(PYTHON)
# aider 0.86 is not for 3.13 and newer.
.clients/python/aider/.complete: interpreter = $(shell for p in $(PYTHON) python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info >= (3, 13))' >/dev/null 2>&1 && { echo $$p; break; }; done)

bench: $(stamp)
	@for name in $(benchmarks); do echo "== bench.$$name"; $(bin)/python -m bench.$$name; done

# A terminal session with the real Claude Code against the simulated provider: docs/run.cast and its text.
record: $(stamp) $(npm_clients)
	$(bin)/python bench/record_run.py

docs: $(stamp)
	$(bin)/python docs/settings_page.py > docs/settings.md.new && mv docs/settings.md.new docs/settings.md

lock: $(stamp)
	@compile() { $(bin)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-annotate --no-header --no-emit-index-url --no-emit-find-links --upgrade "$$@"; }; \
	compile pyproject.toml -o requirements/runtime.txt; \
	compile pyproject.toml --group dev -c requirements/runtime.txt -o requirements/dev.txt; \
	compile pyproject.toml --extra intercept --group intercept -o requirements/intercept.txt; \
	compile --group pyproject.toml:build -o requirements/build.txt; \
	for list in tests/{sdk_suites,clients/requirements}/*.in; do compile $$list -o $${list%.in}.txt; done

image:
	@test -n "$(BUILDER)" || { echo "docker, podman or buildah is needed" >&2; exit 1; }
	$(BUILDER) build --build-arg BASE=$(BASE) --tag $(IMAGE) .

clean:
	rm -rf .venv .clients out build dist .mypy_cache .ruff_cache .hypothesis .pytest_cache .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
