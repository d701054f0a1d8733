"""Curvature, accuracy and learning rate of runs that drop the learning rate at different times (Fig. 12)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sharpest.config.studies import Curve, FirstStage
from sharpest.figures.files import FigureFiles
from sharpest.figures.style import (
    MISSED,
    PANEL_HEIGHT,
    PANEL_WIDTH,
    PlottedPoints,
    add_foot,
    blue_to_red,
    count_line,
    divergence,
    legend_below,
    mark_missed,
    new_figure,
    run_label,
    running_mean,
    say_empty,
    styled,
)
from sharpest.store.file import open_stored
from sharpest.store.spectrum import SPECTRUM

_CURVATURE, _ACCURACY, _RATE = "curvature", "accuracy", "learning rate"  # titles of the panels
_ACCURACIES = {"train": "-", "val": "--"}


@dataclass(frozen=True)
class _Measured:
    """One run, in tables with a row for each measurement and for each epoch, and columns run and iteration."""

    spectrum: pd.DataFrame  # also epoch, lambda_max, frobenius (nats), converged (of lambda_max); finite
    history: pd.DataFrame  # also the other columns of history.csv
    num_eigenpairs: int
    diverged: str


@styled
def draw(study: FirstStage, files: FigureFiles, foot: str) -> tuple[Figure, pd.DataFrame]:
    """Draw each branch behind the part of the trunk before it.

    Args:
        study: What to draw.
        files: Spectrum files and histories, the trunk's first.
        foot: What was replaced or reduced.

    Returns:
        The figure, and its points with columns panel, series, run, x, y. The run is the trunk before the branch; a mean
        over epochs has the run and the epoch of its middle.

    Source: Fig. 12; inventory, Figure 12.
    """
    trunk, *branches = (
        _read(curve, spectrum, history)
        for curve, spectrum, history in zip(study.curves(), files.spectra, files.histories, strict=True)
    )
    figure = new_figure(3 * 1.25 * PANEL_WIDTH, 1.4 * PANEL_HEIGHT)
    curvature, accuracy, rate = figure.subplots(1, 3)
    norm = curvature.twinx()
    norm.spines.right.set_visible(True)
    curvature.set(title=_CURVATURE, xlabel="epoch", ylabel="largest eigenvalue (solid)")
    norm.set_ylabel("Frobenius norm (dashed)")
    accuracy.set(title=f"{_ACCURACY}, solid: training, dashed: validation", xlabel="epoch", ylabel="accuracy (%)")
    rate.set(title=_RATE, xlabel="epoch", ylabel="learning rate")

    points, missed, handles = PlottedPoints(), {}, []
    for curve, branch, colour in zip(study.branches, branches, blue_to_red(len(branches)), strict=True):
        spectrum = _joined(trunk.spectrum, branch.spectrum)
        _curvature_lines(curvature, norm, curve, spectrum, colour, points)
        history = _joined(trunk.history, branch.history)
        _accuracy_lines(accuracy, curve, history, colour, study.smoothing, points)
        _rate_line(rate, curve, history, colour, points)
        missed[curve.label] = [~spectrum["converged"].to_numpy(bool)]
        label = run_label(curve.label, branch.diverged, branch.spectrum.empty)
        handles += accuracy.plot([], [], color=colour, label=label)
    for axes in (curvature, norm, accuracy, rate):
        if not any(len(line.get_xdata()) for line in axes.lines):
            say_empty(axes)
    legend_below(accuracy, handles=handles, most_columns=4)
    # the two are nearly proportional, and would hide each other
    low, high = curvature.get_ylim()
    curvature.set_ylim(low, high + (high - low) / 3)
    reading = (
        f"Frobenius norm: of the {trunk.num_eigenpairs} tracked eigenvalues. Before its branch each curve is the run "
        f"{study.trunk.label}."
    )
    add_foot(figure, reading, count_line(MISSED, missed), foot)
    return figure, points.table()


def _read(curve: Curve, spectrum_path: Path, history_path: Path) -> _Measured:
    with open_stored(spectrum_path, SPECTRUM) as stored:
        eigenvalues = stored["eigenvalues"]
        spectrum = pd.DataFrame(
            {
                "run": curve.run,
                "iteration": stored["iteration"],
                "epoch": stored["epoch"],
                "lambda_max": eigenvalues[:, 0],
                "frobenius": np.linalg.norm(eigenvalues, axis=1),
                "converged": stored["converged"][:, 0],
            }
        )
        diverged = divergence(stored.attributes)
    return _Measured(
        spectrum=spectrum[np.isfinite(spectrum["frobenius"])],
        history=pd.read_csv(history_path, dtype=float).assign(run=curve.run),
        num_eigenpairs=eigenvalues.shape[1],
        diverged=diverged,
    )


def _joined(trunk: pd.DataFrame, branch: pd.DataFrame) -> pd.DataFrame:
    """The trunk before the first row of the branch, then the branch; nothing where the branch has no row."""
    first = branch["iteration"].min()  # NaN, and so above nothing, where there is none
    return pd.concat([trunk[trunk["iteration"] < first], branch])


def _curvature_lines(
    axes: Axes, norm: Axes, curve: Curve, spectrum: pd.DataFrame, colour: object, points: PlottedPoints
) -> None:
    epochs = spectrum["epoch"].to_numpy()
    for panel, column, dashes in ((axes, "lambda_max", "-"), (norm, "frobenius", "--")):
        values = spectrum[column].to_numpy()
        panel.plot(epochs, values, dashes, color=colour)
        points.add(_CURVATURE, f"{curve.label}, {column}", spectrum["run"].to_numpy(), x=epochs, y=values)
    missed = spectrum[~spectrum["converged"].to_numpy(bool)]
    mark_missed(axes, missed["epoch"].to_numpy(), missed["lambda_max"].to_numpy())


def _accuracy_lines(
    axes: Axes, curve: Curve, history: pd.DataFrame, colour: object, smoothing: int, points: PlottedPoints
) -> None:
    for name, dashes in _ACCURACIES.items():
        measured = history[np.isfinite(history[f"{name}_accuracy"])]
        x, y = running_mean(measured[["epoch", f"{name}_accuracy"]].to_numpy().T, smoothing)
        first = (len(measured) - len(x)) // 2
        axes.plot(x, 100 * y, dashes, color=colour)
        runs = measured["run"].to_numpy()[first : first + len(x)]
        points.add(_ACCURACY, f"{curve.label}, {name}_accuracy", runs, x=x, y=100 * y)


def _rate_line(axes: Axes, curve: Curve, history: pd.DataFrame, colour: object, points: PlottedPoints) -> None:
    """A row tells the rate of the epoch that ends there, so the line begins one epoch before the first."""
    rows = pd.concat([history.head(1).assign(epoch=history["epoch"].head(1) - 1), history])
    x, y = rows["epoch"].to_numpy(), rows["lr"].to_numpy()
    axes.step(x, y, where="pre", color=colour)
    points.add(_RATE, curve.label, rows["run"].to_numpy(), x=x, y=y)
