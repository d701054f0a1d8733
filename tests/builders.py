"""Tiny data files, settings and trained runs, laid out like a results folder."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sharpest.config.measurement import DirectionSettings, MeasurementSettings, SpectrumSettings
from sharpest.config.run import DatasetSettings, HessianSettings, NsgdSettings, RunSettings
from sharpest.directions.measure import measure_directions
from sharpest.progress import Progress
from sharpest.provenance import provenance
from sharpest.spectra.measure import measure_spectrum
from sharpest.store.data import DATA
from sharpest.store.directions import DIRECTIONS
from sharpest.store.file import open_stored, write_stored
from sharpest.store.snapshots import SNAPSHOTS
from sharpest.store.spectrum import SPECTRUM
from sharpest.training.eigenpairs import direction_solver
from sharpest.training.problem import Problem, build_problem
from sharpest.training.replay import Replay
from sharpest.training.run import train_run

SCALE = "quick"
NUM_CLASSES = 3
POOL, TEST, SIDE = 64, 21, 8
MEASUREMENT = MeasurementSettings(loss_examples=24, accuracy_examples=40)


class Silent(Progress):
    """Progress that says nothing and remembers what it was told."""

    def __init__(self) -> None:
        self.done: list[int] = []

    def update(self, done: int, note: str = "") -> None:
        self.done.append(done)


def write_images(path: Path, channels: int = 1, name: str = "tiny") -> Path:
    """A data file of noisy images whose bright rows tell the class; it passes for scikit-learn's digits."""
    rng = np.random.default_rng(list(name.encode()))

    def images(targets: np.ndarray) -> np.ndarray:
        values = rng.integers(0, 120, (len(targets), channels, SIDE, SIDE))
        for image, target in zip(values, targets, strict=True):
            image[:, 2 * target : 2 * target + 2] += 130
        return values.astype("u1")

    train_targets, test_targets = rng.integers(0, NUM_CLASSES, POOL), rng.integers(0, NUM_CLASSES, TEST)
    arrays = {
        "train_inputs": images(train_targets),
        "train_targets": train_targets,
        "test_inputs": images(test_targets),
        "test_targets": test_targets,
    }
    facts = dict.fromkeys(DATA.attributes, "") | {"dataset": "digits", "sha256": name, "num_classes": NUM_CLASSES}
    write_stored(path, DATA, arrays, facts)
    return path


def dataset_settings(**changes: Any) -> DatasetSettings:
    """40 training, 12 validation, 21 test examples, as they are."""
    values = {"source": "digits", "train": 40, "val": 12, "test": TEST, "flip": False, "shift": 0.0}
    return DatasetSettings(**{**values, **changes})


def hessian_settings(**changes: Any) -> HessianSettings:
    """20 examples in chunks of 8, solved as well as float32 can."""
    values = {"examples": 20, "resample": False, "chunk_size": 8, "tolerance": 1e-5, "max_products": 500}
    return HessianSettings(**{**values, **changes})


def nsgd_settings(**changes: Any) -> NsgdSettings:
    """Two of four directions at a tenth of the step."""
    values = {"gamma": 0.1, "num_directions": 2, "num_eigenpairs": 4, "hessian": hessian_settings(tolerance=1e-2)}
    return NsgdSettings(**{**values, **changes})


def run_settings(**changes: Any) -> RunSettings:
    """SGD at a constant rate on a SimpleCNN of 365 parameters: 4 epochs of 5 steps of 8 examples."""
    model = {
        "kind": "simple_cnn", "width": 2, "kernel_size": 3, "padding": "same", "hidden": 4, "image_size": None,
    }  # fmt: skip
    values = {
        "run": "scnn-c10-sgd-lr0.1-S8-s777",
        "dataset_name": "c10",
        "dataset": dataset_settings(),
        "model": model,
        "lr": 0.1,
        "batch_size": 8,
        "momentum": 0.0,
        "l2": 0.0,
        "nsgd": None,
        "rule": "const",
        "patience": None,
        "stop_patience": None,
        "seed": 777,
        "epochs": 4,
        "snapshot_every": 1,
        "torch_threads": 1,
    }
    return RunSettings(**{**values, **changes})


@cache
def _origin() -> dict[str, Any]:
    """Where every file here comes from; asked of git once."""
    return provenance(SCALE, {}, "digits", [], "")


@dataclass
class Run:
    """Where one tiny run and its files are; ``results/<scale>/...`` as the workflow lays them out."""

    results: Path
    settings: RunSettings = field(default_factory=run_settings)
    code: str = "code"

    @property
    def folder(self) -> Path:
        return self.results / SCALE

    @property
    def data(self) -> Path:
        return self.folder / "data" / f"{self.settings.dataset_name}.h5"

    @property
    def snapshots(self) -> Path:
        return self.folder / "runs" / self.settings.run / "snapshots.h5"

    @property
    def history(self) -> Path:
        return self.snapshots.with_name("history.csv")

    @property
    def work(self) -> Path:
        return self.folder / "work" / self.settings.run

    def spectrum(self, schedule: str = "step") -> Path:
        return self.folder / "spectra" / self.settings.run / f"{schedule}.h5"

    def directions(self, schedule: str = "step") -> Path:
        return self.folder / "directions" / self.settings.run / f"{schedule}.h5"

    def problem(self) -> Problem:
        if not self.data.exists():
            write_images(self.data)
        return build_problem(self.settings, self.data)

    def train(self, progress: Progress | None = None) -> "Run":
        """Train it as the workflow's script does."""
        problem = self.problem()
        notes = {"hessian": hessian_settings().model_dump(), "measurement": MEASUREMENT.model_dump()}
        facts = _origin() | {"config": self.settings.model_dump(mode="json"), "code": self.code}
        solver = direction_solver(problem)
        train_run(problem, solver, self.work, self.snapshots, self.history, facts | notes, progress or Silent())
        return self

    def measure_spectrum(self, points: list[int], schedule: str = "step", **changes: Any) -> "Run":
        """Measure ``changes`` = settings of the spectrum, or ``hessian``."""
        hessian = changes.pop("hessian", hessian_settings())
        settings = SpectrumSettings(**{"num_eigenpairs": 3, "accuracy_every": 1, "keep_vectors": True, **changes})
        with open_stored(self.snapshots, SNAPSHOTS) as file:
            problem = self.problem()
            replay = Replay(problem, file)
            arrays = measure_spectrum(problem, replay, points, settings, hessian, MEASUREMENT, Silent())
        facts = {
            "run": self.settings.run,
            "schedule": schedule,
            "examples": hessian.examples,
            "tolerance": hessian.tolerance,
            "hessian": hessian.model_dump(),
            "planned_points": len(points),
            "replays_checked": replay.checked,
            "replay_drift": replay.drift,
        }
        write_stored(self.spectrum(schedule), SPECTRUM, arrays, _origin() | facts)
        return self

    def measure_directions(self, settings: DirectionSettings, schedule: str = "step") -> "Run":
        """Measure along the eigenvectors of a schedule."""
        with open_stored(self.snapshots, SNAPSHOTS) as file, open_stored(self.spectrum(schedule), SPECTRUM) as spectrum:
            problem = self.problem()
            replay = Replay(problem, file)
            arrays = measure_directions(problem, replay, spectrum, settings, MEASUREMENT, 7, Silent())
        facts = {
            "run": self.settings.run,
            "schedule": schedule,
            "lr": self.settings.lr,
            "measurement": MEASUREMENT.model_dump(),
            "replays_checked": replay.checked,
            "replay_drift": replay.drift,
        }
        write_stored(self.directions(schedule), DIRECTIONS, arrays, _origin() | facts)
        return self


def contents(run: Run, but: tuple[str, ...] = ()) -> dict[str, bytes | Any]:
    """All that a run's files hold, bit for bit, but the clock's part."""
    with open_stored(run.snapshots, SNAPSHOTS) as file:
        names = {dataset.name for dataset in SNAPSHOTS.datasets} - {"seconds", *but}
        arrays = {name: (file.shape(name), file[name].tobytes()) for name in names}
        attributes = {name: value for name, value in file.attributes.items() if name != "created"}
    return {**arrays, **attributes, "history": run.history.read_bytes()}


class Telling(Progress):
    """Writes a line ``<process> <iterations done>`` for each epoch, and sleeps, so that others can come between."""

    def __init__(self, path: Path, pause: float) -> None:
        self._path, self._pause = path, pause

    def update(self, done: int, note: str = "") -> None:
        with open(self._path, "a") as file:
            file.write(f"{os.getpid()} {done}\n")
        time.sleep(self._pause)


def train_telling(run: Run, path: Path, pause: float) -> None:
    """Train in a process of its own."""
    run.train(Telling(path, pause))


def dense_hessian(loss: Callable[[Tensor], Tensor], theta: Tensor) -> NDArray[np.float64]:
    """(p, p) in float64, one backward pass a row."""
    at = theta.detach().double().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(at), at, create_graph=True)
    rows = [torch.autograd.grad(entry, at, retain_graph=True)[0] for entry in gradient]
    return torch.stack(rows).numpy()


def largest_in_magnitude(hessian: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """(k,) eigenvalues, signed, largest first."""
    values = np.linalg.eigvalsh(hessian)
    return np.sort(values[np.argsort(-np.abs(values))[:k]])[::-1]
