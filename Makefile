# make demo    train on handwritten digits and draw what happens
# make test    run the checks, then the test suite on all cores; make test SKIP='browser or documents'
#              leaves slow groups out: benchmarks, browser, conformance, documents
# make graphs  compare the targets on 10,000 random graphs; make graphs SEEDS=200:300 on others, 50 a seed
# make check   lint, format and types
# make docs    build the documentation site in build/site
# make bench   measure training loops, and write docs/benchmarks.md
# make peers   make .venv-peers, with the frameworks that make bench compares with
# make clean   remove the virtual environment and everything generated
#
# Each makes the virtual environment .venv when there is none, and installs from PyPI what it
# needs; again only when pyproject.toml has changed. Another Python: make test PYTHON=python3.12

PYTHON := python3.13 python3.12 python3.11 python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable
PEERS := .venv-peers/bin/python

# Hundreds of processes import the same modules, which are compiled once.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test suite graphs check docs bench peers clean
.DELETE_ON_ERROR:

demo: .venv/installed
	$(BIN)/chainrule demo

test: check suite

# Every process takes a stretch of the tests, and when it has done it half of what another has left.
suite: .venv/installed-for-test
	$(BIN)/pytest --numprocesses auto --dist worksteal $(if $(SKIP),-m 'not exhaustive and not nightly and not ($(SKIP))')

SEEDS := 0:200

graphs: .venv/installed-for-test
	$(BIN)/pytest --numprocesses auto --dist worksteal -m nightly --seeds $(SEEDS) tests/conformance

check: .venv/installed-for-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: .venv/installed-for-docs
	$(BIN)/python -m sphinx --fail-on-warning --quiet -d build/doctrees docs build/site

# With real digits instead of random numbers: make bench MNIST=folder-of-IDX-files
bench: .venv/installed-for-bench
	$(BIN)/python -m tests.benchmarks.native \
	    $(if $(wildcard $(PEERS)),--peers $(PEERS)) $(if $(MNIST),--mnist $(MNIST))
	$(or $(wildcard $(PEERS)),$(BIN)/python) -m tests.benchmarks.images
	$(BIN)/python -m tests.benchmarks.images_memory
	$(or $(wildcard $(PEERS)),$(BIN)/python) -m tests.benchmarks.sequences

peers: .venv-peers/installed

clean:
	rm -rf .venv .venv-peers build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks
	find src compiler tests examples -name __pycache__ -prune -exec rm -rf {} +

.venv/installed: pyproject.toml .venv/pyvenv.cfg
	$(INSTALL) .
	touch $@

.venv/installed-for-test: pyproject.toml .venv/pyvenv.cfg
	$(INSTALL) '.[test]'
	touch $@

.venv/installed-for-docs: pyproject.toml .venv/pyvenv.cfg
	$(INSTALL) '.[docs]'
	touch $@

.venv/installed-for-bench: pyproject.toml .venv/pyvenv.cfg
	$(INSTALL) '.[plot]'
	touch $@

.venv-peers/installed: .venv/pyvenv.cfg
	$(BIN)/python -m venv .venv-peers
	$(PEERS) -m pip install --quiet --disable-pip-version-check jax optax tensorflow torch
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
