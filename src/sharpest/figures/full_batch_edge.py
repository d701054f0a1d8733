"""Full-batch training at the edge of stability: loss, curvature relative to the edge, distance to the gradient flow."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from sharpest.config.studies.base import Curve
from sharpest.config.studies.full_batch_edge import FLOW, EdgeLine, FullBatchEdge
from sharpest.figures.inputs import FigureInputs
from sharpest.figures.over_seeds import OfSeed, draw_over_seeds, name_diverged, seeds_line
from sharpest.figures.style import (
    GREY,
    MISSED,
    PANEL_HEIGHT,
    PANEL_WIDTH,
    NotedFigure,
    PlottedPoints,
    count_line,
    legend_below,
    looks,
    make_room_for_legends,
    run_label,
    styled,
)
from sharpest.measures.spectra.reader import Spectra
from sharpest.results.edges import edge_of, first_crossing

_LOSS, _RATIO, _DISTANCE = "loss after every update", "λ₁ over its edge", "distance to the gradient flow"
_XLABELS = {"iteration": "iteration", "iteration x lr": "iteration × learning rate"}
_MOST_COLUMNS = 3
_CROSSING = "Dotted: first measured point above the edge."


@styled
def draw(study: FullBatchEdge, inputs: FigureInputs, foot: str) -> tuple[NotedFigure, pd.DataFrame]:
    """Draw the panels in a column. The distance has a panel if it was measured.

    Args:
        study: The study to draw.
        inputs: Snapshots, spectra, and distances to the gradient flow.
        foot: What was replaced or reduced.

    Returns:
        The figure, and its points with columns panel, series, run, x, y. The crossing of a run is a point of the
        second panel, in a series that ends in ``: first crossing``.
    """
    titles = [_LOSS, _RATIO, *[_DISTANCE] * any(line.flow for line in study.lines)]
    figure = NotedFigure(1.8 * PANEL_WIDTH, len(titles) * 0.85 * PANEL_HEIGHT)
    panels: dict[str, Axes] = {}
    for number, title in enumerate(titles, start=1):
        shared = next(iter(panels.values()), None)
        panels[title] = figure.add_subplot(len(titles), 1, number, title=title, sharex=shared)
    panels[_LOSS].set(yscale=study.scale, ylabel="loss")
    panels[_RATIO].set(ylabel="λ₁ / edge")
    panels[_RATIO].axhline(1, color=GREY, linestyle="--", linewidth=0.7)
    panels[titles[-1]].set(xlabel=_XLABELS[study.x])
    if _DISTANCE in panels:
        panels[_DISTANCE].set(ylabel="|θ − θ of the flow|")
    points, missed = PlottedPoints(), {}
    for line, look in zip(study.lines, looks(), strict=False):
        missed[line.label] = _line(study, panels, line, look, inputs, points)
    legend_below(panels[titles[-1]], most_columns=_MOST_COLUMNS, handles=_handles(panels[_RATIO]))
    make_room_for_legends(figure, 1, _MOST_COLUMNS)
    over_seeds = seeds_line(len(line.by_seed()) for line in study.lines)
    figure.note(_CROSSING, count_line(MISSED, missed), over_seeds, foot)
    return figure, points.table()


def _handles(axes: Axes) -> list[object]:
    return [line for line in axes.lines if not str(line.get_label()).startswith("_")]


def _line(
    study: FullBatchEdge,
    panels: dict[str, Axes],
    line: EdgeLine,
    look: tuple[str, Any],
    inputs: FigureInputs,
    points: PlottedPoints,
) -> list[NDArray[np.bool_]]:
    """Draw one run with its seeds in all panels; return which of its eigenvalues missed the tolerance."""
    (colour, dashes), spectra = look, inputs.by_seed(Spectra, line)
    lr = spectra[0].lr if study.x == "iteration x lr" else 1.0
    seeds = {
        _LOSS: [_losses(inputs, each, lr) for each in spectra],
        _RATIO: [_ratios(each, lr) for each in spectra],
    }
    if line.flow:
        flow = line.model_copy(update={"schedule": line.flow})
        seeds[_DISTANCE] = [_distances(inputs, each, lr) for each in flow.by_seed()]
    diverged = name_diverged({each.run: each.divergence for each in spectra})
    for title, group in seeds.items():
        drawn = draw_over_seeds(panels[title], title, line.label, group, points, color=colour, linestyle=dashes)
        if title == _RATIO:
            drawn.set_label(run_label(line.label, diverged, not any(len(each.x) for each in group)))
        for each in spectra:
            _mark_crossing(panels[title], each, lr, colour)
    for each in spectra:
        if (crossing := first_crossing(each.iteration, each.lambda_max, edge_of(each))) is not None:
            height = each.lambda_max[each.iteration == crossing][0] / edge_of(each)
            points.add(_RATIO, f"{line.label}: first crossing", each.run, x=lr * crossing, y=height)
    return [each.missed for each in seeds[_RATIO] if each.missed is not None]


def _mark_crossing(axes: Axes, spectra: Spectra, lr: float, colour: str) -> None:
    crossing = first_crossing(spectra.iteration, spectra.lambda_max, edge_of(spectra))
    if crossing is not None:
        axes.axvline(lr * crossing, color=colour, linestyle=":", linewidth=0.7)


def _losses(inputs: FigureInputs, spectra: Spectra, lr: float) -> OfSeed:
    snapshots = inputs[spectra.run].snapshots
    loss = snapshots.update_loss
    x = lr * (snapshots.iteration[0] + np.arange(len(loss)))
    return OfSeed(spectra.run, x, loss, spectra.divergence).at(np.isfinite(loss))


def _ratios(spectra: Spectra, lr: float) -> OfSeed:
    ratio = spectra.lambda_max / edge_of(spectra)
    missed = ~spectra.converged[:, 0]
    return OfSeed(spectra.run, lr * spectra.iteration, ratio, spectra.divergence, missed).at(np.isfinite(ratio))


def _distances(inputs: FigureInputs, curve: Curve, lr: float) -> OfSeed:
    flow = inputs.measured(FLOW, curve)
    distance = flow["distance"]
    return OfSeed(flow.run, lr * flow.iteration, distance, flow.divergence).at(np.isfinite(distance))
