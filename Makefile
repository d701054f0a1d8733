# Two commands: `make figures` and `make test`. Each builds the environment it needs from one pinned list.
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

.PHONY: figures replicate unlocked ready first test test-slow environment lint format notebooks benchmarks mutants fuzz docs docs-serve why forecast test-gpu test-slurm test-matrix

figures: unlocked
	$(SNAKEMAKE) --prioritize first -- all

# the same with new seeds of every run, of the scale quick unless SCALE names another one
replicate: unlocked
	$(SNAKEMAKE) --config seeds=$(SEEDS) $(if $(SCALE),scale=$(SCALE)) --prioritize first -- all

# what a snakemake that was killed has left locked is unlocked; while another one lives, that is refused
unlocked: ready
	@if ls .snakemake/locks/*.lock >/dev/null 2>&1; then $(SNAKEMAKE) --unlock; fi

# snakemake makes its cache there before it reads the Snakefile
ready: environment
	@cache=$${XDG_CACHE_HOME:-$$HOME/.cache}; mkdir -p "$$cache" 2>/dev/null && test -w "$$cache" || { \
		echo "error: $$cache cannot be written, where snakemake keeps a cache; set XDG_CACHE_HOME to a folder that can"; exit 1; }

# Figure 6 alone, and where it lies
first: ready
	$(SNAKEMAKE) first

why: environment
	$(BIN)/sharpest why all

test: environment lint
	$(BIN)/pytest --numprocesses auto --dist loadfile

test-slow: environment
	$(BIN)/pytest -m slow --numprocesses auto --dist worksteal

# the tests of the core in each environment of envs/matrix.toml, made in .matrix; gigabytes of downloads
test-matrix: environment
	$(BIN)/python tests/matrix.py

# FUZZ spoiled inputs of each kind that is read: it works, or one line says what is wrong
fuzz: environment
	FUZZ_EXAMPLES=$(FUZZ) $(BIN)/pytest tests/property/test_what_is_read.py

# on the first GPU of this machine; says why where there is none
test-gpu: environment
	$(BIN)/pytest -m gpu -rs

# on a Slurm of one node, which needs root and Debian's packages
test-slurm: .venv/slurm
	$(BIN)/pytest -m slurm

environment: .venv/complete

# the mark is written last, so that an interrupted installation is done again
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

# every library in one run on one thread; see benchmarks/README.md
benchmarks: environment
	$(BIN)/python -m pip install --quiet --no-deps --target benchmarks/.peers --upgrade --requirement benchmarks/peers.txt
	for script in side_by_side memory scaling lines page; do \
		PYTHONPATH=benchmarks/.peers $(BIN)/python -W ignore benchmarks/$$script.py benchmarks/results || exit 1; \
	done

# breaks the code in MUTANTS random places and sees whether a test fails; see docs/mutants.md
mutants: environment
	$(BIN)/python -m pip install --quiet --no-deps --target benchmarks/.mutants --upgrade --requirement benchmarks/mutants.txt
	$(BIN)/python benchmarks/mutants.py $(MUTANTS) --seed $(SEED)

forecast: environment
	$(BIN)/sharpest forecast $(if $(SCALE),--scale $(SCALE))

# the site, into .site; open .site/index.html, or serve it while you write
docs: environment
	$(BIN)/sharpest reference
	$(BIN)/mkdocs build --strict --quiet

docs-serve: environment
	$(BIN)/mkdocs serve
