"""Validation accuracy and curvature along training of NSGD and SGD, and their end points (Figs. 8, 19, 22)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from sharpest.config.studies.base import SeedRuns
from sharpest.config.studies.nsgd_curves import EndPointPanel, NsgdCurves, NsgdPanel
from sharpest.figures.curvature import OF_SEEDS, Tracked, curvature_lines, norm_axis, read_tracked, separate
from sharpest.figures.inputs import FigureInputs
from sharpest.figures.over_seeds import OfSeed, draw_over_seeds, mean_over_seeds, name_diverged, seeds_line
from sharpest.figures.style import (
    BLUE,
    MISSED,
    PANEL_HEIGHT,
    PANEL_WIDTH,
    RED,
    NotedFigure,
    PlottedPoints,
    count_line,
    divergence_line,
    legend_below,
    ordered_colours,
    run_label,
    running_mean,
    say_empty,
    styled,
)
from sharpest.measures.evaluations.reader import Evaluations

_LEFT_OUT = 1 / 4  # at most this fraction of the longest run is left out at the start of the accuracies
_PARTS = ("x", "y", "deviation")  # attributes of a mean
_TEST, _NORM = "test accuracy (%)", "Frobenius norm"


@dataclass(frozen=True)
class _EndPoint:
    """One run at its best validation accuracy."""

    run: str
    values: Mapping[str, float]  # name of the axis -> value
    diverged: str

    def at(self, name: str, *x: float) -> OfSeed:
        """Points with a value at one or more x; no points if the run diverged."""
        drawn = np.array([] if self.diverged else x, dtype=float)
        return OfSeed(self.run, drawn, np.full(len(drawn), self.values[name]), self.diverged)


@styled
def draw(study: NsgdCurves, inputs: FigureInputs, foot: str) -> tuple[NotedFigure, pd.DataFrame]:
    """Draw the panels side by side, with the end points last.

    Args:
        study: The study to draw.
        inputs: Spectra, and histories and evaluations if the study reads them.
        foot: What was replaced or reduced.

    Returns:
        The figure, and its points with columns panel, series, run, x, y.

    Source: Figs. 8, 19 and 22; inventory, Figures 8, 19 and 22.
    """
    tracked = {curve.run: read_tracked(inputs, curve) for curve in study.curves()}
    num_panels = len(study.panels) + (study.end_points is not None)
    figure = NotedFigure(num_panels * 1.3 * PANEL_WIDTH, 1.5 * PANEL_HEIGHT)
    all_axes = figure.subplots(1, num_panels, squeeze=False)[0]
    points, notes = PlottedPoints(), []
    missed: dict[str, list[NDArray[np.bool_]]] = {}
    for axes, panel in zip(all_axes, study.panels, strict=False):
        if panel.quantity == "accuracy":
            notes += _accuracy_panel(axes, study, panel, tracked, inputs, points)
        else:
            missed[panel.title] = _curvature_panel(axes, study, panel, tracked, points)
            if panel.quantity == "curvature":
                notes.append(_tracked_line(panel, tracked))
    if study.end_points is not None:
        notes += _end_point_panel(all_axes[-1], study, study.end_points, inputs, points)
    counts = [len(line.runs) for panel in study.panels for line in panel.lines]
    norms = any(panel.quantity == "curvature" for panel in study.panels)
    over_seeds = seeds_line(counts, rest=OF_SEEDS) if norms else seeds_line(counts)
    figure.note(*dict.fromkeys(notes), count_line(MISSED, missed), over_seeds, foot)
    return figure, points.table()


def _colours(panel: NsgdPanel) -> dict[str, object]:
    """The colour of each label."""
    graded = [line.label for line in panel.lines if line.colour is None]
    return {line.label: line.colour for line in panel.lines} | dict(
        zip(graded, ordered_colours(len(graded)), strict=True)
    )


def _accuracy_panel(
    axes: Axes,
    study: NsgdCurves,
    panel: NsgdPanel,
    tracked: Mapping[str, Tracked],
    inputs: FigureInputs,
    points: PlottedPoints,
) -> list[str]:
    """Draw validation accuracies; return sentences for the notes."""
    axes.set(title=panel.title, xlabel="epoch", ylabel="validation accuracy (%)")
    last = np.inf if study.last_epoch is None else study.last_epoch
    accuracies = {run: _accuracies(inputs[run].history, study.smoothing) for line in panel.lines for run in line.runs}
    longest = max(x.max(initial=0, where=x <= last) for x, _ in accuracies.values())
    first = min(study.accuracy_from, _LEFT_OUT * longest)
    colours, num_drawn = _colours(panel), {}
    for line in panel.lines:
        seeds = []
        for run in line.runs:
            x, y = accuracies[run]
            drawn = (x >= first) & (x <= last)
            seeds.append(OfSeed(run, x[drawn], 100 * y[drawn], tracked[run].diverged))
        draw_over_seeds(axes, panel.title, line.label, seeds, points, linestyle="--", color=colours[line.label])
        num_drawn[line.label] = sum(len(each.x) for each in seeds)
    _legend(axes, panel, tracked, num_drawn)
    smoothed = f"moving averages over {study.smoothing} epochs" if study.smoothing > 1 else ""
    since = f"from epoch {first:.3g} on" if first > 0 else ""
    return [f"Accuracies: {', '.join(filter(None, [smoothed, since]))}."] if smoothed or since else []


def _accuracies(history: pd.DataFrame, smoothing: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Epochs and validation accuracies (t,) of a history, smoothed."""
    history = history[["epoch", "val_accuracy"]]
    epochs, accuracies = running_mean(history[np.isfinite(history["val_accuracy"])].to_numpy().T, smoothing)
    return epochs, accuracies


def _curvature_panel(
    axes: Axes, study: NsgdCurves, panel: NsgdPanel, tracked: Mapping[str, Tracked], points: PlottedPoints
) -> list[NDArray[np.bool_]]:
    """Draw eigenvalues, and norms if the panel shows them; return which eigenvalues (t,) missed the tolerance."""
    axes.set(title=panel.title, xlabel="epoch", ylabel="largest eigenvalue")
    norm = norm_axis(axes) if panel.quantity == "curvature" else None
    last = np.inf if study.last_epoch is None else study.last_epoch
    colours, num_drawn, missed = _colours(panel), {}, []
    for line in panel.lines:
        seeds = [tracked[run].until(last) for run in line.runs]
        curvature_lines(axes, norm, panel.title, line.label, seeds, colours[line.label], points)
        num_drawn[line.label] = sum(len(each.table) for each in seeds)
        missed += [each.missed for each in seeds]
    _legend(axes, panel, tracked, num_drawn)
    if norm is not None:
        separate(axes)
        if not any(num_drawn.values()):
            norm.set_axis_off()
    return missed


def _tracked_line(panel: NsgdPanel, tracked: Mapping[str, Tracked]) -> str:
    """The note on how many eigenvalues the norms along training are computed from."""
    counts = sorted({tracked[run].num_eigenpairs for line in panel.lines for run in line.runs})
    return f"Frobenius norm along training: of the {' or '.join(map(str, counts))} tracked eigenvalues."


def _legend(axes: Axes, panel: NsgdPanel, tracked: Mapping[str, Tracked], num_drawn: Mapping[str, int]) -> None:
    """Draw the legend, which names diverged and empty runs; ``num_drawn`` maps labels to numbers of points drawn."""
    if not any(num_drawn.values()):
        say_empty(axes)
    handles, colours, dashes = [], _colours(panel), "--" if panel.quantity == "accuracy" else "-"
    for line in panel.lines:
        diverged = name_diverged({run: tracked[run].diverged for run in line.runs})
        label = run_label(line.label, diverged, empty=not num_drawn[line.label])
        handles += axes.plot([], [], linestyle=dashes, color=colours[line.label], label=label)
    legend_below(axes, handles=handles, most_columns=4)


def _end_point_panel(
    axes: Axes, study: NsgdCurves, panel: EndPointPanel, inputs: FigureInputs, points: PlottedPoints
) -> list[str]:
    """Draw the end points on two y axes; return sentences for the notes."""
    norm = axes.twinx()
    norm.spines.right.set_visible(True)
    axes.set(title=panel.title, xlabel=panel.xlabel)
    ends = {group.label: _read_ends(group, study.ends, inputs) for group in (*panel.points, panel.baseline)}
    shown = [point for point in panel.points if any(not end.diverged for end in ends[point.label])]
    baseline = ends[panel.baseline.label]
    handles = []
    for name, y_axis, colour, marker, dashes in ((_TEST, axes, RED, "o", "--"), (_NORM, norm, BLUE, "s", "-")):
        y_axis.set_ylabel(name, color=colour)
        groups = [[end.at(name, point.x) for end in ends[point.label]] for point in shown]
        handles.append(_end_point_line(y_axis, panel.title, name, groups, points, color=colour, marker=marker))
        if shown and not all(end.diverged for end in baseline):
            edges = min(point.x for point in shown), max(point.x for point in shown)
            level, label = [end.at(name, *edges) for end in baseline], f"{name}, {panel.baseline.label}"
            handles.append(draw_over_seeds(y_axis, panel.title, label, level, points,
                                           linestyle=dashes, color=colour, label=label))  # fmt: skip
    if not shown:
        say_empty(axes)
        norm.set_axis_off()
    legend_below(axes, handles=handles, ncols=2)
    diverged = {label: name_diverged({end.run: end.diverged for end in group}) for label, group in ends.items()}
    spread = "; bars: one standard deviation; small: single seeds" if max(map(len, ends.values())) > 1 else ""
    return [f"{panel.title}: at the best validation accuracy, means over seeds{spread}.", divergence_line(diverged)]


def _read_ends(group: SeedRuns, schedule: str, inputs: FigureInputs) -> list[_EndPoint]:
    read = [inputs[run].read(Evaluations, schedule) for run in group.runs]
    return [
        _EndPoint(run, {_TEST: 100 * each.best("test_accuracy"), _NORM: each.best("frobenius")}, each.divergence)
        for run, each in zip(group.runs, read, strict=True)
    ]


def _end_point_line(
    axes: Axes, panel: str, name: str, groups: Sequence[Sequence[OfSeed]], points: PlottedPoints, **line: Any
) -> Any:
    """Draw the mean of each group, its standard deviation as a bar, and its seeds; return the line of the means."""
    means = [mean_over_seeds(group) for group in groups]
    x, y, deviation = (np.array([value for mean in means for value in getattr(mean, part)]) for part in _PARTS)
    several = [group for group in groups if len(group) > 1]
    for each in (each for group in several for each in group):
        axes.plot(each.x, each.y, linestyle="", markersize=2.5, markeredgewidth=0, alpha=0.5, **line)
        points.add(panel, name, each.run, x=each.x, y=each.y)
    if several:
        axes.errorbar(x, y, deviation, fmt="none", color=line["color"], elinewidth=0.7, capsize=2)
    (handle,) = axes.plot(x, y, markersize=4, label=name, **line)
    runs = [mean.runs[0] if len(group) > 1 else group[0].run for mean, group in zip(means, groups, strict=True)]
    points.add(panel, name, np.array(runs, dtype=object), x=x, y=y, **{"deviation": deviation} if several else {})
    return handle
