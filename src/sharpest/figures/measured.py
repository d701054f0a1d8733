"""Any stored column of any measure along training, with reference lines."""

from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sharpest.config.studies.base import Curve
from sharpest.config.studies.measured import MeasuredCurves, MeasuredPanel, over_lr, reference_value
from sharpest.figures.inputs import FigureInputs
from sharpest.figures.over_seeds import OfSeed, draw_over_seeds, name_diverged, seeds_line
from sharpest.figures.style import (
    BLUE,
    GREEN,
    GREY,
    OTHERS,
    PANEL_HEIGHT,
    PANEL_WIDTH,
    RED,
    PlottedPoints,
    add_foot,
    count_line,
    legend_below,
    new_figure,
    run_label,
    say_empty,
    styled,
)
from sharpest.results.stored import Measured

_COLOURS = (RED, GREEN, BLUE, *OTHERS)
_DASHES = ("--", ":", "-.")  # of reference lines, by their place
_MOST_COLUMNS = 3
_XLABELS = {"epoch": "epoch", "iteration": "iteration", "iteration x lr": "iteration × learning rate"}
_MISSED = "Open circles: residual above the solver's tolerance"
_LEFT_OUT = "Not drawn on a logarithmic axis: values at or below zero"


@dataclass(frozen=True, eq=False)
class _Line:
    """One curve with its seeds."""

    curve: Curve
    colour: str
    lr: float
    seeds: list[OfSeed]
    left_out: list[NDArray[np.bool_]]  # of each seed (t,), no place on a logarithmic axis
    missed: list[NDArray[np.bool_]]  # of what is drawn of each seed, above the solver's tolerance

    @property
    def is_empty(self) -> bool:
        """Whether nothing of it is drawn."""
        return all(left_out.all() for left_out in self.left_out)

    def ends(self) -> tuple[float, float]:
        """The lowest and the highest x of all seeds."""
        x = np.concatenate([each.x for each in self.seeds])
        return x.min(), x.max()


@styled
def draw(study: MeasuredCurves, inputs: FigureInputs, foot: str) -> tuple[Figure, pd.DataFrame]:
    """Draw one panel beside the other, at most three in a row.

    Args:
        study: What to draw.
        inputs: What the measures of the study took.
        foot: What was replaced or reduced.

    Returns:
        The figure, and its points with columns panel, series, run, x, y, and error where the study has a band: half of
        its height, which is drawn where a curve has one seed. The series of a reference line is its text, and its run
        is empty where it holds for all runs.
    """
    num_rows = -(-len(study.panels) // _MOST_COLUMNS)
    num_columns = -(-len(study.panels) // num_rows)
    figure = new_figure(num_columns * 1.25 * PANEL_WIDTH, num_rows * 1.25 * PANEL_HEIGHT)
    points, missed, left_out = PlottedPoints(), {}, {}
    for number, panel in enumerate(study.panels, start=1):
        lines = [_read(panel, curve, colour, inputs) for curve, colour in zip(panel.curves, cycle(_COLOURS))]
        _panel(figure.add_subplot(num_rows, num_columns, number), panel, lines, points)
        left_out[panel.title] = [flags for line in lines for flags in line.left_out]
        missed[panel.title] = [flags for line in lines for flags in line.missed]
    over_seeds = seeds_line(len(curve.by_seed()) for curve in study.curves())
    add_foot(figure, count_line(_LEFT_OUT, left_out), count_line(_MISSED, missed), over_seeds, foot)
    with_error = any(panel.error for panel in study.panels)
    return figure, points.table(("x", "y", "error") if with_error else ("x", "y"))


def _read(panel: MeasuredPanel, curve: Curve, colour: str, inputs: FigureInputs) -> _Line:
    measured = [inputs.measured(panel.measure, each) for each in curve.by_seed()]
    seeds = [_of_seed(panel, each) for each in measured]
    left_out = [each.y <= 0 if panel.scale == "log" else np.zeros(len(each.y), dtype=bool) for each in seeds]
    drawn = [each.at(~flags) for each, flags in zip(seeds, left_out, strict=True)]
    missed = [each.missed for each in drawn if each.missed is not None]
    return _Line(curve, colour, measured[0].lr, seeds, left_out, missed)


def _of_seed(panel: MeasuredPanel, measured: Measured) -> OfSeed:
    """What is finite."""
    place: tuple[Any, ...] = (slice(None), *panel.index)
    factor = measured.lr if panel.factor == "lr" else 1.0
    x = measured["epoch" if panel.x == "epoch" else "iteration"] * (measured.lr if panel.x == "iteration x lr" else 1.0)
    y = factor * measured[panel.column][place]
    error = factor * measured[panel.error][place] if panel.error else None
    missed = ~measured["converged"][place] if panel.marks_missed() else np.zeros(len(y), dtype=bool)
    return OfSeed(measured.run, x, y, measured.divergence, missed, error).at(np.isfinite(y))


def _panel(axes: Axes, panel: MeasuredPanel, lines: list[_Line], points: PlottedPoints) -> None:
    axes.set(title=panel.title, xlabel=_XLABELS[panel.x], ylabel=panel.ylabel or _name(panel), yscale=panel.scale)
    for line in lines:
        # a line through one point is not seen
        longest = max(int((~left_out).sum()) for left_out in line.left_out)
        draw_over_seeds(axes, panel.title, line.curve.label, line.seeds, points, color=line.colour,
                        marker="o" if longest == 1 else "", markersize=3)  # fmt: skip
    shown = [line for line in lines if not line.is_empty]
    handles = []
    for line in lines:
        diverged = name_diverged({str(each.run): each.diverged for each in line.seeds})
        handles += axes.plot([], [], color=line.colour, label=run_label(line.curve.label, diverged, line.is_empty))
    if not shown:
        say_empty(axes)
    else:
        ends = [min(line.ends()[0] for line in shown), max(line.ends()[1] for line in shown)]
        for text, dashes in zip(panel.references, cycle(_DASHES)):
            _reference(axes, panel, text, dashes, ends, shown, points)
            handles += axes.plot([], [], dashes, color=GREY, label=text)
    legend_below(axes, handles=handles, most_columns=3)


def _reference(
    axes: Axes,
    panel: MeasuredPanel,
    text: str,
    dashes: str,
    ends: list[float],
    lines: list[_Line],
    points: PlottedPoints,
) -> None:
    """A horizontal line for all runs, or one for each in its colour."""
    heights = [(reference_value(text, line.lr), line.colour, line.curve.run) for line in lines]
    for height, colour, run in heights if over_lr(text) else [(heights[0][0], GREY, "")]:
        axes.plot(ends, [height, height], dashes, color=colour, linewidth=0.7, zorder=1.5)
        points.add(panel.title, text, run, x=ends, y=height)


def _name(panel: MeasuredPanel) -> str:
    """The column as a reader knows it, ``eigenvalues[0] (nats)`` or ``lr × eigenvalues[0]``."""
    place = f"[{', '.join(map(str, panel.index))}]" if panel.index else ""
    if panel.factor == "lr":
        return f"lr × {panel.column}{place}"
    unit = panel.unit()
    return f"{panel.column}{place} ({unit})" if unit else f"{panel.column}{place}"
