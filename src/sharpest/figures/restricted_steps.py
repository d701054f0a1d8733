"""Largest eigenvalue and loss of branches whose steps are restricted along the top direction (Fig. 7)."""

from itertools import cycle
from typing import Any

import numpy as np

from sharpest.config.studies.restricted_steps import RestrictedPanel, RestrictedSteps
from sharpest.figures.canvas import Canvas, Panel, drawing
from sharpest.figures.inputs import FigureInputs
from sharpest.figures.over_seeds import OfSeed
from sharpest.figures.style import BLUE, GREEN, MARKERS, OTHERS, RED, ordered_colours
from sharpest.results.stored import divergence

ORANGE, *_MORE = OTHERS
_COLOURS = (BLUE, ORANGE, GREEN, RED, *_MORE)  # as in the authors' code: SGD, only top, constant top, no top
_NUM_MARKERS = 12  # per line


@drawing
def draw(canvas: Canvas, study: RestrictedSteps, inputs: FigureInputs) -> None:
    """Draw two panels, largest eigenvalue and loss, for each panel of the study.

    Source: Fig. 7; inventory, Figure 7.
    """
    canvas.lay_out(1, 2 * len(study.panels), 1, 1.35)
    for panel in study.panels:
        for column, name in (("eigenvalues", "largest eigenvalue"), ("refresh_loss", "training loss")):
            labels: dict[str, Any] = {"xlabel": "iterations since the branch", "ylabel": name}
            _lines(canvas.panel(f"{panel.title}: {name}", group=panel.title, **labels), panel, column, inputs)
    canvas.of_seeds(curve for panel in study.panels for curve in panel.curves)


def _lines(drawn: Panel, panel: RestrictedPanel, column: str, inputs: FigureInputs) -> None:
    colours = ordered_colours(len(panel.curves)) if panel.graded else cycle(_COLOURS)
    for curve, colour, marker in zip(panel.curves, colours, cycle(MARKERS)):
        seeds = [_read(inputs, each.run, column) for each in curve.by_seed()]
        longest = max(len(each.x) for each in seeds)
        edges = {"markeredgecolor": "white", "markeredgewidth": 0.4}
        look: dict[str, Any] = {"color": colour, "linewidth": 0.6, "marker": marker, "markersize": 4, **edges}
        drawn.line(curve.label, seeds, markevery=max(1, longest // _NUM_MARKERS), **look)
        drawn.entry(curve.label, {str(each.run): each.diverged for each in seeds}, not longest, **look)
    drawn.legend(most_columns=2)


def _read(inputs: FigureInputs, run: str, column: str) -> OfSeed:
    """The finite values of a column by iteration since the branch, where eigenpairs are refreshed first."""
    snapshots = inputs[run].snapshots
    iteration, values, diverged = snapshots["refresh_iteration"], snapshots[column], snapshots.diverged
    start = iteration[0] if len(iteration) else 0
    text = divergence(None if diverged is None else diverged - start, unit="iteration")
    if column == "refresh_loss":
        return OfSeed(run, iteration - start, values, text).at(np.isfinite(values))
    missed = ~snapshots["converged"][:, 0]
    return OfSeed(run, iteration - start, values[:, 0], text, missed).at(np.isfinite(values[:, 0]))
