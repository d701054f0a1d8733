"""Largest eigenvalue and loss of branches whose steps are restricted along the top direction (Fig. 7)."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from sharpest.config.studies.restricted_steps import RestrictedPanel, RestrictedSteps
from sharpest.figures.inputs import FigureInputs
from sharpest.figures.over_seeds import OfSeed, draw_over_seeds, name_diverged, seeds_line
from sharpest.figures.style import (
    BLUE,
    GREEN,
    MARKERS,
    MISSED,
    OTHERS,
    PANEL_HEIGHT,
    PANEL_WIDTH,
    RED,
    NotedFigure,
    PlottedPoints,
    count_line,
    legend_below,
    ordered_colours,
    run_label,
    say_empty,
    styled,
)
from sharpest.results.stored import Snapshots, divergence

ORANGE, *_MORE = OTHERS
_COLOURS = (BLUE, ORANGE, GREEN, RED, *_MORE)  # as in the authors' code: SGD, only top, constant top, no top
_NUM_MARKERS = 12  # per line


@dataclass(frozen=True)
class _Measured:
    """One branch, with r refreshes of its eigenpairs."""

    iteration: NDArray[np.int64]  # (r,), since the branch
    values: Mapping[str, NDArray[np.float64]]  # lambda_max and loss, each (r,), nats; NaN where not measured
    missed: NDArray[np.bool_]  # (r,), lambda_max is finite and above the solver's tolerance
    diverged: str

    def line(self, run: str, quantity: str) -> OfSeed:
        """The finite values of a quantity; lambda_max includes which points missed the tolerance."""
        values = self.values[quantity]
        rows = np.isfinite(values)
        missed = self.missed[rows] if quantity == "lambda_max" else None
        return OfSeed(run, self.iteration[rows], values[rows], self.diverged, missed)


@styled
def draw(study: RestrictedSteps, inputs: FigureInputs, foot: str) -> tuple[NotedFigure, pd.DataFrame]:
    """Draw two panels, largest eigenvalue and loss, for each panel of the study.

    Args:
        study: The study to draw.
        inputs: Snapshots, whose first refresh of eigenpairs is at the branch point.
        foot: What was replaced or reduced.

    Returns:
        The figure, and its points with columns panel, series, run, x, y.

    Source: Fig. 7; inventory, Figure 7.
    """
    measured = {run: _read(inputs[run].snapshots) for run in study.runs()}
    figure = NotedFigure(2 * len(study.panels) * PANEL_WIDTH, 1.35 * PANEL_HEIGHT)
    points = PlottedPoints()
    all_axes = iter(figure.subplots(1, 2 * len(study.panels)))
    for panel in study.panels:
        _panel(next(all_axes), panel, "lambda_max", "largest eigenvalue", measured, points)
        _panel(next(all_axes), panel, "loss", "training loss", measured, points)
    curves = {panel.title: [curve.by_seed() for curve in panel.curves] for panel in study.panels}
    missed = {title: [measured[each.run].missed for seeds in own for each in seeds] for title, own in curves.items()}
    over_seeds = seeds_line(len(seeds) for own in curves.values() for seeds in own)
    figure.note(count_line(MISSED, missed), over_seeds, foot)
    return figure, points.table()


def _read(snapshots: Snapshots) -> _Measured:
    iteration, lambda_max = snapshots["refresh_iteration"], snapshots["eigenvalues"][:, 0]
    start = iteration[0] if len(iteration) else 0
    diverged = snapshots.diverged
    return _Measured(
        iteration=iteration - start,
        values={"lambda_max": lambda_max, "loss": snapshots["refresh_loss"]},
        missed=np.isfinite(lambda_max) & ~snapshots["converged"][:, 0],
        diverged=divergence(None if diverged is None else diverged - start, unit="iteration"),
    )


def _panel(
    axes: Axes,
    panel: RestrictedPanel,
    quantity: str,
    name: str,
    measured: Mapping[str, _Measured],
    points: PlottedPoints,
) -> None:
    title = f"{panel.title}: {name}"
    axes.set(title=title, xlabel="iterations since the branch", ylabel=name)
    colours = ordered_colours(len(panel.curves)) if panel.graded else cycle(_COLOURS)
    num_drawn = 0
    for curve, colour, marker in zip(panel.curves, colours, cycle(MARKERS)):
        seeds = [measured[each.run].line(each.run, quantity) for each in curve.by_seed()]
        longest = max(len(each.x) for each in seeds)
        diverged = name_diverged({each.run: measured[each.run].diverged for each in curve.by_seed()})
        draw_over_seeds(axes, title, curve.label, seeds, points, color=colour, linewidth=0.6, marker=marker,
                        markersize=4, markeredgecolor="white", markeredgewidth=0.4,
                        markevery=max(1, longest // _NUM_MARKERS),
                        label=run_label(curve.label, diverged, not longest))  # fmt: skip
        num_drawn += longest
    if not num_drawn:
        say_empty(axes)
    legend_below(axes, most_columns=2)
