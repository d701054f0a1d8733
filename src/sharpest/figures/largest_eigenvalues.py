"""The one or two largest eigenvalues along training of runs that differ in one setting (Figs. 4, 10, 11, 13, 21)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from sharpest.config.studies.largest_eigenvalues import EigenvalueCurve, EigenvaluePanel, LargestEigenvalues
from sharpest.figures.inputs import FigureInputs
from sharpest.figures.over_seeds import OfSeed, draw_over_seeds, name_diverged, seeds_line
from sharpest.figures.style import (
    MISSED,
    PANEL_HEIGHT,
    PANEL_WIDTH,
    NotedFigure,
    PlottedPoints,
    count_line,
    legend_below,
    ordered_colours,
    run_label,
    say_empty,
    styled,
)
from sharpest.measures.spectra.reader import Spectra

_NAMED = dict(zip(("red", "green", "blue"), ordered_colours(3), strict=True))  # the paper's names of their order
_LINES = (("-", 0.9), ("-.", 0.6))  # dashes and width of lambda_1 and lambda_2
_LEFT_OUT = "Not drawn on a logarithmic axis: eigenvalues at or below zero"
_TICK_STEPS = (1, 2, 5, 10)
_FEW_DECADES = 30  # an axis whose ends have a smaller ratio needs more ticks than the powers of ten
_LEGEND_TITLES = {1: None, 2: "solid $λ_1$, dash-dotted $λ_2$"}


@dataclass(frozen=True)
class _Measured:
    """One seed of a curve: t measurements of the k eigenvalues to draw."""

    run: str
    epoch: NDArray[np.float64]  # (t,)
    eigenvalues: NDArray[np.float64]  # (t, k), nats
    converged: NDArray[np.bool_]  # (t, k)
    plotted: NDArray[np.bool_]  # (t, k); finite, and positive if the axis is logarithmic
    diverged: str

    def line(self, index: int, limit: float) -> OfSeed:
        """The finite values of one eigenvalue up to an epoch."""
        rows = np.isfinite(self.eigenvalues[:, index]) & (self.epoch <= limit)
        missed = ~self.converged[rows, index]
        return OfSeed(self.run, self.epoch[rows], self.eigenvalues[rows, index], self.diverged, missed)


@dataclass(frozen=True)
class _Curve:
    """One curve with its seeds."""

    label: str
    colour: str
    window: float | None  # epochs
    seeds: list[_Measured]

    @property
    def is_empty(self) -> bool:
        """Whether the curve has no point to draw."""
        return not any(each.plotted.any() for each in self.seeds)


@styled
def draw(study: LargestEigenvalues, inputs: FigureInputs, foot: str) -> tuple[NotedFigure, pd.DataFrame]:
    """Draw a grid of panels.

    A composite panel has two halves of equal width, both starting at epoch 0: the early window and the whole run.

    Args:
        study: The study to draw.
        inputs: Spectra, and early windows if ``study.composite``; a panel uses the widest window of its curves.
        foot: What was replaced or reduced.

    Returns:
        The figure, and its points with columns panel, series, run, x, y; x in epochs in both halves.

    Raises:
        ConfigError: If an early window is drawn and a schedule has none.

    Source: Figs. 4, 10, 11, 13 and 21; inventory, Figure 4 and 1.8.
    """
    num_rows, num_columns = len(study.rows), max(map(len, study.rows))
    figure = NotedFigure(num_columns * 1.25 * PANEL_WIDTH, num_rows * 1.25 * PANEL_HEIGHT)
    grid = figure.add_gridspec(num_rows, num_columns)
    points = PlottedPoints()
    missed, left_out = {}, {}
    for row_index, row in enumerate(study.rows):
        for column, panel in enumerate(row):
            curves = [
                _read(study, curve, _NAMED[curve.colour] if curve.colour else colour, inputs)
                for curve, colour in zip(panel.curves, ordered_colours(len(panel.curves)), strict=True)
            ]
            _panel(figure.add_subplot(grid[row_index, column]), study, panel, curves, points)
            seeds = [each for curve in curves for each in curve.seeds]
            missed[panel.title] = [each.plotted & ~each.converged for each in seeds]
            left_out[panel.title] = [np.isfinite(each.eigenvalues) & ~each.plotted for each in seeds]
    over_seeds = seeds_line(len(curve.by_seed()) for curve in study.curves())
    figure.note(count_line(_LEFT_OUT, left_out), count_line(MISSED, missed), over_seeds, foot)
    return figure, points.table()


def _read(study: LargestEigenvalues, curve: EigenvalueCurve, colour: str, inputs: FigureInputs) -> _Curve:
    window = inputs.early_window(curve) if study.composite else None
    return _Curve(curve.label, colour, window, [_of_seed(study, each) for each in inputs.by_seed(Spectra, curve)])


def _of_seed(study: LargestEigenvalues, spectra: Spectra) -> _Measured:
    rows = spectra.epoch <= (np.inf if study.last_epoch is None else study.last_epoch)
    eigenvalues = spectra.eigenvalues[rows, : study.num_eigenvalues]
    plotted = np.isfinite(eigenvalues)
    if study.scale == "log":
        plotted &= eigenvalues > 0
    return _Measured(
        run=spectra.run,
        epoch=spectra.epoch[rows],
        eigenvalues=eigenvalues,
        converged=spectra.converged[rows, : study.num_eigenvalues],
        plotted=plotted,
        diverged=spectra.divergence,
    )


def _panel(
    axes: Axes, study: LargestEigenvalues, panel: EigenvaluePanel, curves: list[_Curve], points: PlottedPoints
) -> None:
    axes.set_title(panel.title)
    if all(curve.is_empty for curve in curves):
        say_empty(axes)
        whole = axes
    elif study.composite:
        window = max(curve.window or 0 for curve in curves)
        early, whole = _halves(axes, window)
        _lines(early, study, f"{panel.title}, early", curves, points, window)
    else:
        whole = axes
        axes.set(xlabel="epoch", ylabel="eigenvalue")
    limit = max(each.epoch.max(initial=0) for curve in curves for each in curve.seeds)
    _lines(whole, study, panel.title, curves, points, limit)
    handles = []
    for curve in curves:
        diverged = name_diverged({each.run: each.diverged for each in curve.seeds})
        handles += whole.plot([], [], color=curve.colour, label=run_label(curve.label, diverged, curve.is_empty))
    legend_below(axes, handles=handles, title=_LEGEND_TITLES[study.num_eigenvalues], most_columns=3)


def _halves(axes: Axes, window: float) -> tuple[Axes, Axes]:
    """Split a panel into two of equal width, separated by a blue bar."""
    axes.set_axis_off()
    early = axes.inset_axes((0, 0, 0.5, 1))
    whole = axes.inset_axes((0.5, 0, 0.5, 1), sharey=early)
    early.set(xlabel=f"epoch, the first {window:g}", ylabel="eigenvalue")
    whole.set_xlabel("epoch, whole run")
    whole.spines.left.set(color="blue", linewidth=2)
    whole.tick_params(axis="y", which="both", left=False, labelleft=False)
    # leave out the ticks that meet at the bar
    early.xaxis.set_major_locator(MaxNLocator(4, steps=_TICK_STEPS, prune="upper"))
    whole.xaxis.set_major_locator(MaxNLocator(4, steps=_TICK_STEPS, prune="lower"))
    return early, whole


def _lines(
    axes: Axes, study: LargestEigenvalues, panel: str, curves: list[_Curve], points: PlottedPoints, limit: float
) -> None:
    """Draw one line per eigenvalue of each run, up to an epoch."""
    axes.set_yscale(study.scale)
    for curve in curves:
        for index, (dashes, width) in enumerate(_LINES[: study.num_eigenvalues]):
            lines = [each.line(index, limit) for each in curve.seeds]
            draw_over_seeds(axes, panel, f"{curve.label}, lambda_{index + 1}", lines, points,
                            linestyle=dashes, color=curve.colour, linewidth=width)  # fmt: skip
    if limit > 0:
        axes.set_xlim(0, limit)
    if study.scale == "log":
        low, high = axes.get_ylim()
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < _FEW_DECADES * low else (1,)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
