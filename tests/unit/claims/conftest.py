"""A results folder with small files of each kind that claims read."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from results_folder import ResultsFolder

from sharpest.claims.judgement import judge
from sharpest.claims.ledger import COLUMNS, Claim, parse_claim, read_ledger
from sharpest.claims.quantities import QUANTITIES
from sharpest.claims.quantity import RunFiles, RunSource
from sharpest.claims.verdicts import Sample
from sharpest.config.project import Project, load_project
from sharpest.config.run_id import RunId
from sharpest.measures.directions import RANDOM

CONFIG = Path(__file__).parents[3] / "config"
PARAMETERS = 50
RUN = "run"
EARLY_EPOCH = 4
SEEDS = (1001, 1002, 1003, 1004, 1005, 1006)
SCHEDULES = {"spectra": "grid", "directions": "grid", "evaluations": "ends"}


def of_seeds(run: str, seeds: Iterable[int] = SEEDS) -> list[str]:
    """The same run with other seeds."""
    return [str(RunId.parse(run).of_seed(seed)) for seed in seeds]


def made_claim(quantity: str, kind: str, expected: str, runs: Iterable[str], **cells: str) -> Claim:
    """A finding of Table 1 about runs of a test's ledger, judged at any scale."""
    row = dict.fromkeys(COLUMNS, "") | {
        "id": f"{quantity}.{kind}", "item": "tab1", "kind": kind, "statement": "It is so", "subject": ";".join(runs),
        "quantity": quantity, "expected": expected, "any_scale": "yes", "kind_of": "finding",
    }  # fmt: skip
    return parse_claim(row | cells)


@pytest.fixture(scope="session")
def ledger() -> tuple[Claim, ...]:
    return read_ledger(CONFIG / "claims.csv")


@pytest.fixture(scope="session")
def configured() -> Callable[[str], Project]:
    """The configuration of this checkout at a scale."""

    @cache
    def load(scale: str) -> Project:
        return load_project(yaml.safe_load((CONFIG / "config.yaml").read_text()) | {"scale": scale}, CONFIG)

    return load


class Folder(ResultsFolder):
    """Writes files of runs; arrays can be replaced."""

    def spectra(
        self, run: str, schedule: str, curves: Any, diverged: float | None = None, norm: bool = False, **arrays: Any
    ) -> None:
        """Eigenvalues (t,) or (t, k), at points an epoch of 10 iterations apart."""
        eigenvalues = np.asarray(curves, dtype=float)
        eigenvalues = eigenvalues[:, None] if eigenvalues.ndim == 1 else eigenvalues
        t, k = eigenvalues.shape
        values = {"iteration": 10 * np.arange(t), "epoch": np.arange(t), "eigenvalues": eigenvalues}
        sizes = {"t": t, "k": k, "p": PARAMETERS}
        self.measure("spectra", run, schedule, sizes, values | arrays, diverged, norm)

    def measure(
        self,
        measure: str,
        run: str,
        schedule: str,
        sizes: Mapping[str, int],
        arrays: Mapping[str, Any],
        diverged: float | None = None,
        norm: bool = False,
    ) -> None:
        """Any measure, of a net with or without batch normalisation; accuracies are from 100 images."""
        attributes = {
            "diverged_epoch": diverged, "config": {"run": {"model": {"batch_norm": norm}}},
            "settings": {"accuracy_examples": 100},
        }  # fmt: skip
        self.write_measure(measure, run, schedule, sizes, arrays, **attributes)

    def directions(self, run: str, schedule: str, t: int, random: bool = False, **arrays: Any) -> None:
        """Directions 1, 3, 5 and a random one at the points of :meth:`spectra`, with one gradient; L = 2 throughout."""
        places = [1, 3, 5, *[RANDOM] * random]
        alphas, grid = np.array([0.25, 0.5, 1, 2, 4]), np.array([-5.0, -1, 0, 1, 5])
        values = {
            "iteration": 10 * np.arange(t), "epoch": np.arange(t), "direction": places, "alphas": alphas,
            "grid": grid, "loss": np.full(t, 2.0),
        }  # fmt: skip
        sizes = {"t": t, "m": 1, "d": len(places), "a": len(alphas), "g": len(grid)}
        self.write_measure("directions", run, schedule, sizes, values | arrays)

    def evaluations(self, run: str, diverged: float | None = None, dataset: str = "digits", **arrays: Any) -> None:
        """End points of a run on 100 test images, the first of which are answered rightly, and 100 validation ones."""
        correct = np.arange(100) < 100 * np.array(arrays.get("test_accuracy", [0, 0]))[:, None]
        config = {"run": {"dataset": {"source": "digits", "test": 100, "val": 100}}}
        attributes = {
            "diverged_epoch": diverged, "config": config, "settings": {"early_epoch": EARLY_EPOCH}, "dataset": dataset,
        }  # fmt: skip
        values = {"test_correct": correct} | arrays
        self.write_measure("evaluations", run, "ends", {"t": 2, "k": 3, "x": 100}, values, **attributes)

    def snapshots(self, run: str, diverged: int = -1, **arrays: Any) -> None:
        """A branch from iteration 40 whose directions were computed at each of the given losses."""
        count = len(arrays.get("refresh_loss", ()))
        values = {"refresh_iteration": 40 + np.arange(count)}
        self.write_snapshots(run, {"r": count, "k": 1, "t": 1, "p": 2}, values | arrays, diverged=diverged)

    def history(self, run: str, accuracies: Iterable[float]) -> None:
        """One row per epoch."""
        values = list(accuracies)
        columns = {"epoch": range(1, len(values) + 1), "val_accuracy": values, "train_accuracy": values}
        self.write_history(run, columns | {"val_loss": 1.0})


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def read(folder: Folder) -> Callable[..., Any]:
    """Reads a quantity of a run from the files in ``folder``: a number, or the judged curves."""

    def of(name: str, facet: str = "", run: str = RUN, schedules: Mapping[str, str] = SCHEDULES, **source: Any) -> Any:
        quantity = QUANTITIES[name]
        files = RunFiles(RunSource(run=run, schedules=schedules, **source), folder.results)
        content = quantity.read(files, facet)
        if isinstance(content, Sample):
            return content.value
        return quantity.statistic(content) if quantity.statistic else content

    return of


@pytest.fixture
def judged(folder: Folder) -> Callable[..., tuple[pd.DataFrame, pd.DataFrame]]:
    """Judges claims on the files in ``folder``; returns the table by id, and the results of chance by item."""

    def of(
        *claims: Claim, paper_scale: bool = False, without: Iterable[str] = (), window: float | None = None
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        plans = {
            claim.id: tuple(
                RunSource(run=run, schedules=SCHEDULES, window=window) for run in claim.runs if run not in without
            )
            for claim in claims
        }
        table, chance, *_ = judge(claims, plans, folder.paths.folder, paper_scale)
        return table.set_index("id"), chance.set_index("item")

    return of
