# Every target makes its own .venv from nothing; only Python 3.11 to 3.13 and make are needed.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check bench docs clean

.venv/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

## demo: train on the standard library's own source, about three minutes, and print what it writes
demo: .venv/.ready
	$(BIN)/python -m ostinato.cli.demo

## check: style, types and import contracts
check: .venv/.ready
	$(BIN)/ruff check src tests benchmarks docs
	$(BIN)/ruff format --check src tests benchmarks docs
	$(BIN)/lint-imports
	$(BIN)/pyright

## test: all checks and all tests
test: check
	$(BIN)/pytest -n logical --maxprocesses 4

.venv/.bench: .venv/.ready
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[bench]"
	touch $@

## bench: measured figures beside PyTorch, JAX and ONNX Runtime, into benchmarks/results and benchmarks/README.md
bench: .venv/.bench
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks report

## docs: a page for each cell, made from the cell itself, into build/docs
docs: .venv/.ready
	$(BIN)/python -m docs.site

clean:
	rm -rf .venv build dist
