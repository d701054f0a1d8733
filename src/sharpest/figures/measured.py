"""Any stored column of a measure, along training or by batch size, with reference lines."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpest.claims.edges import edge_of
from sharpest.config.studies import MeasuredCurve, MeasuredCurves, MeasuredPanel, over_lr, reference_value
from sharpest.figures.canvas import GREY, Canvas, FigureInputs, Panel, drawing, looks, make_room_for_legends
from sharpest.figures.seeds import OfSeed, joined, name_diverged
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
_PLATEAUS = "By batch size: means over the last half of the points of each run, with one standard deviation."


@dataclass(frozen=True, eq=False)
class _Line:
    """One curve with its seeds.

    Attributes:
        label: Its name.
        look: Its colour and dashes.
        run: The first run of the curve.
        lrs: Learning rates (n,): one along training, that of each run by batch size.
        seeds: The finite points of each seed.
        log: Whether the y axis is logarithmic.
        sizes: Batch sizes of the runs (n,); None along training.
        diverged: Runs that diverged -> when, as text.
    """

    label: str
    look: Mapping[str, Any]
    run: str
    lrs: NDArray[np.float64]
    seeds: list[OfSeed]
    log: bool
    sizes: NDArray[np.int64] | None
    diverged: Mapping[str, str]

    @property
    def names_divergence(self) -> bool:
        """Whether the legend says which run diverged; it is too short for several, and by batch size for any."""
        return self.sizes is None and len(self.diverged) == 1

    @property
    def longest(self) -> int:
        """The largest number of points of a seed that can be drawn."""
        return max(int((each.y > 0).sum()) if self.log else len(each.y) for each in self.seeds)

    def in_legend(self) -> str:
        """What the legend says of diverged seeds."""
        if self.names_divergence:
            return name_diverged({str(each.run): each.diverged for each in self.seeds})
        named = self.sizes is None and self.diverged
        return f"{len(self.diverged)} of {len(self.seeds)} seeds diverged" if named else ""

    def ends(self) -> tuple[float, float]:
        """The lowest and the highest x of all seeds."""
        x = np.concatenate([each.x for each in self.seeds])
        return x.min(), x.max()


@drawing
def draw(canvas: Canvas, study: MeasuredCurves, inputs: FigureInputs) -> None:
    """Draw the panels side by side, at most three in a row.

    If the study has a band, the points have an error: half the height of the band, which is drawn for curves with one
    seed. The series of a reference line is its text, and its run is empty if it holds for all runs.
    """
    num_rows = -(-len(study.panels) // _MOST_COLUMNS)
    canvas.lay_out(num_rows, -(-len(study.panels) // num_rows))
    canvas.missed_are = "Open circles: residual above the solver's tolerance"
    for panel in study.panels:
        lines = _lines(panel, inputs)
        ylabel = panel.ylabel or _name(panel)
        drawn = canvas.panel(panel.title, xlabel=_XLABELS[panel.x], ylabel=ylabel, yscale=panel.scale)
        _panel(drawn, panel, lines)
        for line in lines:
            canvas.diverged |= {} if line.names_divergence else line.diverged
            if any(each.error is not None for each in line.seeds):
                canvas.columns = ("x", "y", "error")
    make_room_for_legends(canvas, num_rows, _MOST_COLUMNS)
    canvas.averages.append(_PLATEAUS if any(panel.x == _BATCH_SIZE for panel in study.panels) else "")
    canvas.of_seeds(study.curves())


def _lines(panel: MeasuredPanel, inputs: FigureInputs) -> list[_Line]:
    """The lines of a panel: one per curve, or by batch size one per label."""
    groups: dict[Any, list[MeasuredCurve]] = {}
    for place, curve in enumerate(panel.curves):
        groups.setdefault(curve.label if panel.x == _BATCH_SIZE else place, []).append(curve)
    read = _plateaus if panel.x == _BATCH_SIZE else _along
    styles = ({"color": colour, "linestyle": dashes} for colour, dashes in looks())
    return [read(panel, curves, look, inputs) for curves, look in zip(groups.values(), styles, strict=False)]


def _along(panel: MeasuredPanel, curves: list[MeasuredCurve], look: Mapping[str, Any], inputs: FigureInputs) -> _Line:
    """One curve along training."""
    (curve,) = curves
    measured = _measured(panel, curve, inputs)
    seeds = [_of_seed(panel, curve, each) for each in measured]
    diverged = {str(each.run): each.diverged for each in seeds if each.diverged}
    lrs = np.array([measured[0].lr])
    return _Line(curve.label, look, curve.run, lrs, seeds, panel.scale == "log", None, diverged)


def _plateaus(
    panel: MeasuredPanel, curves: list[MeasuredCurve], look: Mapping[str, Any], inputs: FigureInputs
) -> _Line:
    """One line through all runs of a label, one point per run."""
    runs = [(curve, _measured(panel, curve, inputs)) for curve in curves]
    runs.sort(key=lambda run: _batch_size(run[1][0]))
    points = [[_plateau(_of_seed(panel, curve, each), _batch_size(each)) for each in seeds] for curve, seeds in runs]
    sizes, lrs = zip(*((_batch_size(seeds[0]), seeds[0].lr) for _, seeds in runs), strict=True)
    return _Line(
        curves[0].label,
        look,
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


def _panel(drawn: Panel, panel: MeasuredPanel, lines: list[_Line]) -> None:
    for line in lines:
        # a line through a single point is invisible, so mark the point
        marker = "o" if line.longest == 1 or panel.x == _BATCH_SIZE else ""
        drawn.line(line.label, line.seeds, marker=marker, markersize=3, **line.look)
        drawn.entry(line.label, line.in_legend(), not line.longest, **line.look)
    shown = [line for line in lines if line.longest]
    if shown:
        if panel.x == _BATCH_SIZE:
            _mark_sizes(drawn, shown)
        ends = [min(line.ends()[0] for line in shown), max(line.ends()[1] for line in shown)]
        for text, dashes in zip(panel.references, cycle(_DASHES)):
            _reference(drawn, text, dashes, ends, shown)
            drawn.legend_line(text, linestyle=dashes, color=GREY)
    drawn.legend(_MOST_COLUMNS)


def _mark_sizes(panel: Panel, lines: list[_Line]) -> None:
    """Make the x axis logarithmic, with the batch sizes as ticks."""
    sizes = np.unique(np.concatenate([each.x for line in lines for each in line.seeds]))
    panel.axes.set_xscale("log")
    panel.axes.set_xticks(sizes, [f"{size:g}" for size in sizes])
    panel.axes.minorticks_off()


def _reference(panel: Panel, text: str, dashes: str, ends: list[float], lines: list[_Line]) -> None:
    """Draw a horizontal line for all runs, or one per curve in its colour; by batch size, a line through the values."""
    if not over_lr(text):
        lines = [replace(lines[0], look={"color": GREY}, run="")]
    for line in lines:
        y = np.array([reference_value(text, lr) for lr in line.lrs])
        x = ends if line.sizes is None or len(set(y)) == 1 else line.sizes
        y = np.broadcast_to(y if len(set(y)) > 1 else y[:1], len(x))
        panel.axes.plot(x, y, dashes, color=line.look["color"], linewidth=0.7, zorder=1.5)
        panel.record(text, line.run, x=x, y=y)


def _name(panel: MeasuredPanel) -> str:
    """The name of the drawn columns on the axis, such as ``eigenvalues[0] (nats)`` or ``lr × eigenvalues[0]``."""
    names = []
    for drawn in map(panel.drawn, panel.curves):
        index = f"[{', '.join(map(str, drawn.index))}]" if drawn.index else ""
        unit = drawn.unit() if panel.factor == "1" else ""
        names.append(_NAMES[panel.factor].format(f"{drawn.column}{index}") + (f" ({unit})" if unit else ""))
    return ", ".join(dict.fromkeys(names))
