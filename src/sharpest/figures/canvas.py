"""The canvas of a figure: panels, the one drawer of lines, what is collected for csv and notes, and saving."""

from __future__ import annotations

import io
import sys
import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import wraps
from itertools import cycle
from pathlib import Path
from typing import Any, TypeVar

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import ScaledTranslation
from numpy.typing import ArrayLike, NDArray

from sharpest.config.studies import Curve, NamedRun
from sharpest.errors import ConfigError
from sharpest.figures.seeds import OfSeed, mean_over_seeds, name_diverged, seeds_line
from sharpest.figures.widths import INCHES, fit, keep_above
from sharpest.results.runs import Results, RunResults
from sharpest.results.stored import Measured, reader_of
from sharpest.results.whole import written_whole

PANEL_WIDTH, PANEL_HEIGHT = 2.7, 2.3  # inches

# Okabe and Ito (2008): distinguishable with any kind of colour vision
BLUE, GREEN, RED, GREY = "#0072B2", "#009E73", "#D55E00", "0.45"
OTHERS = ("#E69F00", "#CC79A7", "#56B4E9", "black")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1)), (0, (1, 1)), (0, (5, 1, 1, 1)), (0, (5, 1, 1, 1, 1, 1)))
MARKERS = "os^Dv*p"

_ORDERED, _LIGHTEST = matplotlib.colormaps["plasma"], 0.82  # lighter colours vanish on white
_EMPTY = "no finite measurement"
_FOOT_SIZE = 6.5  # points
_DOTS_PER_INCH, _PRINTED = 150, 300  # on a screen, in a journal
_SHORT_LABEL, _LABEL_WIDTH = 18, 60  # letters
_LABEL_DEPTH = -28  # points; tick and axis labels end here
_POINTS_PER_INCH = 72
_ROOM, _LEGEND_LINE = 3, 0.14  # legend lines that fit in a panel; height of each further line, inches

# decorates every function that makes or saves artists: some settings are read only when saving. Begins with the
# defaults of matplotlib, so that a matplotlibrc changes no figure
styled = matplotlib.rc_context(
    {
        **matplotlib.rcParamsDefault,
        "font.size": 8,
        "axes.titlesize": 8.5,
        "axes.titlelocation": "left",
        "axes.labelsize": 8,
        "axes.linewidth": 0.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.labelsize": 7,
        "ytick.labelsize": 7,
        "legend.fontsize": 7,
        "legend.title_fontsize": 7,
        "legend.frameon": False,
        "lines.linewidth": 0.9,
        "pdf.fonttype": 42,  # journals refuse Type 3 fonts
    }
)


def looks() -> Iterator[tuple[str, Any]]:
    """Colours and dashes of curves without an order: colours of equal lightness, alike in grey, differ in dashes."""
    return zip(cycle((RED, GREEN, BLUE, *OTHERS)), cycle(DASHES))


def ordered_colours(count: int) -> list[str]:
    """``count`` colours from dark blue to light orange, whose order is visible in grey print."""
    return [to_hex(_ORDERED(float(place))) for place in np.linspace(0, _LIGHTEST, count)]


def say_empty(axes: Axes) -> None:
    """Write in a panel that the run gave no points to draw, for example because it diverged at once."""
    axes.set_axis_off()
    axes.annotate(_EMPTY, (0.5, 0.5), xycoords="axes fraction", ha="center", va="center", color=GREY)


def legend_below(axes: Axes, most_columns: int | None = None, **options: Any) -> None:
    """Draw a legend under the label of the x axis, outside the data.

    Args:
        axes: The panel.
        most_columns: Number of columns if all labels are short, else one column.
        options: Options of ``Axes.legend``.
    """
    # in points: a distance relative to the panel would vary with its height
    below_label = ScaledTranslation(0, _LABEL_DEPTH / _POINTS_PER_INCH, axes.figure.dpi_scale_trans)
    if most_columns is not None:
        labels = [handle.get_label() for handle in options.get("handles", axes.get_legend_handles_labels()[0])]
        options["ncols"] = _num_columns(labels, most_columns)
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, 0), bbox_transform=axes.transAxes + below_label, borderpad=0, **options
    )


def _num_columns(labels: Iterable[str], most_columns: int) -> int:
    return most_columns if all(len(label) <= _SHORT_LABEL for label in labels) else 1


def make_room_for_legends(figure: Figure, rows_of_panels: int, most_columns: int) -> None:
    """Make a figure taller, so that long legends of ``legend_below`` do not shrink its panels.

    Args:
        figure: The figure, with its legends.
        rows_of_panels: Number of rows of panels.
        most_columns: As for ``legend_below``.
    """
    lines = 0
    for legend in filter(None, (axes.get_legend() for axes in figure.axes)):
        labels = [text.get_text() for text in legend.get_texts()]
        rows = -(-len(labels) // _num_columns(labels, most_columns))
        lines = max(lines, rows + sum(label.count("\n") for label in labels))
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + rows_of_panels * max(lines - _ROOM, 0) * _LEGEND_LINE)


def mark_missed(axes: Axes, x: NDArray[Any], y: NDArray[Any]) -> None:
    """Circle the eigenvalues (n,) that missed the solver's tolerance; the notes count them."""
    axes.scatter(x, y, s=9, facecolors="none", edgecolors="black", linewidths=0.5, zorder=4)


def count_line(what: str, special: Mapping[str, list[NDArray[np.bool_]]]) -> str:
    """The note that counts special points; empty if there are none.

    Args:
        what: Description of the special points.
        special: Name of a group -> masks of its points, true for the special ones.
    """
    numbers = {name: (sum(map(np.sum, flags)), sum(map(np.size, flags))) for name, flags in special.items()}
    counts = [f"{name}: {number:,} of {total:,}" for name, (number, total) in numbers.items() if number]
    return f"{what} ({'; '.join(counts)})." if counts else ""


def run_label(label: str, diverged: str, empty: bool) -> str:
    """The name of a run in a legend, which says if it diverged or is empty.

    Args:
        label: The plain name.
        diverged: When the run diverged, as the ``divergence`` of a reader; empty if it did not.
        empty: Whether no point of the run is drawn.
    """
    name = f"{label}: {_EMPTY}" if empty else label
    return textwrap.fill(f"{name}, {diverged}" if diverged else name, _LABEL_WIDTH)


def divergence_line(texts: Mapping[str, str]) -> str:
    """The note that names the diverged runs by label; empty if none diverged."""
    named = [f"{label} {text}" for label, text in texts.items() if text]
    return f"{'; '.join(named)}." if named else ""


def _draw_foot(figure: Figure, text: str) -> Text:
    """Write a small grey line at the bottom, below the panels."""
    foot = figure.text(0.008, 0.012, text, color=GREY, fontsize=_FOOT_SIZE, va="bottom")
    foot.set_in_layout(False)
    keep_above(figure, foot)
    return foot


@styled
def save(figure: Canvas, table: pd.DataFrame, foot: str, width: str, stem: Path) -> None:
    """Write a figure as pdf and png, its points as csv, and its notes as md; pdf and png contain the notes as metadata.

    The same figure gives the same bytes: no dates, floats in full precision.

    Args:
        figure: The figure.
        table: Its points.
        foot: The line at its bottom.
        width: ``single`` or ``double`` column of a journal, or ``panels``, as wide as the panels need.
        stem: Path without suffix.

    Raises:
        StoreError: If a file cannot be written.
    """
    line = _draw_foot(figure, foot)
    if width in INCHES:
        for sentence in fit(figure, line, width):
            figure.note(sentence)
            print(f"warning    {stem.name}: {sentence}", file=sys.stderr)
    notes = "\n".join(figure.notes)
    pdf = {"metadata": {"CreationDate": None, "Title": stem.name, "Subject": notes}}
    png = {
        "metadata": {"Title": stem.name, "Description": notes},
        "dpi": _PRINTED if width in INCHES else _DOTS_PER_INCH,
    }
    for suffix, options in ((".pdf", pdf), (".png", png)):
        drawn = io.BytesIO()  # on a full disk, the PDF writer would fail with a misleading error
        figure.savefig(drawn, format=suffix[1:], **options)
        with written_whole(stem.with_suffix(suffix)) as path:
            path.write_bytes(drawn.getvalue())
    with written_whole(stem.with_suffix(".csv")) as path:
        table.to_csv(path, index=False, lineterminator="\n")
    with written_whole(stem.with_suffix(".md")) as path:
        path.write_text(f"# {stem.name}\n\n" + "\n\n".join(figure.notes) + "\n", encoding="utf-8")


_Reader = TypeVar("_Reader", bound=Measured)


class FigureInputs:
    """The results behind a figure.

    Args:
        results: The results of the scale.
        windows: Run and schedule -> early window in epochs; None if the schedule has none.

    Attributes:
        results: The results of the scale.
    """

    def __init__(self, results: Results, windows: Mapping[tuple[str, str], float | None]) -> None:
        self.results, self._windows = results, windows

    def __getitem__(self, run: str) -> RunResults:
        """A run by its id, with its snapshots and history."""
        return self.results[run]

    def read(self, reader: type[_Reader], curve: Curve) -> _Reader:
        """The measurements along a curve, through the reader class of their measure."""
        return self.results[curve.run].read(reader, curve.schedule)

    def by_seed(self, reader: type[_Reader], curve: Curve) -> list[_Reader]:
        """The measurements along each seed of a curve."""
        return [self.read(reader, each) for each in curve.by_seed()]

    def measured(self, measure: str, curve: Curve) -> Measured:
        """The measurements along a curve, by the name of their measure."""
        return self.results[curve.run].read(reader_of(measure), curve.schedule)

    def window(self, curve: Curve) -> float | None:
        """The early window of a curve in epochs; None if its schedule has none."""
        return self._windows.get((curve.run, curve.schedule))

    def early_window(self, curve: Curve) -> float:
        """The early window in epochs of a curve that has a panel for it.

        Raises:
            ConfigError: If its schedule has no early window.
        """
        window = self.window(curve)
        if window is None:
            raise ConfigError(f"schedules.{curve.schedule} has no window_epochs, which the early panel needs; add it")
        return window


_BAND = 0.16  # opacity of a standard deviation
_ERROR_BAND = 0.25  # opacity of a measured error
_THIN: Mapping[str, Any] = {"linewidth": 0.35, "alpha": 0.4, "zorder": 1.8}  # single seeds, below the means
_OF_SHAPE = ("color", "linestyle", "drawstyle")  # options that thin lines share with the mean

_Study = TypeVar("_Study")


class Canvas(Figure):
    """A figure in the making, whose panels do not overlap, with notes for its reader and a record of every point.

    Attributes:
        notes: Sentences, in the order they were added.
        columns: Names of the coordinates in the csv: x, y and, in 3-D panels, z; and further ones.
        missed, left_out: Group of points -> masks of those above the solver's tolerance, and not on a logarithmic axis.
        missed_are, left_out_are: How the notes describe them.
        diverged: Name of a curve -> which of its seeds diverged, and when.
        grid, places: All places of panels, and those that are still free, row by row.
        averages: The notes on what is averaged, and how several seeds are drawn.
    """

    missed_are = "Open circles: eigenvalues whose residual is above the solver's tolerance"
    left_out_are = "Not drawn on a logarithmic axis: values at or below zero"

    def __init__(self, width: float = PANEL_WIDTH, height: float = PANEL_HEIGHT) -> None:
        """Create an empty figure; sizes in inches."""
        super().__init__(figsize=(width, height), layout="constrained")
        self.notes: list[str] = []
        self.columns: tuple[str, ...] = ("x", "y")
        self.missed: defaultdict[str, list[NDArray[np.bool_]]] = defaultdict(list)
        self.left_out: defaultdict[str, list[NDArray[np.bool_]]] = defaultdict(list)
        self.diverged: dict[str, str] = {}
        self.averages: list[str] = []
        self._panels: list[Panel] = []
        self._parts: list[pd.DataFrame] = []

    def note(self, *sentences: str) -> None:
        """Add sentences; empty ones, and those it has, are ignored."""
        self.notes += (each for each in sentences if each and each not in self.notes)

    def record(self, panel: str, series: str, run: str | NDArray[Any], **coordinates: ArrayLike) -> int:
        """Record the points of one artist for the csv; return their number.

        Args:
            panel: Name of the panel, unique in the figure.
            series: Name of the line or cloud in the panel.
            run: Id of the run behind the points, or one id per point (n,); empty if the points belong to no run.
            coordinates: The coordinates as plotted, each a number or (n,); and further columns, such as the deviation
                of a mean.
        """
        arrays = {name: np.atleast_1d(np.asarray(values, dtype=float)) for name, values in coordinates.items()}
        columns = dict(zip(arrays, np.broadcast_arrays(*arrays.values()), strict=True))
        self._parts.append(pd.DataFrame({"panel": panel, "series": series, "run": run, **columns}))
        return len(self._parts[-1])

    def table(self) -> pd.DataFrame:
        """All points in the order of plotting; coordinates that a panel lacks are NaN.

        If there is a mean over seeds, ``deviation`` is a further column, NaN for all other points.
        """
        numbers = [*self.columns, *["deviation"] * any("deviation" in part for part in self._parts)]
        names = ["panel", "series", "run", *numbers]
        table = pd.concat([pd.DataFrame(columns=names), *self._parts]).reset_index(drop=True)[names]
        return table.astype(dict.fromkeys(numbers, float))

    def lay_out(self, rows: int, columns: int, width: float = 1.25, height: float = 1.25) -> None:
        """Make room for rows and columns of panels; width and height of each in units of a usual panel."""
        self.set_size_inches(columns * width * PANEL_WIDTH, rows * height * PANEL_HEIGHT)
        self.grid = self.add_gridspec(rows, columns)
        self.places = iter([self.grid[row, column] for row in range(rows) for column in range(columns)])

    def panel(self, name: str, place: SubplotSpec | None = None, group: str | None = None, **properties: Any) -> Panel:
        """Add a panel at the next place, or at a given one.

        Args:
            name: Its name in the csv, unique in the figure, and its title, unless ``properties`` has another.
            place: Where it is.
            group: As in ``Panel``; none = its name.
            properties: Properties of the axes, such as labels and scales.
        """
        axes = self.add_subplot(next(self.places) if place is None else place, **{"title": name, **properties})
        return self.panel_on(axes, name, name if group is None else group)

    def panel_on(self, axes: Any, name: str, group: str) -> Panel:
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
        return self.table()


def drawing(
    draw: Callable[[Canvas, _Study, FigureInputs], None],
) -> Callable[[_Study, FigureInputs, str], tuple[Canvas, pd.DataFrame]]:
    """Make the function that draws a kind of figure on a canvas into one that returns the figure.

    The result takes the study, the results it is drawn from, and what was replaced or reduced. It returns the figure,
    and its points with columns panel, series, run, x, y, and more if the kind has them.
    """

    @styled
    @wraps(draw)
    def drawn(study: _Study, inputs: FigureInputs, foot: str) -> tuple[Canvas, pd.DataFrame]:
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

    def second(self, **properties: Any) -> Panel:
        """A second y axis, on the right."""
        axes = self.axes.twinx()
        axes.spines.right.set_visible(True)
        axes.set(**properties)
        return self.canvas.panel_on(axes, self.name, self.group)

    def record(self, series: str, run: str | NDArray[Any], **coordinates: ArrayLike) -> None:
        """Record the points of one artist, see ``Canvas.record``."""
        self.num_points += self.canvas.record(self.name, series, run, **coordinates)

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
