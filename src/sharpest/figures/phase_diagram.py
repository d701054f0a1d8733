"""The first steps of gradient descent by learning rate and width: catapults and divergence."""

import numpy as np
import pandas as pd

from sharpest.config.studies.phase_diagram import FIRST_STEPS, PhaseDiagram
from sharpest.errors import StoreError
from sharpest.figures.inputs import FigureInputs
from sharpest.figures.over_seeds import OfSeed, draw_over_seeds, joined, seeds_line
from sharpest.figures.style import (
    BLUE,
    GREEN,
    GREY,
    PANEL_HEIGHT,
    PANEL_WIDTH,
    RED,
    NotedFigure,
    PlottedPoints,
    legend_below,
    make_room_for_legends,
    ordered_colours,
    styled,
)
from sharpest.results.stored import Measured

_DIAGRAM, _AFTER = "outcome of the first steps", "after the last step"
_BOUNDARIES = {
    "c_loss": ("loss rises", BLUE, "o"),
    "c_sharp": ("sharpness rises", GREEN, "s"),
    "c_max": ("last bounded", RED, "^"),
}
_MOST_COLUMNS = 3
_TWO = "Dashed, left: c = 2, above which a quadratic loss rises. Boundaries beyond the measured c are not drawn."


@styled
def draw(study: PhaseDiagram, inputs: FigureInputs, foot: str) -> tuple[NotedFigure, pd.DataFrame]:
    """Draw the phase diagram, and the ratio of the sharpness after the last step to that before the first.

    Args:
        study: The study to draw.
        inputs: The first steps of its runs.
        foot: What was replaced or reduced.

    Returns:
        The figure, and its points with columns panel, series, run, x, y: 1 / width and the c of a boundary in the
        first panel, c and the ratio in the second.
    """
    measured = [[inputs.measured(FIRST_STEPS, each) for each in line.by_seed()] for line in study.lines]
    measured.sort(key=lambda seeds: _width(seeds[0]))
    figure, points = NotedFigure(2 * 1.25 * PANEL_WIDTH, 1.25 * PANEL_HEIGHT), PlottedPoints()
    diagram = figure.add_subplot(1, 2, 1, title=_DIAGRAM, xlabel="1 / width", ylabel="c = η λ₀")
    for column, (label, colour, marker) in _BOUNDARIES.items():
        runs = [[_boundary(each, column) for each in seeds] for seeds in measured]
        draw_over_seeds(
            diagram, _DIAGRAM, label, joined(runs), points, color=colour, marker=marker, markersize=3, label=label
        )
    diagram.axhline(2, color=GREY, linestyle="--", linewidth=0.7)
    after = figure.add_subplot(1, 2, 2, title=_AFTER, xlabel="c = η λ₀", ylabel="λ₁ / λ₀")
    after.set_xscale("log", base=2)
    after.set_yscale("log")
    after.xaxis.set_major_formatter("{x:g}")
    after.axhline(1, color=GREY, linestyle="--", linewidth=0.7)
    for seeds, shade in zip(measured, ordered_colours(len(measured)), strict=True):
        label = f"width {_width(seeds[0]):,}"
        draw_over_seeds(after, _AFTER, label, list(map(_sharpness_ratio, seeds)), points, color=shade, label=label)
    for axes in (diagram, after):
        legend_below(axes, most_columns=_MOST_COLUMNS)
    make_room_for_legends(figure, 1, _MOST_COLUMNS)
    figure.note(_TWO, seeds_line(len(seeds) for seeds in measured), foot)
    return figure, points.table()


def _width(measured: Measured) -> int:
    """Units of the widest hidden layer, at this scale."""
    model = measured.attributes["config"]["run"]["model"]
    if not model.get("widths"):
        raise StoreError(f"{measured.path}: a {model['kind']} has no width; use runs of kind fcn with hidden layers")
    return int(max(model["widths"]))


def _boundary(measured: Measured, column: str) -> OfSeed:
    """A boundary at the first point; no point if it lies beyond the measured c."""
    c = measured[column][:1]
    return OfSeed(measured.run, np.full(len(c), 1 / _width(measured)), c).at(np.isfinite(c))


def _sharpness_ratio(measured: Measured) -> OfSeed:
    """Sharpness after the last step over that before the first, by c; without values of c whose loss diverged."""
    ratio = measured["sharpness"][0, :, -1] / measured["lambda_0"][0]
    return OfSeed(measured.run, measured["factor"], ratio).at(np.isfinite(ratio))
