"""All nets, reduced, each as a tiny run with a different kind of step, for tests on other devices."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from builders import (
    EvaluationSettings,
    GradientSampleSettings,
    Run,
    Spectra,
    dataset_settings,
    direction_settings,
    hessian_settings,
    nsgd_settings,
    run_settings,
    token_settings,
)
from problems import NETS

from sharpest.config.run import ReviewSettings
from sharpest.measures.critical import Settings as CriticalSettings
from sharpest.measures.density import Settings as DensitySettings
from sharpest.measures.directions import Directions
from sharpest.measures.first_steps import Settings as FirstStepsSettings
from sharpest.measures.interventions import Settings as InterventionsSettings
from sharpest.measures.trace import Settings as TraceSettings
from sharpest.results.datasets import REVIEWS
from sharpest.results.file import write_stored
from sharpest.results.stored import Measured, Snapshots, reader_of

_SMALL = hessian_settings(examples=6, chunk_size=4, tolerance=0.05, max_products=6)
_NUDGE = nsgd_settings(num_directions=1, num_eigenpairs=2, loss_examples=12, hessian=_SMALL)
_REVIEWS = ReviewSettings(
    kind="reviews", source="generated-reviews", train=40, val=12, test=21, length=7, vocabulary=9
)  # fmt: skip
HESSIAN = _SMALL


def _kept(**changes: Any) -> Any:
    return _NUDGE.model_copy(update={"refresh_every": 2, "keep_vectors": True, **changes})


_CHANGES: dict[str, tuple[str, dict[str, Any]]] = {
    "simple-cnn": ("simple-cnn-valid", {"l2": 1e-3}),
    "simple-cnn-medium": ("simple-cnn-medium", {"momentum": 0.5, "dataset": dataset_settings(flip=True, shift=0.1)}),
    "resnet": ("resnet", {"momentum": 0.5, "nudge": _kept(correction="both", refresh_every=3)}),
    "resnet-bn": ("resnet-bn", {"rule": "plat", "patience": 1, "stop_patience": 3}),
    "vgg": ("vgg", {"nudge": _NUDGE}),
    "lstm": (
        "lstm",
        {"dataset": token_settings(train=61, vocabulary=4), "batch_size": 4, "clip_norm": 0.1, "epochs": 2},
    ),
    "text-cnn": ("text-cnn", {"dataset": _REVIEWS, "nudge": _kept(correction="g")}),
    "fcn": ("fcn", {"momentum": 0.5, "nesterov": True, "loss": "squared"}),
}
ALL = list(_CHANGES)
"""Their names."""


def tiny_run(name: str, folder: Path, dropout: bool = True, **changes: Any) -> Run:
    """An epoch of a net, in a folder with its data; without dropout, which differs between real devices."""
    net, kind = _CHANGES[name]
    model, shape = NETS[net]
    side = {"image_size": shape[1]} if len(shape) == 3 else {}
    side |= {"dropout": 0.0} if "dropout" in model and not dropout else {}
    values = {"run": "scnn-c10-sgd-lr0.1-S8-s777", "model": {**model, **side}, "epochs": 1}
    settings = run_settings(**{**values, **kind, **changes})
    run = Run(folder, settings)
    if settings.dataset.kind == "reviews" and not run.data.exists():
        write_reviews(run.data)
    return run


def write_reviews(path: Path) -> None:
    """A data file of reviews whose class is their most frequent word, labelled as generated reviews."""
    rng = np.random.default_rng(1)
    arrays = {}
    for part, count in (("train", 64), ("test", 21)):
        targets = rng.integers(0, 2, count)
        words = np.where(rng.random((count, 8)) < 0.6, 4 + targets[:, None], rng.integers(3, 9, (count, 8)))
        arrays[f"{part}_tokens"] = words.ravel()
        arrays[f"{part}_offsets"] = np.arange(count + 1) * 8
        arrays[f"{part}_targets"] = targets
    facts = dict.fromkeys(REVIEWS.attributes, "") | {"dataset": "generated-reviews", "sha256": "x", "num_classes": 2}
    write_stored(path, REVIEWS, arrays, facts)


@contextmanager
def on_cpu() -> Iterator[None]:
    """No GPU, even on a machine that has one."""
    with mock.patch.object(torch.cuda, "is_available", return_value=False):
        yield


DIRECTIONS = direction_settings(
    indices=(1, 0, -1), num_gradients=2, alphas=(0.5, 2.0), grid=(-2.0, -1.0, 0.0, 1.0, 2.0), loss_examples=12
)
EVALUATIONS = EvaluationSettings(num_eigenpairs=1, examples=4, num_probes=4, loss_examples=12, early_epoch=1)
CRITICAL = CriticalSettings(num_batches=2)
FIRST_STEPS = FirstStepsSettings(num_steps=2, lowest=0.5, highest=1, per_octave=1)
INTERVENTIONS = InterventionsSettings(arms=("sgd", "lr2"), updates=3)
TRACE = TraceSettings(num_products=4)
DENSITY = DensitySettings(num_probes=2, num_steps=3)
SAMPLE = GradientSampleSettings(num_batches=4, full_curvature_batches=2, num_eigenvalues=2)
POINTS = [3]


def measured(run: Run) -> dict[str, np.ndarray]:
    """Train a run and take every measure on it."""
    run.train()
    run.measure_spectrum(POINTS, num_eigenpairs=1, accuracy_examples=12, hessian=HESSIAN)
    run.measure_directions(DIRECTIONS)
    critical, first = _read(run, "critical", CRITICAL), _read(run, "first_steps", FIRST_STEPS)
    snapshots, spectra = Snapshots(run.snapshots), Spectra(run.spectrum())
    directions, evaluations = Directions(run.directions()), run.evaluate(EVALUATIONS, HESSIAN)
    trace = _read(run, "trace", TRACE)
    density = _read(run, "density", DENSITY)
    sample = run.sample_gradients(SAMPLE)
    steps_scaled = run.settings.nudge is not None  # measures that refuse this run
    changes = {} if steps_scaled else {"loss of arms": _read(run, "interventions", INTERVENTIONS)["loss"]}
    assert directions.attributes["replays_checked"] == 1
    assert directions.attributes["replay_drift"] == 0
    return {
        "theta": snapshots["theta"],
        "buffers": snapshots["buffers"],
        **{name: spectra[name] for name in ("eigenvalues", "train_loss", "val_accuracy")},
        **{name: directions[name] for name in ("loss", "profile", "loss_change", "cosine")},
        **{name: critical[name] for name in ("batch_outcome", "batch_sharpness", "full_lr")},
        **{f"first {name}": first[name] for name in ("loss", "lambda_0")},
        **{name: sample[name] for name in ("batch_sharpness", "gni", "covariance_eigenvalues", "chi_batch")},
        **{name: evaluations[name] for name in ("test_accuracy", "train_loss", "distance", "spectral_norm")},
        "trace": trace["trace"],
        **changes,
        **{f"{name} of the density": density[name] for name in ("nodes", "trace", "frobenius_sq")},
    }


def _read(run: Run, measure: str, settings: Any) -> Measured:
    return reader_of(measure)(run.measure(measure, [POINTS], settings, hessian=HESSIAN))
