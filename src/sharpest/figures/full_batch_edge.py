"""Full-batch training at the edge of stability: loss, curvature relative to the edge, distance to the gradient flow."""

from typing import Any

import numpy as np

from sharpest.config.studies.full_batch_edge import FLOW, EdgeLine, FullBatchEdge
from sharpest.figures.canvas import Canvas, Panel, drawing
from sharpest.figures.inputs import FigureInputs
from sharpest.figures.over_seeds import OfSeed
from sharpest.figures.style import GREY, looks, make_room_for_legends
from sharpest.measures.spectra import Spectra
from sharpest.results.edges import edge_of, first_crossing
from sharpest.results.stored import Measured

_LOSS, _RATIO, _DISTANCE = "loss after every update", "λ₁ over its edge", "distance to the gradient flow"
_XLABELS = {"iteration": "iteration", "iteration x lr": "iteration × learning rate"}
_MOST_COLUMNS = 3


@drawing
def draw(canvas: Canvas, study: FullBatchEdge, inputs: FigureInputs) -> None:
    """Draw the panels in a column. The distance has a panel if it was measured.

    The crossing of a run is a point of the second panel, in a series that ends in ``: first crossing``.
    """
    ylabels = {_LOSS: "loss", _RATIO: "λ₁ / edge", _DISTANCE: "|θ − θ of the flow|"}
    if not any(line.flow for line in study.lines):
        del ylabels[_DISTANCE]
    canvas.lay_out(len(ylabels), 1, 1.8, 0.85)
    panels: dict[str, Panel] = {}
    for title, ylabel in ylabels.items():
        shared = panels[_LOSS].axes if panels else None
        panels[title] = canvas.panel(title, ylabel=ylabel, sharex=shared)
    panels[_LOSS].axes.set_yscale(study.scale)
    panels[_RATIO].axes.axhline(1, color=GREY, linestyle="--", linewidth=0.7)
    last = panels[list(ylabels)[-1]]
    last.axes.set_xlabel(_XLABELS[study.x])
    for line, (colour, dashes) in zip(study.lines, looks(), strict=False):
        _line(study, panels, line, {"color": colour, "linestyle": dashes}, inputs, last)
    last.legend(_MOST_COLUMNS)
    make_room_for_legends(canvas, 1, _MOST_COLUMNS)
    canvas.note("Dotted: first measured point above the edge.")
    canvas.of_seeds(study.lines)


def _line(
    study: FullBatchEdge, panels: dict[str, Panel], line: EdgeLine, look: dict[str, Any], inputs: FigureInputs,
    named_in: Panel,
) -> None:  # fmt: skip
    """Draw one run with its seeds in all panels."""
    spectra = inputs.by_seed(Spectra, line)
    lr = spectra[0].lr if study.x == "iteration x lr" else 1.0
    seeds = {_LOSS: [_losses(inputs, each, lr) for each in spectra], _RATIO: [_ratios(each, lr) for each in spectra]}
    if line.flow:
        flow = [inputs.measured(FLOW, each.model_copy(update={"schedule": line.flow})) for each in line.by_seed()]
        seeds[_DISTANCE] = [_by_iteration(each, each["distance"], lr) for each in flow]
    crossings = [(each, first_crossing(each.iteration, each.lambda_max, edge_of(each))) for each in spectra]
    for title, group in seeds.items():
        panels[title].line(line.label, group, **look)
        for _, crossing in crossings:
            if crossing is not None:
                panels[title].axes.axvline(lr * crossing, color=look["color"], linestyle=":", linewidth=0.7)
    for each, crossing in crossings:
        if crossing is not None:
            height = each.lambda_max[each.iteration == crossing][0] / edge_of(each)
            panels[_RATIO].record(f"{line.label}: first crossing", each.run, x=lr * crossing, y=height)
    empty = not any(len(each.x) for each in seeds[_RATIO])
    named_in.entry(line.label, {each.run: each.divergence for each in spectra}, empty, **look)


def _by_iteration(measured: Measured, y: Any, lr: float, missed: Any = None) -> OfSeed:
    return OfSeed(measured.run, lr * measured.iteration, y, measured.divergence, missed).at(np.isfinite(y))


def _losses(inputs: FigureInputs, spectra: Spectra, lr: float) -> OfSeed:
    snapshots = inputs[spectra.run].snapshots
    loss = snapshots.update_loss
    x = lr * (snapshots.iteration[0] + np.arange(len(loss)))
    return OfSeed(spectra.run, x, loss, spectra.divergence).at(np.isfinite(loss))


def _ratios(spectra: Spectra, lr: float) -> OfSeed:
    return _by_iteration(spectra, spectra.lambda_max / edge_of(spectra), lr, ~spectra.converged[:, 0])
