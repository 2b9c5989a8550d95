# `make demo` to see it, `make test` to check it. Both set everything up first.
.PHONY: setup demo test soak lint bench screenshots protocol docs chromium clean help profile
.PHONY: fuzz audit hashes sbom azure
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Processes that share the tests, file by file: JOBS=0 runs them in one (for --pdb).
JOBS ?= 2
STAMP := $(VENV)/.setup-done
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Where this is set (containers), each of the many processes would compile all of Chorus anew.
unexport PYTHONDONTWRITEBYTECODE

help:
	@echo "make demo [DATA=folder]   a server with pictures, six simulated colleagues, and sign-in links"
	@echo "make test [ARGS=...]      all tests, browser included (docs/testing.md)"
	@echo "make soak [ARGS=...]      people at work while everything fails: ARGS=\"--faults 10000\""
	@echo "make azure                the tests with Azure's storage, which need Node.js and 360 MB"
	@echo "make lint                 style, types and the direction of imports"
	@echo "make bench                what it measures on this machine, and the plots of it"
	@echo "make profile              where the server's time goes while people vote"
	@echo "make screenshots          the pictures of the README"
	@echo "make protocol             the examples of docs/protocol.md"
	@echo "make docs                 the pages of docs/ as a site, in site/"
	@echo "make setup [HASHES=no]    only the virtual environment and the browser parts"
	@echo "make fuzz [ARGS=...]      wrong bytes for all that reads bytes (docs/testing.md)"
	@echo "make audit                what is known to be wrong with the packages it installs"
	@echo "make hashes               requirements.hashes, after a change of requirements.lock"
	@echo "make sbom                 the bill of materials (CycloneDX), in dist/sbom"
	@echo "make clean                what the others made, but for your data"

setup: $(STAMP)

$(STAMP): requirements.lock requirements.hashes pyproject.toml chorus/web/package-lock.json chorus/demo/package-lock.json scripts/setup.sh scripts/vendor.py \
  $(wildcard scripts/*.hashes)
	PYTHON="$(PYTHON)" VENV="$(VENV)" HASHES="$(HASHES)" sh scripts/setup.sh
	@touch $@

demo: setup
	$(BIN)/chorus demo $(if $(DATA),--data "$(DATA)")

chromium:
	@sh scripts/chromium.sh

test: setup chromium
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

soak: setup
	$(BIN)/python -m tests.faults.soak $(ARGS)

azure: setup
	cd tests/azure && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	$(BIN)/python -m pytest tests/azure $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python -m bench.run $(ARGS)

profile: setup
	$(BIN)/python -m bench.profile $(ARGS)

screenshots: setup chromium
	$(BIN)/python -m scripts.screenshots

protocol: setup
	$(BIN)/python -m scripts.protocol_examples

docs: setup
	$(BIN)/python -m scripts.cli_reference
	$(BIN)/zensical build --strict --clean

# Atheris is installed here alone: it has no wheels for every Python that Chorus runs on.
fuzz: setup
	@$(BIN)/python -c "import atheris" 2>/dev/null || $(BIN)/python -m pip install -qq atheris==3.0.0 || echo "Atheris cannot be had: by chance, then."
	$(BIN)/python -m tests.fuzz.run $(ARGS)

audit: setup
	$(BIN)/python -m scripts.audit

sbom: setup
	$(BIN)/python -m scripts.sbom

hashes: setup
	$(BIN)/python -m scripts.hashes

clean:
	rm -rf $(VENV) build dist site .cache *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf chorus/web/node_modules chorus/demo/node_modules chorus/web/static/vendor
	find chorus tests bench scripts -name __pycache__ -type d -prune -exec rm -rf {} +
