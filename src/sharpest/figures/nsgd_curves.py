"""Validation accuracy and curvature along training of NSGD and SGD, and their end points (Figs. 8, 19, 22)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sharpest.config.run_id import RunId
from sharpest.config.studies.base import SeedRuns
from sharpest.config.studies.nsgd_curves import EndPointPanel, NsgdCurves, NsgdPanel
from sharpest.figures.curvature import Tracked, curvature_lines, norm_axis, read_tracked, separate
from sharpest.figures.files import FigureFiles
from sharpest.figures.style import (
    BLUE,
    MISSED,
    PANEL_HEIGHT,
    PANEL_WIDTH,
    RED,
    PlottedPoints,
    add_foot,
    blue_to_red,
    count_line,
    divergence,
    divergence_line,
    legend_below,
    new_figure,
    run_label,
    running_mean,
    say_empty,
    styled,
)
from sharpest.measures.evaluations import EVALUATION
from sharpest.results.file import open_stored

_LEFT_OUT = 1 / 4  # of the longest run: accuracies before are left out at most
_BEST = 0  # row of an evaluation file: best validation
_TEST, _NORM = "test accuracy (%)", "Frobenius norm"


@dataclass(frozen=True)
class _EndPoint:
    """Runs that differ in their seed, at the best validation."""

    runs: str  # those that did not diverge, joined by semicolons
    means: Mapping[str, float]  # over them, by name of the axis; empty where there are none
    diverged: str  # which did, and when


@styled
def draw(study: NsgdCurves, files: FigureFiles, foot: str) -> tuple[Figure, pd.DataFrame]:
    """Draw the panels side by side, that of the end points last.

    Args:
        study: What to draw.
        files: Spectrum files, and where the study wants them histories and evaluations.
        foot: What was replaced or reduced.

    Returns:
        The figure, and its points with columns panel, series, run, x, y. The run of a mean over seeds is the ids of
        those that did not diverge, joined by semicolons.

    Source: Figs. 8, 19 and 22; inventory, Figures 8, 19 and 22.
    """
    tracked = {
        curve.run: read_tracked(curve.run, path) for curve, path in zip(study.curves(), files.spectra, strict=True)
    }
    histories = dict(zip(study.runs(), files.histories, strict="history" in study.reads))
    num_panels = len(study.panels) + (study.end_points is not None)
    figure = new_figure(num_panels * 1.3 * PANEL_WIDTH, 1.5 * PANEL_HEIGHT)
    all_axes = figure.subplots(1, num_panels, squeeze=False)[0]
    points, notes = PlottedPoints(), []
    missed: dict[str, list[NDArray[np.bool_]]] = {}
    for axes, panel in zip(all_axes, study.panels, strict=False):
        if panel.quantity == "accuracy":
            notes += _accuracy_panel(axes, study, panel, tracked, histories, points)
        else:
            missed[panel.title] = _curvature_panel(axes, study, panel, tracked, points)
            if panel.quantity == "curvature":
                notes.append(_tracked_line(panel, tracked))
    if study.end_points is not None:
        evaluations = dict(zip(study.runs(), files.evaluations, strict=True))
        notes += _end_point_panel(all_axes[-1], study.end_points, evaluations, points)
    add_foot(figure, *dict.fromkeys(notes), count_line(MISSED, missed), foot)
    return figure, points.table()


def _colours(panel: NsgdPanel) -> dict[str, object]:
    """The colour of each label."""
    graded = [line.label for line in panel.lines if line.colour is None]
    return {line.label: line.colour for line in panel.lines} | dict(zip(graded, blue_to_red(len(graded)), strict=True))


def _accuracy_panel(
    axes: Axes,
    study: NsgdCurves,
    panel: NsgdPanel,
    tracked: Mapping[str, Tracked],
    histories: Mapping[str, Path],
    points: PlottedPoints,
) -> list[str]:
    """Draw validation accuracies; returns lines for the foot."""
    axes.set(title=panel.title, xlabel="epoch", ylabel="validation accuracy (%)")
    last = np.inf if study.last_epoch is None else study.last_epoch
    accuracies = {run: _accuracies(histories[run], study.smoothing) for line in panel.lines for run in line.runs}
    longest = max(x.max(initial=0, where=x <= last) for x, _ in accuracies.values())
    first = min(study.accuracy_from, _LEFT_OUT * longest)
    colours, num_drawn = _colours(panel), dict.fromkeys((line.label for line in panel.lines), 0)
    for line in panel.lines:
        for run in line.runs:
            x, y = accuracies[run]
            drawn = (x >= first) & (x <= last)
            axes.plot(x[drawn], 100 * y[drawn], "--", color=colours[line.label])
            points.add(panel.title, line.label, run, x=x[drawn], y=100 * y[drawn])
            num_drawn[line.label] += int(drawn.sum())
    _legend(axes, panel, tracked, num_drawn)
    smoothed = f"means over {study.smoothing} epochs" if study.smoothing > 1 else ""
    since = f"from epoch {first:.3g} on" if first > 0 else ""
    return [f"Accuracies: {', '.join(filter(None, [smoothed, since]))}."] if smoothed or since else []


def _accuracies(path: Path, smoothing: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Epochs and validation accuracies (t,) of a history, smoothed."""
    history = pd.read_csv(path, dtype=float)[["epoch", "val_accuracy"]]
    epochs, accuracies = running_mean(history[np.isfinite(history["val_accuracy"])].to_numpy().T, smoothing)
    return epochs, accuracies


def _curvature_panel(
    axes: Axes, study: NsgdCurves, panel: NsgdPanel, tracked: Mapping[str, Tracked], points: PlottedPoints
) -> list[NDArray[np.bool_]]:
    """Draw largest eigenvalues, and norms where wanted; returns which of the eigenvalues (t,) missed the tolerance."""
    axes.set(title=panel.title, xlabel="epoch", ylabel="largest eigenvalue")
    norm = norm_axis(axes) if panel.quantity == "curvature" else None
    last = np.inf if study.last_epoch is None else study.last_epoch
    colours, num_drawn = _colours(panel), dict.fromkeys((line.label for line in panel.lines), 0)
    missed = []
    for line in panel.lines:
        for run in line.runs:
            table = tracked[run].table
            table = table[table["epoch"] <= last]
            curvature_lines(axes, norm, panel.title, line.label, table, colours[line.label], points)
            num_drawn[line.label] += len(table)
            missed.append(~table["converged"].to_numpy(bool))
    _legend(axes, panel, tracked, num_drawn)
    if norm is not None:
        separate(axes)
        if not any(num_drawn.values()):
            norm.set_axis_off()
    return missed


def _tracked_line(panel: NsgdPanel, tracked: Mapping[str, Tracked]) -> str:
    """The foot line that says what the norms along training are of."""
    counts = sorted({tracked[run].num_eigenpairs for line in panel.lines for run in line.runs})
    return f"Frobenius norm along training: of the {' or '.join(map(str, counts))} tracked eigenvalues."


def _legend(axes: Axes, panel: NsgdPanel, tracked: Mapping[str, Tracked], num_drawn: Mapping[str, int]) -> None:
    """Name the lines below the panel, and what happened to their runs; ``num_drawn`` points are drawn by label."""
    if not any(num_drawn.values()):
        say_empty(axes)
    handles, colours = [], _colours(panel)
    for line in panel.lines:
        diverged = _of_seeds(line, {run: tracked[run].diverged for run in line.runs})
        label = run_label(line.label, diverged, empty=not num_drawn[line.label])
        handles += axes.plot([], [], color=colours[line.label], label=label)
    legend_below(axes, handles=handles, most_columns=4)


def _of_seeds(group: SeedRuns, diverged: Mapping[str, str]) -> str:
    """Which runs of a group diverged, and when; the seeds are named where there are several."""
    several = len(group.runs) > 1
    return ", ".join(
        f"seed {RunId.parse(run).seed} {diverged[run]}" if several else diverged[run]
        for run in group.runs
        if diverged[run]
    )


def _end_point_panel(
    axes: Axes, panel: EndPointPanel, evaluations: Mapping[str, Path], points: PlottedPoints
) -> list[str]:
    """Draw means over seeds on two axes; returns lines for the foot."""
    norm = axes.twinx()
    norm.spines.right.set_visible(True)
    axes.set(title=panel.title, xlabel=panel.xlabel)
    ends = {group.label: _end_point(group, evaluations) for group in (*panel.points, panel.baseline)}
    shown = [(point.x, ends[point.label]) for point in panel.points if ends[point.label].runs]
    x, runs = [place for place, _ in shown], np.array([end.runs for _, end in shown])
    baseline = ends[panel.baseline.label]
    handles = []
    for name, place, colour, marker, dashes in ((_TEST, axes, RED, "o", "--"), (_NORM, norm, BLUE, "s", "-")):
        place.set_ylabel(name, color=colour)
        y = [end.means[name] for _, end in shown]
        handles += place.plot(x, y, color=colour, marker=marker, markersize=4, label=name)
        points.add(panel.title, name, runs, x=x, y=y)
        if shown and baseline.runs:
            edges, level = [min(x), max(x)], [baseline.means[name]] * 2
            handles += place.plot(edges, level, dashes, color=colour, label=f"{name}, {panel.baseline.label}")
            points.add(panel.title, f"{name}, {panel.baseline.label}", baseline.runs, x=edges, y=level)
    if not shown:
        say_empty(axes)
        norm.set_axis_off()
    legend_below(axes, handles=handles, ncols=2)
    diverged = {label: end.diverged for label, end in ends.items()}
    return [f"{panel.title}: at the best validation, means over seeds.", divergence_line(diverged)]


def _end_point(group: SeedRuns, evaluations: Mapping[str, Path]) -> _EndPoint:
    values, diverged = {}, {}
    for run in group.runs:
        with open_stored(evaluations[run], EVALUATION) as file:
            diverged[run] = divergence(file.attributes)
            if not diverged[run]:
                values[run] = {_TEST: 100 * file["test_accuracy"][_BEST], _NORM: file["frobenius"][_BEST]}
    means = {name: float(np.mean([of_run[name] for of_run in values.values()])) for name in (_TEST, _NORM) if values}
    return _EndPoint(";".join(values), means, _of_seeds(group, diverged))
