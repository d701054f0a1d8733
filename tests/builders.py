"""Tiny data files, settings and trained runs, in the layout of a results folder."""

import csv
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sharpest.config.measures import declared
from sharpest.config.run import (
    BranchSettings,
    HessianSettings,
    ImageSettings,
    NudgeSettings,
    RunSettings,
    TokenSettings,
)
from sharpest.config.run_id import intervention
from sharpest.config.variants import intervened, scales_of_step
from sharpest.config.variants import lr_factor as intervention_factor
from sharpest.measures.directions import Settings as DirectionSettings
from sharpest.measures.driver import measure_run
from sharpest.measures.evaluations import Evaluations
from sharpest.measures.evaluations import Settings as EvaluationSettings
from sharpest.measures.gradient_sample import Settings as GradientSampleSettings
from sharpest.measures.spectra import Settings as SpectrumSettings
from sharpest.measures.spectra import Spectra
from sharpest.pipeline.job import Progress
from sharpest.pipeline.provenance import provenance
from sharpest.results.datasets import DATA, TOKENS
from sharpest.results.file import open_stored, write_stored
from sharpest.results.paths import Paths
from sharpest.results.snapshots import SNAPSHOTS
from sharpest.results.stored import Measured, Snapshots, reader_of
from sharpest.training.run import train_run
from sharpest.trajectory.eigenpairs import direction_solver
from sharpest.trajectory.problem import Problem, build_problem
from sharpest.trajectory.replay import Replay

SCALE = "quick"
NUM_CLASSES = 3
POOL, TEST, SIDE = 64, 21, 8
LOSS_EXAMPLES, ACCURACY_EXAMPLES = 24, 40


class Silent(Progress):
    """Progress that prints nothing and stores what it receives: units done, and notes."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str]] = []

    def update(self, done: int, note: str = "") -> None:
        self.lines.append((done, note))

    @property
    def done(self) -> list[int]:
        return [done for done, _ in self.lines]


def write_images(path: Path, channels: int = 1, name: str = "tiny") -> Path:
    """A data file of noisy images whose bright rows give the class, labelled as scikit-learn's digits."""
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


def dataset_settings(**changes: Any) -> ImageSettings:
    """40 training, 12 validation and 21 test examples, without augmentation."""
    values = {"kind": "images", "source": "digits", "train": 40, "val": 12, "test": TEST, "flip": False, "shift": 0.0}
    return ImageSettings(**{**values, **changes})


def token_settings(**changes: Any) -> TokenSettings:
    """401 training, 61 validation and 61 test words of 7 types, in windows of 5."""
    values = {
        "kind": "tokens", "source": "python-topics", "train": 401, "val": 61, "test": 61, "window": 5, "vocabulary": 7,
    }  # fmt: skip
    return TokenSettings(**{**values, **changes})


def write_words(path: Path, name: str = "tiny") -> Path:
    """A data file of words, most of which repeat the third word before, labelled as Python's language reference."""
    rng = np.random.default_rng(list(name.encode()))

    def words(count: int) -> np.ndarray:
        values = rng.integers(0, 9, count)
        for place in range(3, count):
            if rng.random() < 0.7:
                values[place] = values[place - 3]
        return values

    arrays = {"train": words(420), "val": words(70), "test": words(70)}
    facts = dict.fromkeys(TOKENS.attributes, "") | {"dataset": "python-topics", "sha256": name, "num_classes": 9}
    write_stored(path, TOKENS, arrays, facts)
    return path


def hessian_settings(**changes: Any) -> HessianSettings:
    """20 examples in chunks of 8, solved to the accuracy of float32."""
    values = {"examples": 20, "resample": False, "chunk_size": 8, "tolerance": 1e-5, "max_products": 500}
    return HessianSettings(**{**values, **changes})


def nsgd_settings(**changes: Any) -> NudgeSettings:
    """Two of four directions at a tenth of the step, computed once per epoch."""
    values = {
        "gamma": 0.1,
        "num_directions": 2,
        "num_eigenpairs": 4,
        "refresh_every": None,
        "keep_vectors": False,
        "loss_examples": None,
        "hessian": hessian_settings(tolerance=1e-2),
    }
    return NudgeSettings(**{**values, **changes})


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
        "full_batch": False,
        "optimizer": "sgd",
        "momentum": 0.0,
        "nesterov": False,
        "beta1": 0.0,
        "beta2": 0.0,
        "epsilon": 0.0,
        "weight_decay": 0.0,
        "loss": "cross_entropy",
        "l2": 0.0,
        "clip_norm": None,
        "nudge": None,
        "branch": None,
        "rule": "const",
        "patience": None,
        "stop_patience": None,
        "seed": 777,
        "epochs": 4,
        "snapshot_every": 1,
        "torch_threads": 1,
    }
    return RunSettings(**{**values, **changes})


LSTM = {"kind": "lstm", "width": 6, "num_layers": 2, "dropout": 0.2}
RESNET_BN = {
    "kind": "resnet", "blocks_per_stage": 1, "widths": [2, 3], "batch_norm": True, "running_momentum": 0.2,
    "image_size": None,
}  # fmt: skip
VGG = {
    "kind": "vgg", "stages": [[2], [3]], "num_pools": 2, "hidden": 5, "dropout": 0.5, "batch_norm": True,
    "running_momentum": 0.2, "image_size": None,
}  # fmt: skip


def lstm_settings(**changes: Any) -> RunSettings:
    """SGD with clipping on an LSTM: 3 epochs of 19 steps of 4 windows."""
    values = {
        "run": "lstm-ptb-sgd-lr1-S4-s777", "dataset_name": "ptb", "dataset": token_settings(), "model": LSTM, "lr": 1.0,
        "batch_size": 4, "epochs": 3, "clip_norm": 0.1,
    }  # fmt: skip
    return run_settings(**{**values, **changes})


def full_batch_settings(**changes: Any) -> RunSettings:
    """SGD on the first 12 of 40 images: 4 epochs of 3 steps."""
    values = {"run": "scnn-c10-sgd-lr0.1-S12-n12-fb-s777", "batch_size": 12, "full_batch": True}
    return run_settings(**{**values, **changes})


def branch_settings(
    trunk: RunSettings, epoch: int, name: str = "", lr_factor: float = 1.0, **changes: Any
) -> RunSettings:
    """A run that branches off another run, which has no nudge, at the end of an epoch.

    Args:
        trunk: The other run.
        epoch: Epoch of the branch point.
        name: A variant of the step, with directions computed at every second iteration; empty = a branch of Fig. 12.
        lr_factor: Factor of the learning rate.
        changes: Other settings, including those of its nudge.
    """
    nudge = {
        "num_eigenpairs": 2, "refresh_every": 2, "loss_examples": 16,
        "hessian": hessian_settings(tolerance=1e-3), **changes.pop("nudge", {}),
    }  # fmt: skip
    run = f"{trunk.run}@e{epoch}/{name}" if name else trunk.run.replace("-s777", f"-L{epoch}-s777")
    changes_settings = intervention(name) is not None
    factor = intervention_factor(name) if changes_settings else lr_factor
    branch = BranchSettings(parent=trunk.run, epoch=epoch, batch_size=trunk.batch_size, lr_factor=factor)
    return (intervened(trunk, name) if changes_settings else trunk).model_copy(
        update={
            "run": run,
            "branch": branch,
            "nudge": nsgd_settings(**scales_of_step(name) | nudge) if name and not changes_settings else None,
            **changes,
        }
    )


@cache
def _origin() -> dict[str, Any]:
    """Provenance of every file made here; git is asked only once."""
    return provenance(SCALE, {}, "digits", [], "")


@dataclass
class Run:
    """The paths of one tiny run, ``results/<scale>/...`` as in the workflow."""

    results: Path
    settings: RunSettings = field(default_factory=run_settings)
    code: str = "code"
    parent: RunSettings | None = None
    """The run that a branch leaves, if its settings differ from those the branch implies."""

    @property
    def paths(self) -> Paths:
        return Paths.of(SCALE, self.results)

    @property
    def data(self) -> Path:
        return self.paths.data(self.settings.dataset_name)

    @property
    def snapshots(self) -> Path:
        return self.paths.snapshots(self.settings.run)

    @property
    def history(self) -> Path:
        return self.paths.history(self.settings.run)

    @property
    def work(self) -> Path:
        return self.paths.work(self.settings.run)

    def spectrum(self, schedule: str = "step") -> Path:
        return self.paths.measured("spectra", self.settings.run, schedule)

    def directions(self, schedule: str = "step") -> Path:
        return self.paths.measured("directions", self.settings.run, schedule)

    def replay(self) -> Replay:
        """States of the trained run, by replay."""
        return Replay(self.problem(), Snapshots(self.snapshots))

    @property
    def trunk(self) -> "Run":
        """The run that a branch leaves, with a snapshot at every epoch."""
        branch = self.settings.branch
        assert branch is not None
        changes = {
            "run": branch.parent,
            "branch": None,
            "nudge": None,
            "snapshot_every": 1,
            "batch_size": branch.batch_size,
        }
        parent = self.parent or self.settings.model_copy(update=changes)
        return Run(self.results, parent, self.code)

    def prepare(self) -> "Run":
        """Write the inputs of training: data, and the files of the trunk."""
        self.problem()
        if self.settings.branch and not self.trunk.snapshots.exists():
            self.trunk.train()
        return self

    def problem(self) -> Problem:
        if not self.data.exists():
            (write_images if self.settings.dataset.kind == "images" else write_words)(self.data)
        return build_problem(self.settings, self.data)

    def train(self, progress: Progress | None = None) -> "Run":
        """Train the run as the workflow's script does, after its trunk if that has no files yet."""
        problem = self.prepare().problem()
        notes = {"hessian": hessian_settings().model_dump()}
        facts = _origin() | {"config": self.settings.model_dump(mode="json"), "code": self.code}
        solver = direction_solver(problem)
        train_run(problem, solver, self.paths, facts | notes, (progress or Silent()).update)
        return self

    def measure(
        self,
        measure: str,
        segments: Sequence[Sequence[int | str]],
        settings: Any,
        path: Path | None = None,
        schedule: str = "step",
        hessian: HessianSettings | None = None,
        progress: Progress | None = None,
    ) -> Path:
        """Take a measure as the workflow's script does.

        Args:
            measure: Name of the measure.
            segments: The points.
            settings: Settings of the measure.
            path: The file; by default that of the schedule.
            schedule: Schedule of the file, and of the files that the measure needs.
            hessian: Settings of the Hessian.
            progress: Receives the number of finished points.
        """
        declaration, hessian = declared(measure), hessian or hessian_settings()
        path = path or self.paths.measured(measure, self.settings.run, schedule)
        stored = {
            name: reader_of(name)(self.paths.measured(name, self.settings.run, schedule)) for name in declaration.needs
        }
        known = {
            "run": self.settings.run,
            "config": {"run": self.settings.model_dump(mode="json")},
            "schedule": schedule,
            "settings": settings.model_dump(mode="json"),
            "hessian": hessian.model_dump(),
        }
        measure_run(
            declaration,
            self.replay(),
            segments,
            settings,
            hessian,
            stored,
            _origin() | known,
            path,
            self.paths.work_on(self.paths.measured(measure, self.settings.run, path.stem)),
            (progress or Silent()).update,
        )
        return path

    def measure_spectrum(self, points: list[int], schedule: str = "step", **changes: Any) -> "Run":
        """Leading eigenpairs at the points of one segment; ``changes`` are settings of the measure, or ``hessian``."""
        return self.measure_segments([points], self.spectrum(schedule), **changes)

    def measure_segments(self, segments: list[list[int]], path: Path, **changes: Any) -> "Run":
        """Leading eigenpairs at the points of several segments, written to a file."""
        hessian = changes.pop("hessian", None)
        self.measure("spectra", segments, spectrum_settings(**changes), path, path.stem, hessian)
        return self

    def measure_directions(self, settings: DirectionSettings, schedule: str = "step") -> "Run":
        """Directions measured along the eigenvectors of a schedule, in one segment."""
        points = Spectra(self.spectrum(schedule)).iteration.tolist()
        return self.measure_direction_segments([points], self.directions(schedule), settings, schedule)

    def measure_direction_segments(
        self, segments: list[list[int]], path: Path, settings: DirectionSettings, schedule: str = "step"
    ) -> "Run":
        """Directions measured along the eigenvectors of a schedule, in several segments, written to a file."""
        # chunks of 7 divide the 24 examples of the loss unevenly
        hessian = HessianSettings.model_validate({**Spectra(self.spectrum(schedule)).hessian, "chunk_size": 7})
        self.measure("directions", segments, settings, path, schedule, hessian)
        return self

    def sample_gradients(
        self, settings: GradientSampleSettings, segments: Sequence[Sequence[int]] | None = None, name: str = "step"
    ) -> Measured:
        """Mini-batch gradients at the points of the spectra of ``step``, or in segments, written to a separate file."""
        segments = segments or [Spectra(self.spectrum()).iteration.tolist()]
        path = self.paths.measured("gradient_sample", self.settings.run, name)
        hessian = HessianSettings.model_validate(Spectra(self.spectrum()).hessian)
        return Measured(
            self.measure("gradient_sample", segments, settings, path, hessian=hessian),
            declared("gradient_sample").layout,
        )

    def evaluate(self, settings: EvaluationSettings, hessian: HessianSettings | None = None) -> Evaluations:
        """The end points, evaluated."""
        return Evaluations(self.measure("evaluations", [["best", "last"]], settings, schedule="ends", hessian=hessian))


def spectrum_settings(**changes: Any) -> SpectrumSettings:
    """Three eigenpairs with their vectors; losses and accuracies at every point."""
    values = {"num_eigenpairs": 3, "accuracy_every": 1, "keep_vectors": True, "accuracy_examples": ACCURACY_EXAMPLES}
    return SpectrumSettings(**{**values, **changes})


def direction_settings(**changes: Any) -> DirectionSettings:
    """Losses over 24 examples; tests set the rest."""
    return DirectionSettings(**{"loss_examples": LOSS_EXAMPLES, **changes})


def contents(run: Run, but: tuple[str, ...] = ()) -> dict[str, bytes | Any]:
    """The contents of a run's files, bit for bit, except clock times."""
    with open_stored(run.snapshots, SNAPSHOTS) as file:
        names = {dataset.name for dataset in SNAPSHOTS.datasets} - {"seconds", "epoch_seconds", *but}
        arrays = {name: (file.shape(name), file[name].tobytes()) for name in names}
        attributes = {name: value for name, value in file.attributes.items() if name != "created"}
    return {**arrays, **attributes, "history": run.history.read_bytes()}


class Telling(Progress):
    """Writes a line ``<process> <iterations done>`` for each epoch, then sleeps to let other processes interleave."""

    def __init__(self, path: Path, pause: float) -> None:
        self._path, self._pause = path, pause

    def update(self, done: int, note: str = "") -> None:
        with open(self._path, "a") as file:
            file.write(f"{os.getpid()} {done}\n")
        time.sleep(self._pause)


def train_telling(run: Run, path: Path, pause: float) -> None:
    """Train in a separate process."""
    run.train(Telling(path, pause))


def dense_hessian(loss: Callable[[Tensor], Tensor], theta: Tensor) -> NDArray[np.float64]:
    """(p, p) in float64, one backward pass per row."""
    at = theta.detach().double().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(at), at, create_graph=True)
    rows = [torch.autograd.grad(entry, at, retain_graph=True)[0] for entry in gradient]
    return torch.stack(rows).numpy()


def largest_in_magnitude(hessian: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """(k,) eigenvalues of largest magnitude, signed, largest first."""
    values = np.linalg.eigvalsh(hessian)
    return np.sort(values[np.argsort(-np.abs(values))[:k]])[::-1]


def spent(results: Path) -> tuple[float, float]:
    """CPU hours of all jobs of a scale, and the peak bytes of the largest, from the benchmark files in its folder."""
    tables = [path.read_text().splitlines() for path in results.glob("benchmarks/**/*.tsv")]
    rows = [row for table in tables for row in csv.DictReader(table, delimiter="\t")]
    return sum(float(row["cpu_time"]) for row in rows) / 3600, max(float(row["max_rss"]) for row in rows) * 2**20
