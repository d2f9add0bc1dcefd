# Every target does its own set-up. Needed: make, git and Python 3.11 or newer (PYTHON=...).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest
CORE := $(wildcard tests/test_*.py) $(addprefix tests/,protocol routing runtime extension testing)
# What puts decisions and mistakes into words is tested where they arise.
IN_WORDS := $(addprefix tests/,runtime/test_log.py runtime/test_advice.py cli/test_cli_check.py \
	cli/test_cli_sources.py extension/test_startup.py)
DIST ?= dist
ONCE ?=

.PHONY: demo quick test coverage lint types docs dist release-check bench instructions soak fuzz mutants browser-verdicts clean

demo: $(VENV)/.package
	$(BIN)/python examples/demo $(if $(ONCE),--once)

# The core's tests, in seconds.
quick: $(VENV)/.quick
	$(PYTEST) -q -n logical -m "not slow" $(CORE) $(ARGS)

test: $(VENV)/.test
	$(PYTEST) -q -rs -n logical --dist loadfile --no-loadscope-reorder $(ARGS)

coverage: $(VENV)/.coverage
	$(BIN)/python -m coverage run -m pytest -q tests/protocol $(IN_WORDS)
	$(BIN)/python -m coverage report --include='flask_corsguard/protocol/*' --fail-under=100

lint: $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.types
	$(BIN)/mypy
	$(BIN)/pyright

docs: $(VENV)/.docs
	$(BIN)/python -m sphinx -n -W --keep-going -q -b html docs docs/_build/html

# The sdist, the wheel made from it, and checks of both: of the metadata and the description, and of
# what the wheel has in it.
dist: $(VENV)/.release
	rm -rf $(DIST)
	$(BIN)/python -m build --outdir $(DIST)
	$(BIN)/python -m twine check --strict $(DIST)/*
	$(BIN)/check-wheel-contents $(DIST)/*.whl

# Whether a tag may be pushed, TAG=v0.1.0; docs/releasing.md has the other steps.
release-check:
	$(PYTHON) .ci/release_check.py $(TAG)

# Writes docs/figures/. With wrk installed, through a real server too.
bench: $(VENV)/.bench
	$(BIN)/python -m tests.benchmarks $(ARGS)

# Needs valgrind. ARGS=--record puts the counts down as those of a release.
instructions: $(VENV)/.bench
	$(BIN)/python -m tests.benchmarks.instructions $(ARGS)

# 2,000,000 requests; writes docs/figures/.
soak: $(VENV)/.bench
	$(BIN)/python -m tests.benchmarks.soak $(ARGS)

# SECONDS is for each target.
fuzz: SECONDS = 600
fuzz: $(VENV)/.fuzz
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(ARGS)

mutants: $(VENV)/.mutation
	$(BIN)/python -m tests.mutation $(ARGS)

# Needs Chromium, Firefox and WebKitGTK. ENGINE=webkit, GROUP=cookies and IDS=400-420 play a part.
browser-verdicts: $(VENV)/.test
	$(BIN)/python -m tests.browser.measure_verdicts

clean:
	rm -rf $(VENV) build docs/_build dist .mypy_cache .pytest_cache .ruff_cache .coverage

# Each of these files stands for a group of packages; it is out of date when pyproject.toml is newer.
$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	touch $@

$(VENV)/.package: $(VENV)/.python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.%: $(VENV)/.package
	$(BIN)/python -m pip install --quiet --group $*
	touch $@
