# `make run` plays a charging session, `make test` runs every check. Both do their own set-up in .venv.
PYTHON ?= python3
BIN := .venv/bin
export PYTHONDONTWRITEBYTECODE ?= 1

.PHONY: help run test lint types lock wheel contracts clean

help:
	@echo "make run                      play a charging session and stay up (CSMS=ws://host:port/path for your own CSMS)"
	@echo "make test                     tests, lint, types"
	@echo "make contracts                regenerate src/everest/contracts from interfaces/ and types/"
	@echo "make lock                     renew the lock files"
	@echo "make wheel                    build the wheel into dist/"

.venv/.run: requirements.lock pyproject.toml tools/setup.sh
	@PYTHON="$(PYTHON)" sh tools/setup.sh requirements.lock .venv/.run

.venv/.dev: requirements-dev.lock pyproject.toml tools/setup.sh
	@PYTHON="$(PYTHON)" sh tools/setup.sh requirements-dev.lock .venv/.dev

run: .venv/.run
	@$(BIN)/everest-manager run $(if $(CSMS),--csms "$(CSMS)") $(RUN_ARGS)

test: .venv/.dev
	@sh tools/test.sh

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.dev
	$(BIN)/mypy

contracts: .venv/.dev
	$(BIN)/python -m everest.codegen

lock:
	@sh tools/lock.sh

wheel: .venv/.dev
	$(BIN)/python -m build --no-isolation --wheel --outdir dist .

clean:
	rm -rf .venv dist build .pytest_cache .mypy_cache .ruff_cache
