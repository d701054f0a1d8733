"""Shared by all figures: fonts, colours, the record of plotted points, notes, saving."""

import io
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import ScaledTranslation
from numpy.typing import ArrayLike, NDArray

from sharpest.figures.widths import INCHES, fit, keep_above
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


class PlottedPoints:
    """Record of every plotted point, for the csv of the figure."""

    def __init__(self) -> None:
        self._parts: list[pd.DataFrame] = []

    def add(self, panel: str, series: str, run: str | NDArray[Any], **coordinates: ArrayLike) -> int:
        """Record the points of one artist; return their number.

        Args:
            panel: Name of the panel, unique in the figure.
            series: Name of the line or cloud in the panel.
            run: Id of the run behind the points, or one id per point (n,); empty if the points belong to no run.
            coordinates: x, y and, in 3-D panels, z as plotted, each a number or (n,); and further columns, such as the
                deviation of a mean.
        """
        arrays = {name: np.atleast_1d(np.asarray(values, dtype=float)) for name, values in coordinates.items()}
        columns = dict(zip(arrays, np.broadcast_arrays(*arrays.values()), strict=True))
        self._parts.append(pd.DataFrame({"panel": panel, "series": series, "run": run, **columns}))
        return len(self._parts[-1])

    def table(self, columns: tuple[str, ...] = ("x", "y")) -> pd.DataFrame:
        """All points in the order of plotting; coordinates that a panel lacks are NaN.

        If there is a mean over seeds, ``deviation`` is a further column, NaN for all other points.
        """
        over_seeds = any("deviation" in part for part in self._parts)
        numbers = [*columns, *["deviation"] * over_seeds]
        names = ["panel", "series", "run", *numbers]
        table = pd.concat([pd.DataFrame(columns=names), *self._parts]).reset_index(drop=True)[names]
        return table.astype(dict.fromkeys(numbers, float))


def looks() -> Iterator[tuple[str, Any]]:
    """Colours and dashes of curves without an order: colours of equal lightness, alike in grey, differ in dashes."""
    return zip(cycle((RED, GREEN, BLUE, *OTHERS)), cycle(DASHES))


def ordered_colours(count: int) -> list[str]:
    """``count`` colours from dark blue to light orange, whose order is visible in grey print."""
    return [to_hex(_ORDERED(float(place))) for place in np.linspace(0, _LIGHTEST, count)]


class NotedFigure(Figure):
    """A figure with notes for its reader.

    Attributes:
        notes: Sentences, in the order they were added.
    """

    def __init__(self, width: float, height: float) -> None:
        """Create an empty figure whose panels do not overlap; sizes in inches."""
        super().__init__(figsize=(width, height), layout="constrained")
        self.notes: list[str] = []

    def note(self, *sentences: str) -> None:
        """Add sentences; empty ones, and those it has, are ignored."""
        self.notes += (each for each in sentences if each and each not in self.notes)


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


def running_mean(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Moving average along the last axis, (..., t) to (..., t - window + 1); one mean if t < window."""
    window = min(window, values.shape[-1])
    if window < 2:
        return values
    return np.lib.stride_tricks.sliding_window_view(values, window, axis=-1).mean(axis=-1)


def _draw_foot(figure: Figure, text: str) -> Text:
    """Write a small grey line at the bottom, below the panels."""
    foot = figure.text(0.008, 0.012, text, color=GREY, fontsize=_FOOT_SIZE, va="bottom")
    foot.set_in_layout(False)
    keep_above(figure, foot)
    return foot


@styled
def save(figure: NotedFigure, table: pd.DataFrame, foot: str, width: str, stem: Path) -> None:
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
