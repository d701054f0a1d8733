"""The first steps of gradient descent by learning rate and width: catapults and divergence."""

import numpy as np

from sharpest.config.studies import FIRST_STEPS, PhaseDiagram
from sharpest.errors import StoreError
from sharpest.figures.canvas import (
    BLUE,
    GREEN,
    GREY,
    RED,
    Canvas,
    FigureInputs,
    drawing,
    make_room_for_legends,
    ordered_colours,
)
from sharpest.figures.seeds import OfSeed, joined
from sharpest.results.stored import Measured

_DIAGRAM, _AFTER = "outcome of the first steps", "after the last step"
_BOUNDARIES = {
    "c_loss": ("loss rises", BLUE, "o"),
    "c_sharp": ("sharpness rises", GREEN, "s"),
    "c_max": ("last bounded", RED, "^"),
}
_MOST_COLUMNS = 3
_TWO = "Dashed, left: c = 2, above which a quadratic loss rises. Boundaries beyond the measured c are not drawn."


@drawing
def draw(canvas: Canvas, study: PhaseDiagram, inputs: FigureInputs) -> None:
    """Draw the phase diagram, and the ratio of the sharpness after the last step to that before the first.

    The points are 1 / width and the c of a boundary in the first panel, c and the ratio in the second.
    """
    measured = [[inputs.measured(FIRST_STEPS, each) for each in line.by_seed()] for line in study.lines]
    measured.sort(key=lambda seeds: _width(seeds[0]))
    canvas.lay_out(1, 2)
    diagram = canvas.panel(_DIAGRAM, xlabel="1 / width", ylabel="c = η λ₀")
    for column, (label, colour, marker) in _BOUNDARIES.items():
        line = joined([_boundary(each, column) for each in seeds] for seeds in measured)
        diagram.line(label, line, color=colour, marker=marker, markersize=3, label=label)
    after = canvas.panel(_AFTER, xlabel="c = η λ₀", ylabel="λ₁ / λ₀", yscale="log")
    after.axes.set_xscale("log", base=2)
    after.axes.xaxis.set_major_formatter("{x:g}")
    for panel, height in ((diagram, 2), (after, 1)):
        panel.axes.axhline(height, color=GREY, linestyle="--", linewidth=0.7)
    for seeds, shade in zip(measured, ordered_colours(len(measured)), strict=True):
        label = f"width {_width(seeds[0]):,}"
        after.line(label, list(map(_sharpness_ratio, seeds)), color=shade, label=label)
    for panel in (diagram, after):
        panel.legend(_MOST_COLUMNS)
    make_room_for_legends(canvas, 1, _MOST_COLUMNS)
    canvas.note(_TWO)
    canvas.of_seeds(study.lines)


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
