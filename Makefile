# Main targets: `make figures` and `make test`. Each first builds the environment from one list of pinned packages.
PYTHON ?= python3.11
CORES ?= all
SEEDS ?= 5
SCALE ?=
MUTANTS ?= 200
FUZZ ?= 1500
SEED ?= 0
BIN := .venv/bin
SNAKEMAKE := $(BIN)/snakemake --workflow-profile workflow/profiles/local --cores $(CORES)
SOURCES := src workflow tests benchmarks notebooks docs/site
RULES := Snakefile workflow/rules

.PHONY: figures beyond all replicate unlocked first test test-slow test-long environment lint format notebooks benchmarks mutants fuzz docs docs-serve why forecast test-gpu test-slurm test-matrix

# all that the paper has: figures, tables, verdicts, report
figures: unlocked
	$(SNAKEMAKE) --prioritize first -- figures

# what later papers add: figures, verdicts
beyond: unlocked
	$(SNAKEMAKE) -- beyond

# both, and the full report
all: unlocked
	$(SNAKEMAKE) --prioritize first -- all

# like all, with SEEDS new seeds of every run; at the scale quick unless SCALE names another
replicate: unlocked
	$(SNAKEMAKE) --config seeds=$(SEEDS) $(if $(SCALE),scale=$(SCALE)) --prioritize first -- all

# remove the lock of a killed snakemake; refused while another snakemake is running
unlocked: environment
	@if ls .snakemake/locks/*.lock >/dev/null 2>&1; then $(SNAKEMAKE) --unlock; fi

# only Figure 6; prints its path
first: environment
	$(SNAKEMAKE) first

why: environment
	$(BIN)/sharpest why all

test: environment lint
	$(BIN)/pytest --numprocesses auto --dist loadfile

test-slow: environment
	$(BIN)/pytest -m slow --numprocesses auto --dist worksteal

test-long: environment
	$(BIN)/pytest -m long --numprocesses auto --dist worksteal

# tests of the core in each environment of envs/matrix.toml, built in .matrix; downloads gigabytes
test-matrix: environment
	$(BIN)/python tests/matrix.py

# FUZZ corrupted inputs of each kind of file: each must be read correctly or refused with a one-line message
fuzz: environment
	FUZZ_EXAMPLES=$(FUZZ) $(BIN)/pytest tests/property/test_what_is_read.py

# on the first GPU of this machine; without one, prints why the tests are skipped
test-gpu: environment
	$(BIN)/pytest -m gpu -rs

# on a one-node Slurm; needs root and Debian packages
test-slurm: .venv/slurm
	$(BIN)/pytest -m slurm

environment: .venv/complete

# the marker is created last, so an interrupted installation is repeated
.venv/complete: envs/requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement envs/requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

.venv/slurm: envs/slurm.txt .venv/complete
	$(BIN)/python -m pip install --quiet --requirement envs/slurm.txt
	touch $@

lint: environment
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/snakefmt --check $(RULES)
	$(BIN)/snakemake --lint
	$(BIN)/codespell README.md CONTRIBUTING.md CHANGELOG.md docs config src workflow benchmarks

format: environment
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/snakefmt $(RULES)

# executes the notebooks and keeps their outputs; one of them reads the run of Figure 6
notebooks: first
	$(BIN)/python tests/run_notebooks.py notebooks/*.ipynb

# compares with other libraries on one thread; see benchmarks/README.md
benchmarks: environment
	$(BIN)/python -m pip install --quiet --no-deps --target benchmarks/.peers --upgrade --requirement benchmarks/peers.txt
	for script in side_by_side memory scaling lines page; do \
		PYTHONPATH=benchmarks/.peers $(BIN)/python -W ignore benchmarks/$$script.py benchmarks/results || exit 1; \
	done

# changes the code in MUTANTS random places and checks that a test fails; see docs/mutants.md
mutants: environment
	$(BIN)/python -m pip install --quiet --no-deps --target benchmarks/.mutants --upgrade --requirement benchmarks/mutants.txt
	$(BIN)/python benchmarks/mutants.py $(MUTANTS) --seed $(SEED)

forecast: environment
	$(BIN)/sharpest forecast $(if $(SCALE),--scale $(SCALE))

# builds the site in .site; open .site/index.html, or use docs-serve while you write
docs: environment
	$(BIN)/sharpest reference
	$(BIN)/mkdocs build --strict --quiet

docs-serve: environment
	$(BIN)/mkdocs serve
