# Each target does all its own set-up: Debian or Ubuntu with python3, make and git is enough to start from.
#
#   make demo      the whole length of the compiler on the starter rules, then a change through history and a canary
#   make test      every test, against real Prometheus and Alertmanager        (ARGS="-k lag" narrows it)
#   make contract  the contract with Grafana: the stand-in, or the one GRAFANA_URL names
#   make check     format, lint, types, layers
#   make fmt       let ruff put the format right
#   make bench     time and memory on 10,000 rules, beside promtool
#   make corpora CORPORA=DIR    adopt and compile other people's rule files
SHELL := /bin/bash
BIN := .venv/bin
CODE := compiler tests $(wildcard demo)

.PHONY: demo test contract check fmt bench corpora venv real judges browser
.DEFAULT_GOAL := help

.PHONY: help
help:
	@sed -n 's/^#   //p' Makefile

venv:
	@.ci/venv

real: venv
	@$(BIN)/python -m tests.real.components fetch

judges: venv
	@PATH="$(CURDIR)/$(BIN):$$PATH" bash tests/judges/install.sh

browser: venv
	@bash tests/browser/install.sh

demo: real
	@PATH="$(CURDIR)/$(BIN):$$PATH" bash demo/run.sh

test: real judges browser
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

contract: real
	@$(BIN)/python -m pytest -m grafana tests/grafana $(ARGS)

check: venv
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy --strict compiler/tocsin
	$(BIN)/lint-imports --no-logo

fmt: venv
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

bench: real
	@$(BIN)/python tests/bench/run.py $(ARGS)

corpora: real
	@test -n "$(CORPORA)" || { echo "make corpora CORPORA=DIR: name the folder of rule files" >&2; exit 2; }
	@$(BIN)/python tests/corpora/run.py "$(CORPORA)" $(ARGS)
