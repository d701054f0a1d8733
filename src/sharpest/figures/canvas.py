"""The canvas of a figure: its panels, the one drawer of lines over seeds, and what drawing collects for csv and notes.

Runs that differ only in their seed are drawn as their mean, a band of one standard deviation, and thin single seeds, by
the rules of ``over_seeds``. A single seed is drawn as a plain line.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.gridspec import SubplotSpec
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from sharpest.config.studies.base import NamedRun
from sharpest.figures.inputs import FigureInputs
from sharpest.figures.over_seeds import OfSeed, mean_over_seeds, name_diverged, seeds_line
from sharpest.figures.style import (
    GREY,
    PANEL_HEIGHT,
    PANEL_WIDTH,
    NotedFigure,
    PlottedPoints,
    count_line,
    divergence_line,
    legend_below,
    mark_missed,
    run_label,
    say_empty,
    styled,
)  # fmt: skip

_BAND = 0.16  # opacity of a standard deviation
_ERROR_BAND = 0.25  # opacity of a measured error
_THIN: Mapping[str, Any] = {"linewidth": 0.35, "alpha": 0.4, "zorder": 1.8}  # single seeds, below the means
_OF_SHAPE = ("color", "linestyle", "drawstyle")  # options that thin lines share with the mean

_Study = TypeVar("_Study")


class Canvas(NotedFigure):
    """A figure in the making.

    Attributes:
        points: Every plotted point.
        columns: Names of their coordinates in the csv.
        missed, left_out: Group of points -> masks of those above the solver's tolerance, and not on a logarithmic axis.
        missed_are, left_out_are: How the notes describe them.
        diverged: Name of a curve -> which of its seeds diverged, and when.
        grid, places: All places of panels, and those that are still free, row by row.
        averages: The notes on what is averaged, and how several seeds are drawn.
    """

    missed_are = "Open circles: eigenvalues whose residual is above the solver's tolerance"
    left_out_are = "Not drawn on a logarithmic axis: values at or below zero"

    def __init__(self) -> None:
        super().__init__(PANEL_WIDTH, PANEL_HEIGHT)
        self.points = PlottedPoints()
        self.columns: tuple[str, ...] = ("x", "y")
        self.missed: defaultdict[str, list[NDArray[np.bool_]]] = defaultdict(list)
        self.left_out: defaultdict[str, list[NDArray[np.bool_]]] = defaultdict(list)
        self.diverged: dict[str, str] = {}
        self.averages: list[str] = []
        self._panels: list[Panel] = []

    def lay_out(self, rows: int, columns: int, width: float = 1.25, height: float = 1.25) -> None:
        """Make room for rows and columns of panels; width and height of each in units of a usual panel."""
        self.set_size_inches(columns * width * PANEL_WIDTH, rows * height * PANEL_HEIGHT)
        self.grid = self.add_gridspec(rows, columns)
        self.places = iter([self.grid[row, column] for row in range(rows) for column in range(columns)])

    def panel(
        self, name: str, place: SubplotSpec | None = None, group: str | None = None, **properties: Any
    ) -> "Panel":
        """Add a panel at the next place, or at a given one.

        Args:
            name: Its name in the csv, unique in the figure, and its title, unless ``properties`` has another.
            place: Where it is.
            group: As in ``Panel``; none = its name.
            properties: Properties of the axes, such as labels and scales.
        """
        axes = self.add_subplot(next(self.places) if place is None else place, **{"title": name, **properties})
        return self.panel_on(axes, name, name if group is None else group)

    def panel_on(self, axes: Any, name: str, group: str) -> "Panel":
        """A panel on axes that exist."""
        self._panels.append(Panel(self, axes, name, group))
        return self._panels[-1]

    def of_seeds(self, runs: Iterable[NamedRun], **wording: str) -> None:
        """Note how several seeds are drawn, see ``seeds_line``."""
        self.averages.append(seeds_line((len(run.by_seed()) for run in runs), **wording))

    def finish(self, foot: str) -> pd.DataFrame:
        """Mark empty panels, write the notes, and return the points."""
        for panel in self._panels:
            if not panel.num_points:
                say_empty(panel.axes)
        self.note(
            count_line(self.left_out_are, self.left_out), count_line(self.missed_are, self.missed),
            divergence_line(self.diverged), *self.averages, foot,
        )  # fmt: skip
        return self.points.table(self.columns)


def drawing(
    draw: Callable[[Canvas, _Study, FigureInputs], None],
) -> Callable[[_Study, FigureInputs, str], tuple[NotedFigure, pd.DataFrame]]:
    """Make the function that draws a kind of figure on a canvas into one that returns the figure.

    The result takes the study, the results it is drawn from, and what was replaced or reduced. It returns the figure,
    and its points with columns panel, series, run, x, y, and more if the kind has them.
    """

    @styled
    @wraps(draw)
    def drawn(study: _Study, inputs: FigureInputs, foot: str) -> tuple[NotedFigure, pd.DataFrame]:
        canvas = Canvas()
        draw(canvas, study, inputs)
        return canvas, canvas.finish(foot)

    return drawn


class Panel:
    """One panel, or one y axis of it.

    Args:
        canvas: Its figure.
        axes: Where it draws, with its scale set before the first line.
        name: Its name in the csv.
        group: The group in which the notes count its special points; empty = not counted.
    """

    def __init__(self, canvas: Canvas, axes: Any, name: str, group: str) -> None:
        self.canvas, self.axes, self.name, self.group = canvas, axes, name, group
        self.num_points = 0
        self._handles: list[Any] = []

    def second(self, **properties: Any) -> "Panel":
        """A second y axis, on the right."""
        axes = self.axes.twinx()
        axes.spines.right.set_visible(True)
        axes.set(**properties)
        return self.canvas.panel_on(axes, self.name, self.group)

    def record(self, series: str, run: str | NDArray[Any], **coordinates: ArrayLike) -> None:
        """Record the points of one artist, see ``PlottedPoints.add``."""
        self.num_points += self.canvas.points.add(self.name, series, run, **coordinates)

    def line(
        self, series: str, seeds: Sequence[OfSeed], mean_only: bool = False, group: str | None = None, **line: Any
    ) -> Line2D:
        """Draw one curve, with circles where a seed missed the tolerance, and record its points.

        On a logarithmic axis, values at or below zero are left out, and a band that would reach them ends at the lowest
        value of any seed.

        Args:
            series: Name of the curve in the csv.
            seeds: One or several seeds; a single seed is drawn with its error as the band.
            mean_only: Draw neither band nor single seeds; their points are still recorded.
            group: As in ``Panel``; none = that of the panel.
            line: Options of ``Axes.plot`` for the mean or the only seed.

        Returns:
            The line of the mean or of the only seed.
        """
        log = self.axes.get_yscale() == "log"
        shown = [each.at(each.y > 0) if log else each for each in seeds]
        self._count(seeds, shown, log, self.group if group is None else group)
        lowest = min((each.y.min(initial=np.inf) for each in shown), default=np.inf) if log else -np.inf
        for each in shown:
            self.record(series, each.run, x=each.x, y=each.y, **{} if each.error is None else {"error": each.error})
        if len(seeds) == 1:
            return _only(self.axes, shown[0], lowest, line)
        if not mean_only:
            for each in shown:
                self.axes.plot(each.x, each.y, **{name: line[name] for name in _OF_SHAPE if name in line}, **_THIN)
        mean = mean_over_seeds(seeds)
        rows = mean.y > 0 if log else np.ones(len(mean.y), dtype=bool)
        x, y, deviation = mean.x[rows], mean.y[rows], mean.deviation[rows]
        if not mean_only:
            _band(self.axes, x, y, deviation, _BAND, line, lowest)
        (drawn,) = self.axes.plot(x, y, **line)
        self.record(series, mean.runs[rows], x=x, y=y, deviation=deviation)
        missed = [each.x[each.missed] for each in seeds if each.missed is not None]
        if missed:
            circled = np.isin(x, np.concatenate(missed))
            mark_missed(self.axes, x[circled], y[circled])
        return drawn

    def _count(self, seeds: Sequence[OfSeed], shown: Sequence[OfSeed], log: bool, group: str) -> None:
        if group:
            self.canvas.left_out[group] += [each.y <= 0 for each in seeds if log]
            self.canvas.missed[group] += [each.missed for each in shown if each.missed is not None]

    def level(self, series: str, height: float, label: str | None = None, dashes: str = "--", **line: Any) -> None:
        """Draw a horizontal line across the data, and record its ends."""
        ends = self.axes.dataLim.intervalx
        self.axes.plot(
            ends, [height, height], dashes, label=label, **{"color": GREY, "linewidth": 0.7, "zorder": 1.5, **line}
        )
        self.record(series, "", x=ends, y=height)

    def entry(self, label: str, diverged: Mapping[str, str] | str, empty: bool, **line: Any) -> None:
        """Add an entry to the legend, which says which seeds diverged and whether none has a point."""
        text = diverged if isinstance(diverged, str) else name_diverged(diverged)
        self.legend_line(run_label(label, text, empty), **line)

    def legend_line(self, label: str, **line: Any) -> None:
        """Add a line to the legend that stands for others."""
        self._handles.append(Line2D([], [], label=label, **line))

    def legend(self, most_columns: int | None = None, **options: Any) -> None:
        """Draw the legend below, with its entries; without entries, with the lines that have labels."""
        legend_below(self.axes, most_columns, **({"handles": self._handles} if self._handles else {}), **options)


def _only(axes: Axes, only: OfSeed, lowest: float, line: Mapping[str, Any]) -> Line2D:
    """Draw a single seed: its line, its error as the band, and circles."""
    (drawn,) = axes.plot(only.x, only.y, **line)
    if only.error is not None:
        _band(axes, only.x, only.y, only.error, _ERROR_BAND, line, lowest)
    if only.missed is not None:
        mark_missed(axes, only.x[only.missed], only.y[only.missed])
    return drawn


def _band(
    axes: Axes, x: NDArray[Any], y: NDArray[Any], half: NDArray[Any], alpha: float, line: Mapping[str, Any], low: float
) -> None:
    if np.isfinite(half).any():
        lower = np.where(y - half > 0, y - half, low) if np.isfinite(low) else y - half
        step = line["drawstyle"].removeprefix("steps-") if "drawstyle" in line else None
        axes.fill_between(x, lower, y + half, color=line["color"], alpha=alpha, linewidth=0, step=step)
