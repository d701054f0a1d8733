"""Spectral density at chosen moments of training, with the leading eigenvalues as ticks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpest.config.studies.base import Curve
from sharpest.config.studies.moments import Moment, moment_name
from sharpest.config.studies.spectral_density import SpectralDensity
from sharpest.curvature.quadrature import smeared
from sharpest.figures.canvas import Canvas, Panel, drawing
from sharpest.figures.inputs import FigureInputs
from sharpest.figures.moments import moment_label, row_at
from sharpest.figures.over_seeds import OfSeed, mean_over_seeds, name_diverged
from sharpest.figures.style import GREY, ordered_colours
from sharpest.measures.spectra import Spectra
from sharpest.results.stored import common_points

_MOST_COLUMNS = 3
_REACH = 7  # the grid extends this many widths beyond the nodes
_CELLS_A_WIDTH = 2  # grid points per width
_BELOW = 0.05  # lower end of the y axis, as a fraction of the height of one eigenvalue
_READING = (
    "Ticks: the leading eigenvalues from the eigensolver. Dotted: height of one eigenvalue. Density from stochastic "
    "Lanczos quadrature, per unit of the x axis, with integral 1."
)


@dataclass(frozen=True, eq=False)
class _Moment:
    """One moment of one seed, with eigenvalues in units of 2/lr.

    Attributes:
        run: Id of the run.
        diverged: When the run diverged, as text after its name; empty if it did not.
        epoch: Epoch of the moment.
        nodes: Quadrature nodes of n probes (n, m).
        weights: Quadrature weights (n, m).
        eigenvalues: The leading eigenvalues (k,).
        num_parameters: Number of parameters p.
    """

    run: str
    diverged: str
    epoch: float
    nodes: NDArray[np.float64]
    weights: NDArray[np.float64]
    eigenvalues: NDArray[np.float64]
    num_parameters: int


@drawing
def draw(canvas: Canvas, study: SpectralDensity, inputs: FigureInputs) -> None:
    """Draw one panel for each run. The y of ticks is their height in the panel.

    Source: Ghorbani, Krishnan and Xiao (2019); Papyan (2019) for the outliers.
    """
    num_rows = -(-len(study.panels) // _MOST_COLUMNS)
    canvas.lay_out(num_rows, -(-len(study.panels) // num_rows), 1.3, 1.35)
    for curve in study.panels:
        labels: dict[str, Any] = {"xlabel": "eigenvalue, in units of 2/η", "ylabel": "density", "yscale": "log"}
        seeds = [_read(inputs, each, study.moments) for each in curve.by_seed()]
        canvas.diverged[curve.label] = name_diverged({run: text for run, text, _ in seeds})
        by_moment = {
            moment: [of_seed[moment] for _, _, of_seed in seeds if moment in of_seed] for moment in study.moments
        }
        # densities are zero beyond the nodes, which is not worth a note
        _panel(canvas.panel(curve.label, group="", **labels), by_moment, study.width)
    canvas.note(_READING)
    canvas.of_seeds(study.panels)


def _read(inputs: FigureInputs, curve: Curve, moments: Sequence[Moment]) -> tuple[str, str, dict[Moment, _Moment]]:
    """The run, its divergence, and its moments; no moments if the run has no finite point."""
    spectra = inputs.read(Spectra, curve)
    density, spectra = common_points(inputs.measured("density", curve), spectra)
    finite = np.flatnonzero(np.isfinite(density["lambda_max"]) & np.isfinite(spectra.lambda_max))
    by_moment = {}
    for moment in moments if len(finite) else ():
        row = finite[row_at(moment, density.epoch[finite], spectra.lambda_max[finite])]
        unit = density.lr / 2
        by_moment[moment] = _Moment(
            curve.run, spectra.divergence, float(density.epoch[row]), unit * density["nodes"][row],
            density["weights"][row], unit * spectra.eigenvalues[row], spectra.num_parameters,
        )  # fmt: skip
    return curve.run, spectra.divergence, by_moment


def _panel(panel: Panel, by_moment: dict[Moment, list[_Moment]], width: float) -> None:
    all_seeds = [each for seeds in by_moment.values() for each in seeds]
    if not all_seeds:
        return
    height = 1 / (all_seeds[0].num_parameters * width * np.sqrt(2 * np.pi))
    ends = [min(each.nodes.min() for each in all_seeds), max(each.nodes.max() for each in all_seeds)]
    for number, ((moment, seeds), colour) in enumerate(
        zip(by_moment.items(), ordered_colours(len(by_moment)), strict=True), start=1
    ):
        if seeds:
            name, label = moment_name(moment), moment_label(moment, [each.epoch for each in seeds])
            panel.line(name, _densities(seeds, width), color=colour, label=label, linewidth=0.8)
            _ticks(panel, f"eigenvalues, {name}", seeds, height * _BELOW * 1.7**number, colour)
    axes = panel.axes
    axes.plot(ends, [height, height], ":", color=GREY, linewidth=0.7, zorder=1.5)
    panel.record("one eigenvalue", "", x=ends, y=height)
    axes.set_ylim(bottom=height * _BELOW)
    if ends[1] > 2 / 3:  # a distant line would squeeze the densities
        axes.axvline(1, color=GREY, linestyle="--", linewidth=0.7, zorder=1.5)
    panel.legend(ncols=1)


def _densities(seeds: Sequence[_Moment], width: float) -> list[OfSeed]:
    """The density of each seed on a common grid, so that means can be taken; zero beyond the nodes of a seed."""
    step = width / _CELLS_A_WIDTH
    first = min(np.floor((each.nodes.min() - _REACH * width) / step) for each in seeds)
    last = max(np.ceil((each.nodes.max() + _REACH * width) / step) for each in seeds)
    grid = step * np.arange(first, last + 1)
    return [OfSeed(each.run, grid, smeared(each.nodes, each.weights, width, grid), each.diverged) for each in seeds]


def _ticks(panel: Panel, series: str, seeds: Sequence[_Moment], height: float, colour: object) -> None:
    """Draw the leading eigenvalues as ticks; with several seeds, the means by rank."""
    for each in seeds:
        panel.record(series, each.run, x=each.eigenvalues, y=height)
    shown = seeds[0].eigenvalues
    if len(seeds) > 1:
        ranks = [OfSeed(each.run, np.arange(len(each.eigenvalues)), each.eigenvalues, each.diverged) for each in seeds]
        mean = mean_over_seeds(ranks)
        shown = mean.y
        panel.record(series, mean.runs, x=shown, y=height, deviation=0)
    panel.axes.plot(shown, np.full(len(shown), height), "|", color=colour, markersize=5, markeredgewidth=0.7)
