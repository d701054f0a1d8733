"""Validation accuracy and curvature along training of NSGD and SGD, and their end points (Figs. 8, 19, 22)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sharpest.config.studies.base import SeedRuns
from sharpest.config.studies.nsgd_curves import EndPointPanel, NsgdCurves, NsgdLine, NsgdPanel
from sharpest.figures.along import OF_SEEDS, curvature_lines, norm_axis, separate, tracked
from sharpest.figures.canvas import Canvas, Panel, drawing
from sharpest.figures.inputs import FigureInputs
from sharpest.figures.over_seeds import OfSeed, mean_over_seeds, name_diverged, seeds_line
from sharpest.figures.style import BLUE, RED, divergence_line, ordered_colours
from sharpest.measures.evaluations import Evaluations
from sharpest.measures.spectra import Spectra

_LEFT_OUT = 1 / 4  # at most this fraction of the longest run is left out at the start of the accuracies
_PARTS = ("x", "y", "deviation")  # attributes of a mean
_TEST, _NORM = "test accuracy (%)", "Frobenius norm"

_Tracked = Mapping[str, Mapping[str, OfSeed]]  # run -> column -> its points


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


@drawing
def draw(canvas: Canvas, study: NsgdCurves, inputs: FigureInputs) -> None:
    """Draw the panels side by side, with the end points last.

    Source: Figs. 8, 19 and 22; inventory, Figures 8, 19 and 22.
    """
    end = study.end_points
    canvas.lay_out(1, len(study.panels) + (end is not None), 1.3, 1.5)
    spectra = {curve.run: inputs.read(Spectra, curve) for curve in study.curves()}
    points = {run: tracked(each) for run, each in spectra.items()}
    panels = [canvas.panel(panel.title, xlabel="epoch") for panel in study.panels]
    end_panel = None if end is None else canvas.panel(end.title, xlabel=end.xlabel)
    for panel, drawn in zip(study.panels, panels, strict=True):
        if panel.quantity == "accuracy":
            _accuracies(drawn, study, panel, points, inputs)
        else:
            _curvature(drawn, study, panel, points)
            if panel.quantity == "curvature":
                counts = sorted({spectra[run].eigenvalues.shape[1] for line in panel.lines for run in line.runs})
                number = " or ".join(map(str, counts))
                canvas.note(f"Frobenius norm along training: of the {number} tracked eigenvalues.")
    if end is not None and end_panel is not None:
        _end_points(end_panel, study.ends, end, inputs)
    norms = any(panel.quantity == "curvature" for panel in study.panels)
    num_seeds = [len(line.runs) for panel in study.panels for line in panel.lines]
    canvas.averages.append(seeds_line(num_seeds, rest=OF_SEEDS) if norms else seeds_line(num_seeds))


def _coloured(panel: NsgdPanel) -> list[tuple[NsgdLine, object]]:
    """Each line with its colour."""
    graded = iter(ordered_colours(sum(line.colour is None for line in panel.lines)))
    return [(line, line.colour or next(graded)) for line in panel.lines]


def _accuracies(drawn: Panel, study: NsgdCurves, panel: NsgdPanel, points: _Tracked, inputs: FigureInputs) -> None:
    """Draw validation accuracies, and note which."""
    drawn.axes.set_ylabel("validation accuracy (%)")
    last = np.inf if study.last_epoch is None else study.last_epoch
    seeds = {}
    for run in (run for line in panel.lines for run in line.runs):
        table = inputs[run].history[["epoch", "val_accuracy"]]
        epoch, accuracy = table[np.isfinite(table["val_accuracy"])].to_numpy().T
        seeds[run] = OfSeed(run, epoch, accuracy, points[run]["lambda_max"].diverged).smoothed(study.smoothing)
    longest = max(each.x.max(initial=0, where=each.x <= last) for each in seeds.values())
    first = min(study.accuracy_from, _LEFT_OUT * longest)
    for line, colour in _coloured(panel):
        lines = [each.at((each.x >= first) & (each.x <= last)) for each in map(seeds.__getitem__, line.runs)]
        in_per_cent = [replace(each, y=100 * each.y) for each in lines]
        drawn.line(line.label, in_per_cent, linestyle="--", color=colour)
        drawn.entry(line.label, _diverged(lines), not any(len(each.x) for each in lines), linestyle="--", color=colour)
    drawn.legend(most_columns=4)
    smoothed = f"moving averages over {study.smoothing} epochs" if study.smoothing > 1 else ""
    since = f"from epoch {first:.3g} on" if first > 0 else ""
    drawn.canvas.note(f"Accuracies: {', '.join(filter(None, [smoothed, since]))}." if smoothed or since else "")


def _diverged(seeds: Sequence[OfSeed]) -> dict[str, str]:
    return {str(each.run): each.diverged for each in seeds}


def _curvature(drawn: Panel, study: NsgdCurves, panel: NsgdPanel, points: _Tracked) -> None:
    """Draw eigenvalues, and norms if the panel shows them."""
    drawn.axes.set_ylabel("largest eigenvalue")
    norm = norm_axis(drawn) if panel.quantity == "curvature" else None
    last = np.inf if study.last_epoch is None else study.last_epoch
    for line, colour in _coloured(panel):
        seeds = [{name: each.at(each.x <= last) for name, each in points[run].items()} for run in line.runs]
        curvature_lines(drawn, norm, line.label, seeds, colour, panel.title)
        lines = [each["lambda_max"] for each in seeds]
        drawn.entry(line.label, _diverged(lines), not any(len(each.x) for each in lines), color=colour)
    drawn.legend(most_columns=4)
    if norm is not None:
        separate(drawn)


def _end_points(drawn: Panel, schedule: str, panel: EndPointPanel, inputs: FigureInputs) -> None:
    """Draw the end points on two y axes, and note what they are."""
    ends = {group.label: _read_ends(group, schedule, inputs) for group in (*panel.points, panel.baseline)}
    shown = [point for point in panel.points if any(not end.diverged for end in ends[point.label])]
    baseline, handles = ends[panel.baseline.label], []
    for name, y_axis, colour, marker, dashes in (
        (_TEST, drawn, RED, "o", "--"), (_NORM, drawn.second(), BLUE, "s", "-")
    ):  # fmt: skip
        y_axis.axes.set_ylabel(name, color=colour)
        groups = [[end.at(name, point.x) for end in ends[point.label]] for point in shown]
        handles.append(_end_point_line(y_axis, name, groups, color=colour, marker=marker))
        if shown and not all(end.diverged for end in baseline):
            edges = min(point.x for point in shown), max(point.x for point in shown)
            level, label = [end.at(name, *edges) for end in baseline], f"{name}, {panel.baseline.label}"
            handles.append(y_axis.line(label, level, linestyle=dashes, color=colour, label=label))
    drawn.legend(handles=handles, ncols=2)
    spread = "; bars: one standard deviation; small: single seeds" if max(map(len, ends.values())) > 1 else ""
    drawn.canvas.note(
        f"{panel.title}: at the best validation accuracy, means over seeds{spread}.",
        divergence_line(
            {label: name_diverged({end.run: end.diverged for end in group}) for label, group in ends.items()}
        ),
    )


def _read_ends(group: SeedRuns, schedule: str, inputs: FigureInputs) -> list[_EndPoint]:
    read = [inputs[run].read(Evaluations, schedule) for run in group.runs]
    return [
        _EndPoint(run, {_TEST: 100 * each.best("test_accuracy"), _NORM: each.best("frobenius")}, each.divergence)
        for run, each in zip(group.runs, read, strict=True)
    ]


def _end_point_line(panel: Panel, name: str, groups: Sequence[Sequence[OfSeed]], **line: Any) -> Any:
    """Draw the mean of each group, its standard deviation as a bar, and its seeds; return the line of the means."""
    means = [mean_over_seeds(group) for group in groups]
    x, y, deviation = (np.array([value for mean in means for value in getattr(mean, part)]) for part in _PARTS)
    several = [group for group in groups if len(group) > 1]
    for each in (each for group in several for each in group):
        panel.axes.plot(each.x, each.y, linestyle="", markersize=2.5, markeredgewidth=0, alpha=0.5, **line)
        panel.record(name, each.run, x=each.x, y=each.y)
    if several:
        panel.axes.errorbar(x, y, deviation, fmt="none", color=line["color"], elinewidth=0.7, capsize=2)
    (handle,) = panel.axes.plot(x, y, markersize=4, label=name, **line)
    runs = [mean.runs[0] if len(group) > 1 else group[0].run for mean, group in zip(means, groups, strict=True)]
    panel.record(name, np.array(runs, dtype=object), x=x, y=y, **{"deviation": deviation} if several else {})
    return handle
