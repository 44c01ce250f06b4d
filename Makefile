# make demo    train on handwritten digits and draw what happens
# make test    run the checks, then the test suite
# make check   lint, format and types
# make clean   remove the virtual environment and everything generated
#
# Each makes the virtual environment .venv when there is none, and installs from PyPI what it
# needs; again only when pyproject.toml has changed. Another Python: make test PYTHON=python3.12

PYTHON := python3.13 python3.12 python3.11 python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable

.PHONY: demo test check clean
.DELETE_ON_ERROR:

demo: .venv/installed
	$(BIN)/chainrule demo

test: check
	$(BIN)/pytest

check: .venv/installed-for-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks
	find src compiler tests examples -name __pycache__ -prune -exec rm -rf {} +

.venv/installed: pyproject.toml .venv/pyvenv.cfg
	$(INSTALL) .
	touch $@

.venv/installed-for-test: pyproject.toml .venv/pyvenv.cfg
	$(INSTALL) '.[test]'
	touch $@

# The first Python that is recent enough and can make virtual environments.
.venv/pyvenv.cfg:
	@for python in $(PYTHON); do \
	    if $$python -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        echo "$$python -m venv .venv"; \
	        exec $$python -m venv .venv; \
	    fi; \
	done; \
	echo 'No Python 3.11 or newer with ensurepip (python3-venv) among: $(PYTHON)' >&2; \
	exit 1
