"""A copy of the whole project at a tiny scale, run once."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from compileall import compile_dir
from dataclasses import dataclass
from logging import getLogger
from pathlib import Path

import pytest
import yaml
from filelock import FileLock
from forked import run_command

from sharpest.claims.ledger import COLUMNS
from sharpest.config.reading import read_keys
from sharpest.errors import SharpestError
from sharpest.pipeline.planned import VARIABLE
from sharpest.pipeline.rules import open_rules

ROOT = Path(__file__).parents[2]

TINY_SCALE = """
extends: quick
description: tiny, for tests
datasets:
  c10: &tiny {source: digits, train: 160, val: 40, test: 40}
  c100: *tiny
  fm: *tiny
  ptb: {train: 1000, val: 200, test: 200}
models:
  scnn: {width: 2, hidden: 8}
  r32: {widths: [2, 4]}
  lstm: {width: 8}
full_batch_examples: 32
variants: {num_eigenpairs: 1, refresh_every: 10, loss_examples: 32}
batch_factor: 0.0625
epochs: 2
branch_epoch: 1
hessian: {examples: 32, max_products: 60}
measures:
  spectra: {accuracy_examples: 64}
  directions: {loss_examples: 32}
  evaluations: {num_eigenpairs: 3, examples: 32, loss_examples: 32, early_epoch: 1}
schedules:
  growth: {points: every 2 iterations, window_epochs: 1, measures: {spectra: {num_eigenpairs: 3}}}
  evolution: {points: every 2 iterations, measures: {spectra: {num_eigenpairs: 3}}}
  full_batch: {points: 3 points, measures: {spectra: {num_eigenpairs: 3}}}
  grid: {points: 3 points, window_epochs: 1}
  alignment: {points: 3 points}
  step:
    points: every 4 iterations
    window_epochs: 2
    measures: {directions: {num_gradients: 3}}
  late: {points: 2 points}
for_runs:
  - {runs: "*-L*", set: {epochs: 3}}
  - {runs: "*-K5-s777", set: {refresh_every: 4}}
  - runs: "lstm-*"
    set:
      epochs: 1
      hessian: {examples: 16, chunk_size: 16}
      measures: {spectra: {accuracy_examples: 32}, directions: {loss_examples: 16}}
"""

TINY_STUDIES = """
fig01:
  kind: spectrum_evolution
  caption: growth
  num_eigenvalues: 3
  sketch: true
  rows:
    - {run: scnn-c10-sgd-lr0.005-S128-s777, schedule: growth, label: SimpleCNN}
fig04:
  kind: largest_eigenvalues
  caption: two nets
  num_eigenvalues: 2
  scale: log
  composite: true
  rows:
    - - title: LSTM
        curves: [{run: lstm-ptb-sgd-lr1-S20-s777, schedule: grid, label: LSTM}]
      - title: VGG
        curves: [{run: vgg-c10-sgd-lr0.1-S128-s777, schedule: grid, label: VGG}]
fig06:
  kind: step_surface
  caption: step
  direction: 1
  alphas: [0.5, 1, 2]
  grid_limit: 5
  layout: row
  rows:
    - {run: scnn-c10-sgd-lr0.01-S128-s777, schedule: step, label: SimpleCNN, change_limit: 50}
fig07:
  kind: restricted_steps
  caption: branches
  panels:
    - title: restricted
      curves:
        - {run: scnn-c10-sgd-lr0.01-S128-s777@e4/sgd, label: SGD}
        - {run: scnn-c10-sgd-lr0.01-S128-s777@e4/top, label: only top}
fig12:
  kind: first_stage
  caption: first stage
  smoothing: 1
  trunk: {run: r32-c10-sgd-lr0.1-S128-s777, schedule: epochs, label: trunk}
  branches:
    - {run: r32-c10-sgd-lr0.1-S128-L10-s777, schedule: epochs, label: L = 10}
tab1:
  kind: end_points
  caption: end points
  rows:
    - label: gamma 0.01
      runs: [r32-c10-nsgd-lr0.01-S128-g0.01-K5-plat-s777]
      paper: {frobenius_best: 1018, frobenius_final: 1019, test_acc: 0.873, val_acc_early: 0.693, loss_final: 0.01324,
              dist: 21.08}
"""


TINY_CLAIMS = ("fig6.alpha2.scnn.sign", "fig7.top.lambda")


@dataclass(frozen=True)
class Project:
    """A checkout in a temporary folder."""

    folder: Path

    def snakemake(self, *arguments: str, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """Run snakemake in the checkout, on its own copy of the package; stdout holds both streams."""
        if not prefix:
            return run_command("snakemake", arguments, self.folder, merged=True)
        return subprocess.run(
            [*prefix, sys.executable, "-m", "snakemake", *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder / "src")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )

    def sharpest(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the package in the checkout, on its own copy of it."""
        return run_command("sharpest", arguments, self.folder)

    def planned(self, *arguments: str) -> dict[str, int]:
        """Jobs by rule in the plan of a dry run, without the targets themselves."""
        return self.plan(*arguments)[0]

    def plan(self, *arguments: str) -> tuple[dict[str, int], str]:
        """Jobs by rule in the plan of a dry run, without the targets themselves, and all that it prints."""
        result = self.snakemake("-n", *arguments)
        assert result.returncode == 0, result.stdout
        lines = result.stdout.partition("Job stats:")[2].partition("\n\n")[0].splitlines()
        counts = {parts[0]: int(parts[1]) for line in lines if len(parts := line.split()) == 2 and parts[1].isdigit()}
        targets = {"total", "figures", "tables", "claims", "beyond", "report", "all"}
        return {rule: count for rule, count in counts.items() if rule not in targets}, result.stdout

    def copy_without(self, folder: Path, *names: str) -> "Project":
        """A copy in `folder`, with links kept as links, without the named top-level entries."""

        def left_out(directory: str, entries: list[str]) -> list[str]:
            return [entry for entry in entries if entry in names and Path(directory) == self.folder]

        shutil.copytree(self.folder, folder, symlinks=True, dirs_exist_ok=True, ignore=left_out)
        return Project(folder)

    def edit(self, path: str, change: Callable[[str], str]) -> None:
        """Change a file; fails if the content stays the same."""
        file = self.folder / path
        before = file.read_text()
        after = change(before)
        assert after != before
        file.write_text(after)


class MadeOnce:
    """Folders that all test processes share; the first one that needs a folder makes it."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        base = factory.getbasetemp()
        self._folder = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def __call__(self, name: str, make: Callable[[Path], object]) -> Project:
        folder, finished = self._folder / name, self._folder / f"{name}-is-finished"
        with FileLock(self._folder / f"{name}.lock"):
            if not finished.exists():
                make(folder)
                finished.touch()
        return Project(folder)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> MadeOnce:
    return MadeOnce(tmp_path_factory)


@pytest.fixture(scope="session")
def compiled(made_once: MadeOnce) -> Project:
    """A checkout of the repository with bytecode, which its copies keep; tests leave it as it is."""

    def make(folder: Path) -> None:
        ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
        for name in ("src", "workflow", "config", "envs"):
            shutil.copytree(ROOT / name, folder / name, ignore=ignore)
        shutil.copy(ROOT / "Snakefile", folder)
        shutil.copy(ROOT / "profiles", folder, follow_symlinks=False)
        assert compile_dir(folder / "src", quiet=1)

    return made_once("checkout", make)


@pytest.fixture
def checkout(compiled: Project, tmp_path: Path) -> Project:
    """A fresh checkout of the repository."""
    return compiled.copy_without(tmp_path)


@pytest.fixture(scope="session")
def tiny(compiled: Project, made_once: MadeOnce) -> Project:
    """A checkout whose scale ``tiny`` has been run from an empty results folder; tests leave it as it is."""

    def make(folder: Path) -> None:
        project = write_tiny(compiled, folder)
        result = project.snakemake("--cores", "2", "--prioritize", "first", "--", "all")
        assert result.returncode == 0, result.stdout
        (folder / "output.txt").write_text(result.stdout)

    return made_once("tiny", make)


@pytest.fixture(scope="session")
def accepted(compiled: Project, made_once: MadeOnce) -> Project:
    """The scale ``tiny`` with an empty file in place of each result, accepted with ``--touch``, as far as plans go.

    Tests leave it as it is.
    """

    def make(folder: Path) -> None:
        project = write_tiny(compiled, folder)
        dry = project.snakemake("--dry-run", "all")
        for line in re.findall(r"^    output: (.*)", dry.stdout, re.MULTILINE):
            for path in map(folder.joinpath, line.split(", ")):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
        result = project.snakemake("--touch", "--forceall", "all")
        assert result.returncode == 0, result.stdout

    return made_once("accepted", make)


@pytest.fixture
def replanned(accepted: Project, tmp_path: Path) -> Project:
    """A copy of the accepted project, with its records, for editing and planning."""
    return accepted.copy_without(tmp_path / "checkout")


def write_tiny(compiled: Project, folder: Path) -> Project:
    """A fresh checkout whose configuration has only the scale ``tiny``."""
    project = compiled.copy_without(folder)
    (project.folder / "config/scales/tiny.yaml").write_text(TINY_SCALE)
    (project.folder / "config/studies.yaml").write_text(TINY_STUDIES)
    # tests of the figures beyond the paper add them
    (project.folder / "config/beyond.yaml").write_text("")
    shutil.rmtree(project.folder / "config/claims", ignore_errors=True)
    ledger = (project.folder / "config/claims.csv").read_text().splitlines(keepends=True)
    kept = [line for line in ledger if line.split(",")[0] in ("id", *TINY_CLAIMS)]
    (project.folder / "config/claims.csv").write_text("".join(kept))
    # notes of quick about figures that the tests leave out
    project.edit(
        "config/scales/quick.yaml",
        lambda text: yaml.safe_dump({**yaml.safe_load(text), "paper_seeds": {}, "notes": {}}),
    )
    project.edit("config/config.yaml", lambda text: text.replace("scale: quick", "scale: tiny"))
    return project


LATER_RUN = "scnn-c10-sgd-lr0.01-S128-s777"
LATER_STUDIES = f"""
over_edge:
  kind: measured
  caption: The largest eigenvalue over the edge.
  panels:
    - title: over the edge
      measure: spectra
      column: eigenvalues
      index: [0]
      factor: 1/edge
      x: iteration
      references: ["1"]
      curves: [{{run: {LATER_RUN}, schedule: step, label: η = 0.01}}]
drift:
  kind: eigenvector_drift
  caption: drift
  num_eigenvectors: 1
  rows:
    - {{run: {LATER_RUN}, schedule: step, label: SimpleCNN}}
"""
LATER_CLAIM = (
    f"later.edge,over_edge,range,It stays below the edge,{LATER_RUN},spectra.eigenvalues[0].late_mean.over_edge,,..1,,,"
    "yes,Sec. 1,finding,,,\n"
)


def add_later(project: Project) -> Project:
    """A project with two figures beyond the paper, and a claim of a later one."""
    (project.folder / "config/beyond.yaml").write_text(LATER_STUDIES)
    (project.folder / "config/claims").mkdir()
    (project.folder / "config/claims/cohen2021.csv").write_text(",".join(COLUMNS) + "\n" + LATER_CLAIM)
    return project


@pytest.fixture(scope="session")
def later(tiny: Project, made_once: MadeOnce) -> Project:
    """The finished tiny project, to which figures and a claim beyond the paper were added; tests leave it as it is."""

    def make(folder: Path) -> None:
        result = add_later(tiny.copy_without(folder)).snakemake("--cores", "2", "all")
        assert result.returncode == 0, result.stdout

    return made_once("later", make)


@pytest.fixture
def edited(tiny: Project, tmp_path: Path) -> Project:
    """A copy of the finished tiny project, with its results and records, for editing."""
    shutil.copytree(tiny.folder, tmp_path, dirs_exist_ok=True, symlinks=True)
    return Project(tmp_path)


@pytest.fixture
def refusal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """The one line with which the rules of a project refuse its configuration, as in a dry run."""

    def refused(project: Project, **config: object) -> str:
        for name in (VARIABLE, "PYTHONPATH"):
            monkeypatch.setenv(name, "restored after the test")
        monkeypatch.chdir(project.folder)
        whole = {**read_keys(Path("config/config.yaml")), **config}
        with pytest.raises(SharpestError) as caught:
            open_rules(whole, project.folder, getLogger("test"), plans=True, is_dry=True)
        assert str(caught.value).isprintable()
        return str(caught.value)

    return refused


@pytest.fixture
def bound() -> tuple[str, ...]:
    """A command prefix that makes root respect file permissions."""
    if os.geteuid() != 0:
        return ()
    prefix = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    if not shutil.which("setpriv") or subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("root cannot give up its rights here")
    return prefix
