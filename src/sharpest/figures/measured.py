"""Any stored column of a measure, along training or by batch size, with reference lines."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from sharpest.config.studies.measured import MeasuredCurve, MeasuredCurves, MeasuredPanel, over_lr, reference_value
from sharpest.figures.inputs import FigureInputs
from sharpest.figures.over_seeds import OfSeed, draw_over_seeds, joined, name_diverged, seeds_line
from sharpest.figures.style import (
    GREY,
    PANEL_HEIGHT,
    PANEL_WIDTH,
    NotedFigure,
    PlottedPoints,
    count_line,
    divergence_line,
    legend_below,
    looks,
    make_room_for_legends,
    run_label,
    say_empty,
    styled,
)
from sharpest.results.edges import edge_of
from sharpest.results.stored import Measured

_DASHES = ("--", ":", "-.")  # of reference lines, in order
_MOST_COLUMNS = 3
_BATCH_SIZE = "batch size"
_XLABELS = {
    "epoch": "epoch",
    "iteration": "iteration",
    "iteration x lr": "iteration × learning rate",
    _BATCH_SIZE: _BATCH_SIZE,
}
_NAMES = {"1": "{}", "lr": "lr × {}", "lr/2": "lr/2 × {}", "1/edge": "{} / edge"}
_MISSED = "Open circles: residual above the solver's tolerance"
_LEFT_OUT = "Not drawn on a logarithmic axis: values at or below zero"
_PLATEAUS = "By batch size: means over the last half of the points of each run, with one standard deviation."


@dataclass(frozen=True, eq=False)
class _Line:
    """One curve with its seeds.

    Attributes:
        label, colour, style: Appearance of the curve.
        run: The first run of the curve.
        lrs: Learning rates (n,): one along training, that of each run by batch size.
        seeds: The finite points of each seed.
        log: Whether the y axis is logarithmic.
        sizes: Batch sizes of the runs (n,); None along training.
        diverged: Runs that diverged -> when, as text.
    """

    label: str
    colour: str
    style: Any
    run: str
    lrs: NDArray[np.float64]
    seeds: list[OfSeed]
    log: bool
    sizes: NDArray[np.int64] | None
    diverged: Mapping[str, str]

    @property
    def left_out(self) -> list[NDArray[np.bool_]]:
        """Which points of each seed (t,) cannot be drawn on a logarithmic axis."""
        return [each.y <= 0 if self.log else np.zeros(len(each.y), dtype=bool) for each in self.seeds]

    @property
    def missed(self) -> list[NDArray[np.bool_]]:
        """Which of the drawn points of each seed missed the solver's tolerance."""
        drawn = [each.at(~flags) for each, flags in zip(self.seeds, self.left_out, strict=True)]
        return [each.missed for each in drawn if each.missed is not None]

    @property
    def names_divergence(self) -> bool:
        """Whether the legend says which run diverged; it is too short for several, and by batch size for any."""
        return self.sizes is None and len(self.diverged) == 1

    @property
    def is_empty(self) -> bool:
        """Whether the curve has no point to draw."""
        return all(left_out.all() for left_out in self.left_out)

    def ends(self) -> tuple[float, float]:
        """The lowest and the highest x of all seeds."""
        x = np.concatenate([each.x for each in self.seeds])
        return x.min(), x.max()


@styled
def draw(study: MeasuredCurves, inputs: FigureInputs, foot: str) -> tuple[NotedFigure, pd.DataFrame]:
    """Draw the panels side by side, at most three in a row.

    Args:
        study: The study to draw.
        inputs: The measurements of the study.
        foot: What was replaced or reduced.

    Returns:
        The figure, and its points with columns panel, series, run, x, y, and, if the study has a band, error: half the
        height of the band, which is drawn for curves with one seed. The series of a reference line is its text, and its
        run is empty if it holds for all runs.
    """
    num_rows = -(-len(study.panels) // _MOST_COLUMNS)
    num_columns = -(-len(study.panels) // num_rows)
    figure = NotedFigure(num_columns * 1.25 * PANEL_WIDTH, num_rows * 1.25 * PANEL_HEIGHT)
    points, lines = PlottedPoints(), {}
    for number, panel in enumerate(study.panels, start=1):
        lines[panel.title] = _lines(panel, inputs)
        _panel(figure.add_subplot(num_rows, num_columns, number), panel, lines[panel.title], points)
    make_room_for_legends(figure, num_rows, _MOST_COLUMNS)
    all_lines = [line for group in lines.values() for line in group]
    figure.note(
        count_line(_LEFT_OUT, {title: [x for line in group for x in line.left_out] for title, group in lines.items()}),
        count_line(_MISSED, {title: [x for line in group for x in line.missed] for title, group in lines.items()}),
        _PLATEAUS if any(panel.x == _BATCH_SIZE for panel in study.panels) else "",
        divergence_line(
            {run: text for line in all_lines if not line.names_divergence for run, text in line.diverged.items()}
        ),
        seeds_line(len(curve.by_seed()) for curve in study.curves()),
        foot,
    )
    with_error = any(each.error is not None for line in all_lines for each in line.seeds)
    return figure, points.table(("x", "y", "error") if with_error else ("x", "y"))


def _lines(panel: MeasuredPanel, inputs: FigureInputs) -> list[_Line]:
    """The lines of a panel: one per curve, or by batch size one per label."""
    groups: dict[Any, list[MeasuredCurve]] = {}
    for place, curve in enumerate(panel.curves):
        groups.setdefault(curve.label if panel.x == _BATCH_SIZE else place, []).append(curve)
    read = _plateaus if panel.x == _BATCH_SIZE else _along
    return [read(panel, curves, look, inputs) for curves, look in zip(groups.values(), looks(), strict=False)]


def _along(panel: MeasuredPanel, curves: list[MeasuredCurve], look: tuple[str, Any], inputs: FigureInputs) -> _Line:
    """One curve along training."""
    (curve,) = curves
    measured = _measured(panel, curve, inputs)
    seeds = [_of_seed(panel, curve, each) for each in measured]
    diverged = {str(each.run): each.diverged for each in seeds if each.diverged}
    lrs = np.array([measured[0].lr])
    return _Line(curve.label, *look, curve.run, lrs, seeds, panel.scale == "log", None, diverged)


def _plateaus(panel: MeasuredPanel, curves: list[MeasuredCurve], look: tuple[str, Any], inputs: FigureInputs) -> _Line:
    """One line through all runs of a label, one point per run."""
    runs = [(curve, _measured(panel, curve, inputs)) for curve in curves]
    runs.sort(key=lambda run: _batch_size(run[1][0]))
    points = [[_plateau(_of_seed(panel, curve, each), _batch_size(each)) for each in seeds] for curve, seeds in runs]
    sizes, lrs = zip(*((_batch_size(seeds[0]), seeds[0].lr) for _, seeds in runs), strict=True)
    return _Line(
        curves[0].label,
        *look,
        runs[0][0].run,
        np.array(lrs),
        joined(points),
        panel.scale == "log",
        np.array(sizes),
        {each.run: each.divergence for _, seeds in runs for each in seeds if each.divergence},
    )


def _measured(panel: MeasuredPanel, curve: MeasuredCurve, inputs: FigureInputs) -> list[Measured]:
    return [inputs.measured(panel.drawn(curve).measure, each) for each in curve.by_seed()]


def _batch_size(measured: Measured) -> int:
    return int(measured.attributes["config"]["run"]["batch_size"])


def _plateau(seed: OfSeed, batch_size: int) -> OfSeed:
    """The mean over the last half of the points as a single point; no point if the run diverged."""
    late = seed.at(np.arange(len(seed.x) // 2, len(seed.x)))
    count = 0 if seed.diverged else len(late.x)
    deviation = late.y.std(ddof=1) if count > 1 else np.nan
    missed = None if late.missed is None else np.array([late.missed.any()] * bool(count), dtype=bool)
    y = np.array([late.y.mean()] if count else [], dtype=float)
    return OfSeed(seed.run, np.full(len(y), batch_size), y, missed=missed, error=np.full(len(y), deviation))


def _of_seed(panel: MeasuredPanel, curve: MeasuredCurve, measured: Measured) -> OfSeed:
    """The finite points of one seed."""
    drawn = panel.drawn(curve)
    rows: tuple[Any, ...] = (slice(None), *drawn.index)
    factor = _factor(panel, measured)
    x = measured["epoch" if panel.x == "epoch" else "iteration"] * (measured.lr if panel.x == "iteration x lr" else 1.0)
    y = factor * measured[drawn.column][rows]
    error = factor * measured[drawn.error][rows] if drawn.error else None
    missed = ~measured["converged"][rows] if drawn.marks_missed() else np.zeros(len(y), dtype=bool)
    return OfSeed(measured.run, x, y, measured.divergence, missed, error).at(np.isfinite(y))


def _factor(panel: MeasuredPanel, measured: Measured) -> float:
    match panel.factor:
        case "1":
            return 1.0
        case "1/edge":
            return 1 / edge_of(measured)
        case factor:
            return measured.lr / (2 if factor == "lr/2" else 1)


def _panel(axes: Axes, panel: MeasuredPanel, lines: list[_Line], points: PlottedPoints) -> None:
    axes.set(title=panel.title, xlabel=_XLABELS[panel.x], ylabel=panel.ylabel or _name(panel), yscale=panel.scale)
    for line in lines:
        # a line through a single point is invisible, so mark the point
        longest = max(int((~left_out).sum()) for left_out in line.left_out)
        draw_over_seeds(axes, panel.title, line.label, line.seeds, points, color=line.colour, linestyle=line.style,
                        marker="o" if longest == 1 or panel.x == _BATCH_SIZE else "", markersize=3)  # fmt: skip
    shown = [line for line in lines if not line.is_empty]
    handles = []
    for line in lines:
        diverged = ""
        if line.names_divergence:
            diverged = name_diverged({str(each.run): each.diverged for each in line.seeds})
        elif line.sizes is None and line.diverged:
            diverged = f"{len(line.diverged)} of {len(line.seeds)} seeds diverged"
        handles += axes.plot(
            [], [], color=line.colour, linestyle=line.style, label=run_label(line.label, diverged, line.is_empty)
        )
    if not shown:
        say_empty(axes)
    else:
        if panel.x == _BATCH_SIZE:
            _mark_sizes(axes, shown)
        ends = [min(line.ends()[0] for line in shown), max(line.ends()[1] for line in shown)]
        for text, dashes in zip(panel.references, cycle(_DASHES)):
            _reference(axes, panel, text, dashes, ends, shown, points)
            handles += axes.plot([], [], dashes, color=GREY, label=text)
    legend_below(axes, handles=handles, most_columns=_MOST_COLUMNS)


def _mark_sizes(axes: Axes, lines: list[_Line]) -> None:
    """Make the x axis logarithmic, with the batch sizes as ticks."""
    sizes = np.unique(np.concatenate([each.x for line in lines for each in line.seeds]))
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size:g}" for size in sizes])
    axes.minorticks_off()


def _reference(
    axes: Axes,
    panel: MeasuredPanel,
    text: str,
    dashes: str,
    ends: list[float],
    lines: list[_Line],
    points: PlottedPoints,
) -> None:
    """Draw a horizontal line for all runs, or one per curve in its colour; by batch size, a line through the values."""
    if not over_lr(text):
        lines = [replace(lines[0], colour=GREY, run="")]
    for line in lines:
        y = np.array([reference_value(text, lr) for lr in line.lrs])
        x = ends if line.sizes is None or len(set(y)) == 1 else line.sizes
        y = np.broadcast_to(y if len(set(y)) > 1 else y[:1], len(x))
        axes.plot(x, y, dashes, color=line.colour, linewidth=0.7, zorder=1.5)
        points.add(panel.title, text, line.run, x=x, y=y)


def _name(panel: MeasuredPanel) -> str:
    """The name of the drawn columns on the axis, such as ``eigenvalues[0] (nats)`` or ``lr × eigenvalues[0]``."""
    names = []
    for drawn in map(panel.drawn, panel.curves):
        index = f"[{', '.join(map(str, drawn.index))}]" if drawn.index else ""
        unit = drawn.unit() if panel.factor == "1" else ""
        names.append(_NAMES[panel.factor].format(f"{drawn.column}{index}") + (f" ({unit})" if unit else ""))
    return ", ".join(dict.fromkeys(names))
