"""The one or two largest eigenvalues along training of runs that differ in one setting (Figs. 4, 10, 11, 13, 21)."""

from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from sharpest.config.studies.largest_eigenvalues import EigenvaluePanel, LargestEigenvalues
from sharpest.figures.canvas import Canvas, Panel, drawing
from sharpest.figures.inputs import FigureInputs
from sharpest.figures.over_seeds import OfSeed
from sharpest.figures.style import ordered_colours
from sharpest.measures.spectra import Spectra

_NAMED = dict(zip(("red", "green", "blue"), ordered_colours(3), strict=True))  # the paper's names of their order
_LINES = (("-", 0.9), ("-.", 0.6))  # dashes and width of lambda_1 and lambda_2
_TICK_STEPS = (1, 2, 5, 10)
_FEW_DECADES = 30  # an axis whose ends have a smaller ratio needs more ticks than the powers of ten
_LEGEND_TITLES = {1: None, 2: "solid $λ_1$, dash-dotted $λ_2$"}


@dataclass(frozen=True)
class _Curve:
    """One curve with its seeds."""

    label: str
    colour: str
    lines: list[list[OfSeed]]  # the finite values of each eigenvalue, one per seed
    diverged: dict[str, str]
    empty: bool  # no point can be drawn
    last: float  # epochs


@drawing
def draw(canvas: Canvas, study: LargestEigenvalues, inputs: FigureInputs) -> None:
    """Draw a grid of panels.

    A composite panel has two halves of equal width, both starting at epoch 0: the early window, the widest one of its
    curves, and the whole run. Epochs are recorded in both halves.

    Raises:
        ConfigError: If an early window is drawn and a schedule has none.

    Source: Figs. 4, 10, 11, 13 and 21; inventory, Figure 4 and 1.8.
    """
    canvas.left_out_are = "Not drawn on a logarithmic axis: eigenvalues at or below zero"
    columns = max(map(len, study.rows))
    canvas.lay_out(len(study.rows), columns)
    for row in study.rows:
        for panel in row:
            _panel(canvas, study, panel, inputs)
        for _ in range(columns - len(row)):
            next(canvas.places)
    canvas.of_seeds(study.curves())


def _panel(canvas: Canvas, study: LargestEigenvalues, panel: EigenvaluePanel, inputs: FigureInputs) -> None:
    colours = ordered_colours(len(panel.curves))
    curves = [
        _read(study, curve.label, _NAMED[curve.colour] if curve.colour else colour, inputs.by_seed(Spectra, curve))
        for curve, colour in zip(panel.curves, colours, strict=True)
    ]
    window = max(inputs.early_window(curve) for curve in panel.curves) if study.composite else None
    whole = outer = canvas.panel(panel.title)
    if window and not all(curve.empty for curve in curves):
        early, whole = _halves(outer, window)
        _lines(early, study, curves, window)
    else:
        outer.axes.set(xlabel="epoch", ylabel="eigenvalue")
    _lines(whole, study, curves, max(curve.last for curve in curves))
    outer.num_points = whole.num_points
    for curve in curves:
        outer.entry(curve.label, curve.diverged, curve.empty, color=curve.colour)
    outer.legend(title=_LEGEND_TITLES[study.num_eigenvalues], most_columns=3)


def _read(study: LargestEigenvalues, label: str, colour: str, seeds: list[Spectra]) -> _Curve:
    last = np.inf if study.last_epoch is None else study.last_epoch
    lines = [
        [OfSeed.along(each, each.eigenvalues[:, index], ~each.converged[:, index], last) for each in seeds]
        for index in range(study.num_eigenvalues)
    ]
    drawable = [(each.y > 0).any() if study.scale == "log" else len(each.y) > 0 for line in lines for each in line]
    end = max(each.epoch.max(initial=0, where=each.epoch <= last) for each in seeds)
    diverged = {each.run: each.divergence for each in seeds}
    return _Curve(label, colour, lines, diverged, not any(drawable), end)


def _halves(outer: Panel, window: float) -> tuple[Panel, Panel]:
    """Split a panel into two of equal width, separated by a blue bar."""
    outer.axes.set_axis_off()
    early = outer.axes.inset_axes((0, 0, 0.5, 1))
    whole = outer.axes.inset_axes((0.5, 0, 0.5, 1), sharey=early)
    early.set(xlabel=f"epoch, the first {window:g}", ylabel="eigenvalue")
    whole.set_xlabel("epoch, whole run")
    whole.spines.left.set(color="blue", linewidth=2)
    whole.tick_params(axis="y", which="both", left=False, labelleft=False)
    # leave out the ticks that meet at the bar
    early.xaxis.set_major_locator(MaxNLocator(4, steps=_TICK_STEPS, prune="upper"))
    whole.xaxis.set_major_locator(MaxNLocator(4, steps=_TICK_STEPS, prune="lower"))
    canvas, name = outer.canvas, outer.name
    return canvas.panel_on(early, f"{name}, early", ""), canvas.panel_on(whole, name, name)


def _lines(panel: Panel, study: LargestEigenvalues, curves: list[_Curve], limit: float) -> None:
    """Draw one line per eigenvalue of each run, up to an epoch."""
    panel.axes.set_yscale(study.scale)
    for curve in curves:
        for index, (seeds, (dashes, width)) in enumerate(zip(curve.lines, _LINES, strict=False), start=1):
            shown = [each.at(each.x <= limit) for each in seeds]
            panel.line(f"{curve.label}, lambda_{index}", shown, linestyle=dashes, color=curve.colour, linewidth=width)
    if limit > 0:
        panel.axes.set_xlim(0, limit)
    if study.scale == "log":
        low, high = panel.axes.get_ylim()
        panel.axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < _FEW_DECADES * low else (1,)))
        panel.axes.yaxis.set_major_formatter("{x:g}")
        panel.axes.yaxis.set_minor_formatter(NullFormatter())
