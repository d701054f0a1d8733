"""Quantities of curves along training, of branches, of the spectral density, and of the loss after each update."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sharpest.claims.edges import edge_of, first_crossing
from sharpest.claims.quantity import Quantity, RunFiles
from sharpest.claims.resampling import with_error
from sharpest.claims.shapes import (
    FEWEST_POINTS,
    SWING,
    Series,
    UnmeasuredError,
    before_largest_fall,
    correlation_of_swings,
    largest_fall,
    maximum,
    mean,
    peak,
    peak_epoch,
    points_around,
    sudden_fall,
)
from sharpest.claims.verdicts import Sample
from sharpest.measures.spectra import Spectra
from sharpest.results.stored import Measured, divergence


def _first_and_last_loss(files: RunFiles) -> tuple[float, float]:
    """Training loss at the first and the last measured point."""
    spectra = files.spectra
    if spectra.diverged is not None:
        raise UnmeasuredError(spectra.divergence)
    loss = spectra["train_loss"]
    return float(loss[0]), float(loss[-1])


def _loss_kept(files: RunFiles, facet: str) -> Sample:
    first, last = _first_and_last_loss(files)
    return Sample(last / first)


_SONG = "Song, Ahn and Yun, arXiv 2405.16002"

BRANCHES: Sequence[Quantity] = (
    Quantity(
        "loss_kept", "", "Training loss at the last measured point over that at the first.", _SONG, ("spectra",),
        _loss_kept,
    ),
    Quantity(
        "last_loss_ratio", "", "Training loss at the last measured point, first runs over second.", _SONG,
        ("spectra",), lambda files, facet: Sample(_first_and_last_loss(files)[1]), compare="ratio",
    ),
)  # fmt: skip


_BULK_WIDTH = 1 / 20  # the bulk lies within this fraction of the largest eigenvalue around zero


def _density(files: RunFiles) -> Measured:
    density = files.measured("density")
    if density.diverged is not None:
        raise UnmeasuredError(density.divergence)
    return density


def _mass(
    inside: Callable[[NDArray[np.float64]], NDArray[np.bool_]], as_count: bool
) -> Callable[[RunFiles, str], Sample]:
    """Mean and standard error, over the probes, of the fraction or count of eigenvalues in a region.

    Args:
        inside: Whether a ratio to the largest eigenvalue lies in the region.
        as_count: Count eigenvalues instead of their fraction.
    """

    def read(files: RunFiles, facet: str) -> Sample:
        density = _density(files)
        nodes, weights = density["nodes"][-1], density["weights"][-1]
        fractions = (weights * inside(nodes / nodes.max())).sum(axis=1)
        scale = files.spectra.num_parameters if as_count else 1
        error = fractions.std(ddof=1) / np.sqrt(len(fractions))
        return with_error(scale * float(fractions.mean()), scale * float(error), files.source.run)

    return read


def _negative(files: RunFiles, facet: str) -> Sample:
    density = _density(files)
    return Sample(float(max(0.0, -density["lambda_min"][-1]) / density["lambda_max"][-1]))


_GHORBANI = "Ghorbani et al., ICML 2019"

DENSITIES: Sequence[Quantity] = (
    Quantity(
        "density_outliers", "", "Number of eigenvalues above a twentieth of the largest one at the last point, from "
        "the density.", _GHORBANI, ("density", "spectra"), _mass(lambda ratio: ratio > _BULK_WIDTH, as_count=True),
    ),
    Quantity(
        "density_bulk", "", "Fraction of the eigenvalues whose magnitude is at most a twentieth of the largest one at "
        "the last point, from the density.", _GHORBANI, ("density",),
        _mass(lambda ratio: np.abs(ratio) <= _BULK_WIDTH, as_count=False),
    ),
    Quantity(
        "density_negative", "", "Magnitude of the lowest node of the density over the highest node, at the last point; "
        "0 if the lowest node is positive.", _GHORBANI, ("density",), _negative,
    ),
)  # fmt: skip


def _crossing(files: RunFiles) -> int | None:
    spectra = files.spectra
    if spectra.diverged is not None:
        raise UnmeasuredError(spectra.divergence)
    if (optimizer := spectra.attributes["config"]["run"].get("optimizer", "sgd")) != "sgd":
        raise UnmeasuredError(f"the edge of {optimizer} bounds the preconditioned curvature, not these eigenvalues")
    return first_crossing(spectra.iteration, spectra.lambda_max, edge_of(spectra))


def _first_crossing(files: RunFiles, facet: str) -> Sample:
    crossing = _crossing(files)
    if crossing is None:
        raise UnmeasuredError("the largest eigenvalue never exceeds the edge")
    return Sample(float(crossing))


def _rising(after: bool) -> Callable[[RunFiles, str], Series]:
    """1 for each update that raises the loss, 0 for each other update."""

    def read(files: RunFiles, facet: str) -> Series:
        crossing, snapshots = _crossing(files), files.snapshots
        update = snapshots.iteration[0] + np.arange(1, len(snapshots.update_loss))
        rises = (np.diff(snapshots.update_loss) > 0).astype(float)
        last = np.inf if crossing is None else crossing
        counted = update > last if after else update <= last
        if not counted.any():
            raise UnmeasuredError(f"no update {'after' if after else 'before'} the crossing of the edge")
        return Series(update[counted].astype(float), rises[counted, None])

    return read


_COHEN = "Cohen et al., ICLR 2021"
_NEEDS = ("snapshots", "spectra")

UPDATES: Sequence[Quantity] = (
    Quantity(
        "first_crossing", "iterations", "First measured iteration at which the largest eigenvalue exceeds the edge of "
        "the run's optimizer: 2/η for gradient descent, 2 (1 + m)/η with momentum m, 2 (1 + m)/(η (1 + 2 m)) with "
        "Nesterov momentum.", _COHEN, _NEEDS[1:], _first_crossing,
    ),
    Quantity(
        "rising_updates_before_edge", "", "Fraction of the updates of a full-batch run that raise its loss, up to that "
        "iteration; of all updates if the edge is never exceeded.", _COHEN, _NEEDS, _rising(after=False), mean,
        full_batch=True,
    ),
    Quantity(
        "rising_updates_after_edge", "", "The same after that iteration.", _COHEN, _NEEDS, _rising(after=True),
        mean, full_batch=True,
    ),
)  # fmt: skip


_PAPER_EPOCHS = 200  # length of a run in the paper; the windows below scale with it (inventory, section 8)
_LAST_EPOCHS = 10
_ZOOM, _ZOOM_START = 0.5, 0.1  # epochs of Fig. 2
_BRANCH_ITERATIONS = 100  # the last iterations of a branch of Fig. 7


def _series(time: NDArray[np.float64], values: NDArray[np.float64], end: float = np.inf) -> Series:
    """The finite points up to ``end``, from values (t,) or (t, c).

    Raises:
        UnmeasuredError: If no point is finite, or the run ended before ``end``.
    """
    values = values[:, None] if values.ndim == 1 else values
    finite = np.isfinite(values).all(axis=1)
    kept = finite & (time <= end)
    if not kept.any():
        raise UnmeasuredError("no finite measurement")
    if np.isfinite(end) and time[finite][-1] < end:
        raise UnmeasuredError(f"ended at epoch {time[finite][-1]:.3g}, before epoch {end:g}")
    return Series(time[kept], values[kept])


def of_measured(measured: Measured, values: NDArray[np.float64], end: float = np.inf) -> Series:
    """The finite values, from (t,) or (t, c), at the points of a measure up to epoch ``end``.

    Iteration 0 of a net with batch normalisation is left out: in inference mode its running averages are untrained.

    Raises:
        UnmeasuredError: If no value is finite, or the run diverged or ended before ``end``.
    """
    if measured.diverged is not None and measured.diverged <= end:
        raise UnmeasuredError(measured.divergence)
    trained = measured.iteration > (0 if measured.attributes["config"]["run"]["model"].get("batch_norm") else -1)
    return _series(measured.epoch[trained], values[trained], end)


def _eigenvalue(index: int) -> Callable[[RunFiles, str], Series]:
    def read(files: RunFiles, facet: str) -> Series:
        return of_measured(files.spectra, files.spectra.eigenvalues[:, index])

    return read


_lambda_max = _eigenvalue(0)


def _lambda_2_to_10(files: RunFiles, facet: str) -> Series:
    magnitudes = -np.sort(-np.abs(files.spectra.eigenvalues), axis=1)
    return of_measured(files.spectra, magnitudes[:, 1:10])


def _window(files: RunFiles) -> float:
    assert files.source.window is not None  # checked with the plan
    return files.source.window


def _lambda_max_zoom(files: RunFiles, facet: str) -> Series:
    """The largest eigenvalue and the residual bound on its error.

    All points use the same Hessian examples, so the solver is the only source of error.
    """
    spectra = files.spectra
    error = spectra["residuals"][:, 0] * np.abs(spectra.eigenvalues).max(axis=1)
    return of_measured(spectra, np.stack([spectra.lambda_max, error], axis=1), _window(files))


def _lambda_max_zoom_start(files: RunFiles, facet: str) -> Series:
    series = of_measured(files.spectra, files.spectra.lambda_max, _window(files))
    end = _window(files) * _ZOOM_START / _ZOOM
    return series.rows(slice(max(FEWEST_POINTS, int((series.epoch <= end).sum()))))


def _accuracy_and_lambda_max(files: RunFiles, facet: str) -> Series:
    accuracy, lambda_max = _accuracy(files)[:, 0], files.spectra.lambda_max
    series = of_measured(files.spectra, np.stack([accuracy, lambda_max], axis=1), _window(files))
    if len(series.epoch) < points_around(len(series.epoch)) + FEWEST_POINTS - 1:
        raise UnmeasuredError(f"only {len(series.epoch)} points")
    return series


def _lambda_max_by_iteration(files: RunFiles, facet: str) -> Series:
    series = _lambda_max(files, facet)
    return Series(np.interp(series.epoch, files.spectra.epoch, files.spectra.iteration), series.values)


def _lambda_max_before_drop(files: RunFiles, facet: str) -> Series:
    accuracy = _train_acc(files, facet)
    lambda_max = _lambda_max(files, facet)
    if sudden_fall(accuracy) < SWING:
        return lambda_max
    return lambda_max.rows(lambda_max.epoch <= accuracy.epoch[before_largest_fall(accuracy.values[:, 0]) - 1])


def _lambda_max_early(files: RunFiles, facet: str) -> Series:
    end = float(files.evaluations.early_epoch)
    series = of_measured(files.spectra, files.spectra.lambda_max, end)
    return series.rows(series.epoch >= 1)


def _eta_lambda(files: RunFiles, facet: str) -> Series:
    series = _lambda_max(files, facet)
    return Series(series.epoch, files.spectra.lr * series.values)


def _accuracy(files: RunFiles) -> NDArray[np.float64]:
    """Training accuracy and its standard error (t, 2), in per cent."""
    fraction, count = files.spectra["train_accuracy"], files.spectra.settings["accuracy_examples"]
    return 100 * np.stack([fraction, np.sqrt(fraction * (1 - fraction) / count)], axis=1)


def _train_acc(files: RunFiles, facet: str) -> Series:
    return of_measured(files.spectra, _accuracy(files))


def _across_drop(values: Callable[[Spectra], NDArray[np.float64]]) -> Callable[[RunFiles, str], Series]:
    """The trunk up to the drop of the learning rate, then the branch. Epochs count from the drop."""

    def read(files: RunFiles, facet: str) -> Series:
        branch = of_measured(files.spectra, values(files.spectra))
        drop = branch.epoch[0]
        trunk = of_measured(files.parent_spectra, values(files.parent_spectra), drop)
        later = branch.rows(branch.epoch > drop)
        return Series(np.concatenate([trunk.epoch, later.epoch]) - drop, np.concatenate([trunk.values, later.values]))

    return read


def _change_after_drop(series: Series) -> float:
    """Mean over the last epochs minus the mean over as many epochs before the drop, which is at epoch 0."""
    start, end = series.epoch[0], series.epoch[-1]
    width = _last_epochs(end - start)
    before = (series.epoch > max(start, -width)) & (series.epoch <= 0)
    after = series.epoch > max(0.0, end - width)
    return mean(series.rows(after)) - mean(series.rows(before))


def _last_epochs(length: float) -> float:
    """Width in epochs of the window at the end of a run of this length."""
    return max(1.0, length * _LAST_EPOCHS / _PAPER_EPOCHS)


def whole_history(files: RunFiles) -> pd.DataFrame:
    """The history of a run that did not diverge: at least one row, one per epoch.

    Raises:
        UnmeasuredError: If the history is empty, or the run diverged, in the epoch of the last row.
    """
    history = files.history
    if history.empty:
        raise UnmeasuredError("no finite measurement")
    last = history.iloc[-1]
    if not np.isfinite([last["val_loss"], last["val_accuracy"]]).all():
        raise UnmeasuredError(divergence(float(last["epoch"])))
    return history


def _val_acc_final(files: RunFiles, facet: str) -> Series:
    history = whole_history(files)
    last = history[history["epoch"] > history["epoch"].iloc[-1] - _last_epochs(history["epoch"].iloc[-1])]
    return Series(last["epoch"].to_numpy(), 100 * last[["val_accuracy"]].to_numpy())


def _last_of_branch(name: str, column: int | None) -> Callable[[RunFiles, str], Series]:
    def read(files: RunFiles, facet: str) -> Series:
        snapshots = files.snapshots
        if snapshots.diverged is not None:
            raise UnmeasuredError(divergence(snapshots.diverged, unit="iteration"))
        iteration = snapshots["refresh_iteration"].astype(float)
        values: NDArray[Any] = snapshots[name] if column is None else snapshots[name][:, column]
        series = _series(iteration, values)
        first, last = series.epoch[0], series.epoch[-1]
        return series.rows(series.epoch > last - min(_BRANCH_ITERATIONS, (last - first) / 2))

    return read


_SMOOTHED = "smoothed over five points"
_SECTION = "inventory, section 8"

CURVES: Sequence[Quantity] = (
    Quantity(
        "lambda_max", "", "Largest signed eigenvalue over the whole run.", _SECTION, ("spectra",), _lambda_max,
        is_curve=True,
    ),
    Quantity(
        "lambda_2_to_10", "", "Eigenvalues 2 to 10 by magnitude, over the whole run; the weakest trend counts.",
        _SECTION, ("spectra",), _lambda_2_to_10, is_curve=True,
    ),
    Quantity(
        "lambda_max_zoom", "", "Largest eigenvalue in the early window of the schedule, 0.5 epochs at the paper's "
        "scale.", _SECTION, ("spectra", "window"), _lambda_max_zoom, is_curve=True,
    ),
    Quantity(
        "lambda_max_zoom_start", "", "Largest eigenvalue in the first fifth of that window, 0.1 epochs at the paper's "
        "scale; at least five points.", _SECTION, ("spectra", "window"), _lambda_max_zoom_start, is_curve=True,
    ),
    Quantity(
        "lambda_max_before_drop", "", "Largest eigenvalue up to the point where the largest fall of the training "
        "accuracy starts; over the whole run if that fall is less than a quarter of the accuracy's range.", _SECTION,
        ("spectra", "accuracy"), _lambda_max_before_drop, is_curve=True,
    ),
    Quantity(
        "train_acc", "%", "Accuracy on clean training images over the whole run; a fall counts even if it recovers.",
        _SECTION, ("spectra", "accuracy"), _train_acc, is_curve=True, sudden=True,
    ),
    Quantity(
        "train_acc_with_lambda_max", "", "Rank correlation of the accuracy on clean training images with the largest "
        "eigenvalue in the early window of the schedule, each minus its moving average over a fifth of the points, at "
        "least 11.", _SECTION, ("spectra", "accuracy", "window"), _accuracy_and_lambda_max, correlation_of_swings,
        surrogates="shifts",
    ),
    Quantity(
        "acc_drop", "points", "Largest fall of the accuracy on clean training images below its highest value so far.",
        _SECTION,
        ("spectra", "accuracy"), _train_acc, largest_fall,
    ),
    Quantity(
        "lambda_max_peak", "nats", f"Maximum of the largest eigenvalue over the run, {_SMOOTHED}.", _SECTION,
        ("spectra",), _lambda_max, peak, lower_bound=True,
    ),
    Quantity(
        "lambda2_peak", "nats", f"Maximum of the second eigenvalue over the run, {_SMOOTHED}.", _SECTION,
        ("spectra",), _eigenvalue(1), peak, lower_bound=True,
    ),
    Quantity(
        "lambda_max_peak_epoch", "epochs", f"Epoch at which the largest eigenvalue is highest, {_SMOOTHED}.",
        _SECTION, ("spectra",), _lambda_max, peak_epoch, lower_bound=True,
    ),
    Quantity(
        "lambda_max_peak_ratio", "", "`lambda_max_peak`, first runs over second.", _SECTION, ("spectra",),
        _lambda_max, peak, compare="ratio", lower_bound=True,
    ),
    Quantity(
        "lambda_max_peak_iteration", "iterations", "Iteration at which the largest eigenvalue is highest, "
        f"{_SMOOTHED}.", _SECTION, ("spectra",), _lambda_max_by_iteration, peak_epoch, lower_bound=True,
    ),
    Quantity(
        "eta_lambda_product", "", "Maximum over the run of the learning rate times the largest eigenvalue, "
        f"{_SMOOTHED}.", _SECTION, ("spectra",), _eta_lambda, peak, lower_bound=True,
    ),
    Quantity(
        "lambda_max_early", "nats", "Maximum of the largest eigenvalue from epoch 1 to the scale's early epoch, which "
        "is 50 (IMDB: 10) at the paper's scale.", _SECTION, ("spectra", "evaluations"), _lambda_max_early, maximum,
        study="fig08",
    ),
    Quantity(
        "lambda_max_early_ratio", "", "`lambda_max_early`, NSGD over SGD.", _SECTION,
        ("spectra", "evaluations"), _lambda_max_early, maximum, compare="ratio", study="fig08",
    ),
    Quantity(
        "lambda_max_change_after_drop", "nats", "Mean of the largest eigenvalue over the last twentieth of the epochs, "
        "10 of the paper's 200, minus the mean over as many epochs before the drop of the learning rate; at least one "
        "epoch each, without the initial weights.", _SECTION, ("spectra", "parent"),
        _across_drop(lambda spectra: spectra.lambda_max), _change_after_drop,
    ),
    Quantity(
        "frobenius_change_after_drop", "nats", "The same for the Frobenius norm of the tracked eigenvalues.", _SECTION,
        ("spectra", "parent"), _across_drop(lambda spectra: spectra.frobenius), _change_after_drop,
    ),
    Quantity(
        "val_acc_final", "%", "Validation accuracy, mean over the last twentieth of the epochs, 10 of the paper's 200.",
        _SECTION, ("history",), _val_acc_final, mean,
    ),
    Quantity(
        "lambda_after", "nats", "Mean of the largest eigenvalue over the last 100 iterations of a branch, or over its "
        "last half if that is shorter.", _SECTION, ("snapshots",), _last_of_branch("eigenvalues", 0), mean,
    ),
    Quantity(
        "loss_after", "nats", "Mean of the training loss over the same iterations.", _SECTION, ("snapshots",),
        _last_of_branch("refresh_loss", None), mean,
    ),
)  # fmt: skip
