# SeqAuto: `make run` starts everything on this machine, `make test` checks everything. See README.md.

PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PORT

.PHONY: help run test bench lint format vendor icons clean

help:
	@echo "make run     start SeqAuto at http://127.0.0.1:$(PORT) (PORT=... for another port)"
	@echo "             SEQAUTO_SCAN_ROOTS=/data/runs make run   scans your own archive"
	@echo "make test    format, lint, types, migrations, import arrows, tests"
	@echo "make lint    the same without the tests;  make format   repair what can be repaired"
	@echo "make bench   measure scans, backups, uploads beside the tools that people know, and every page"
	@echo "make vendor  fetch the browser's libraries anew (needs npm);  make icons   choose the icons that pages name"
	@echo "make clean   remove what was built"

run: .venv/installed
	@exec python scripts/run.py

test: .venv/installed-dev
	@exec bash scripts/test.sh

lint: .venv/installed-dev
	@exec bash scripts/test.sh lint

format: .venv/installed-dev
	ruff check --fix-only -q .
	ruff format .

bench: .venv/installed-dev
	@exec python -m bench

vendor: .venv/installed-dev
	bash scripts/vendor.sh
	python scripts/icons.py

icons: .venv/installed-dev
	@exec python scripts/icons.py

# The state under var/ (database, queue, secret key) is no build product: it stays.
clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "SeqAuto needs Python 3.11 or newer: PYTHON=/path/to/python3.11 make run" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || \
		{ rm -rf .venv; echo "Python's venv is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }

# Packages are installed again only when the lists of them have changed.
.venv/installed: requirements.txt | .venv/bin/python
	@echo "Installing packages into .venv ..."
	@python -m pip install -q --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/installed-dev: requirements.txt requirements-dev.txt | .venv/bin/python
	@echo "Installing packages into .venv ..."
	@python -m pip install -q --disable-pip-version-check -r requirements-dev.txt
	@touch $@ .venv/installed
