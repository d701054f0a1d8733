"""What all figures share: fonts, colours, the record of what is plotted, the foot line, saving."""

import textwrap
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation
from numpy.typing import ArrayLike

PANEL_WIDTH, PANEL_HEIGHT = 2.7, 2.3  # inches

BLUE, GREEN, RED, GREY = "tab:blue", "tab:green", "tab:red", "0.45"
OTHERS = ("tab:orange", "tab:brown", "tab:pink", "tab:cyan")

_BLUE_TO_RED = LinearSegmentedColormap.from_list("blue_to_red", ["#1f4fd0", "#8a3a9c", "#d7191c"])
_FOOT_SIZE = 6.5  # points
_LABEL_DEPTH = -28  # points, where tick and axis labels end
_POINTS_PER_INCH = 72

# decorates every function that makes or saves artists, because some settings are read only at saving
styled = matplotlib.rc_context(
    {
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
    """Every plotted point, kept as it is plotted; becomes the csv of the figure."""

    def __init__(self) -> None:
        self._parts: list[pd.DataFrame] = []

    def add(self, panel: str, series: str, run: str, **coordinates: ArrayLike) -> None:
        """Keep the points of one artist.

        Args:
            panel: Name of the panel, unique in the figure.
            series: Name of the line or cloud in the panel.
            run: Id of the run behind the points; empty where no run is.
            coordinates: x, y and in 3-D panels z, each a number or (n,), as plotted.
        """
        arrays = {name: np.atleast_1d(np.asarray(values, dtype=float)) for name, values in coordinates.items()}
        columns = dict(zip(arrays, np.broadcast_arrays(*arrays.values()), strict=True))
        self._parts.append(pd.DataFrame({"panel": panel, "series": series, "run": run, **columns}))

    def table(self, columns: tuple[str, ...] = ("x", "y")) -> pd.DataFrame:
        """All points in the order of plotting; a coordinate that a panel has not is NaN."""
        names = ["panel", "series", "run", *columns]
        return pd.concat([pd.DataFrame(columns=names), *self._parts]).reset_index(drop=True)[names]


def blue_to_red(count: int) -> list[tuple[float, float, float, float]]:
    """``count`` colours, the first blue, the last red."""
    return [_BLUE_TO_RED(float(place)) for place in np.linspace(0, 1, count)]


def new_figure(width: float, height: float) -> Figure:
    """An empty figure that keeps its panels from overlapping; sizes in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def say_empty(axes: Axes) -> None:
    """Tell that a panel has no points because the run gave none, e.g. one that diverged at once."""
    axes.set_axis_off()
    axes.annotate("no finite measurement", (0.5, 0.5), xycoords="axes fraction", ha="center", va="center", color=GREY)


def note(axes: Axes, text: str) -> None:
    """A small grey remark above the right end of a panel, where no data can be."""
    axes.set_title(text, loc="right", color=GREY, fontsize=_FOOT_SIZE)


def legend_below(axes: Axes, **options: Any) -> None:
    """A legend under the label of the x axis, where no data can be; options as of ``Axes.legend``."""
    # in points, because a distance in parts of the panel varies with its height
    below_label = ScaledTranslation(0, _LABEL_DEPTH / _POINTS_PER_INCH, axes.figure.dpi_scale_trans)
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, 0), bbox_transform=axes.transAxes + below_label, borderpad=0, **options
    )


def add_foot(figure: Figure, *lines: str) -> None:
    """Write small grey lines at the bottom, wrapped to the width of the figure; the panels stay above them."""
    # 0.58 of the font size is a generous mean width of a letter of the default font
    characters = int(figure.get_figwidth() * _POINTS_PER_INCH / (0.58 * _FOOT_SIZE))
    text = "\n".join(textwrap.fill(line, characters) for line in lines if line)
    foot = figure.text(0.008, 0.012, text, color=GREY, fontsize=_FOOT_SIZE, va="bottom", linespacing=1.3)
    foot.set_in_layout(False)
    top = foot.get_window_extent().y1 / figure.bbox.height + 0.02
    engine: Any = figure.get_layout_engine()
    engine.set(rect=(0, top, 1, 1 - top))


@styled
def save(figure: Figure, table: pd.DataFrame, pdf: Path, png: Path, csv: Path) -> None:
    """Write a figure and its points. The same figure gives the same bytes: no dates, floats in full."""
    figure.savefig(pdf, metadata={"CreationDate": None})
    figure.savefig(png, dpi=150)
    table.to_csv(csv, index=False, lineterminator="\n")
