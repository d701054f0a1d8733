"""Kinds at chosen moments of training: the spectral density, and how the leading eigenvectors turn and spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpest.config.studies import Curve, EigenvectorDrift, Moment, SpectralDensity, moment_name
from sharpest.curvature.quadrature import smeared
from sharpest.figures.canvas import GREY, Canvas, FigureInputs, Panel, drawing, looks, ordered_colours, say_empty
from sharpest.figures.seeds import OfSeed, mean_over_seeds, name_diverged
from sharpest.measures.spectra import Spectra
from sharpest.results.stored import common_points


def row_at(moment: Moment, epoch: NDArray[np.float64], lambda_max: NDArray[np.float64]) -> int:
    """The row closest to a moment.

    Args:
        moment: The moment.
        epoch: Epochs of the measurements (t,), increasing, at least one.
        lambda_max: Largest eigenvalues (t,), finite.
    """
    if moment == "peak":
        return int(lambda_max.argmax())
    fraction = {"start": 0.0, "end": 1.0}[moment] if isinstance(moment, str) else moment
    return int(np.abs(epoch - (epoch[0] + fraction * (epoch[-1] - epoch[0]))).argmin())


def moment_label(moment: Moment, epochs: Sequence[float]) -> str:
    """The name of a moment with its epoch, or the range of epochs if seeds differ.

    Args:
        moment: The moment.
        epochs: Its epoch in each seed that has it.
    """
    shown = list(dict.fromkeys(f"{epoch:.3g}" for epoch in sorted(epochs)))
    if not shown:
        return moment_name(moment)
    when = f"epoch {shown[0]}" if len(shown) == 1 else f"epochs {shown[0]} to {shown[-1]}"
    return f"{moment_name(moment)} ({when})"


_MOST_COLUMNS = 3
_REACH = 7  # the grid extends this many widths beyond the nodes
_CELLS_A_WIDTH = 2  # grid points per width
_BELOW = 0.05  # lower end of the y axis, as a fraction of the height of one eigenvalue
_OF_DENSITY = (
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
def spectral_density(canvas: Canvas, study: SpectralDensity, inputs: FigureInputs) -> None:
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
    canvas.note(_OF_DENSITY)
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


_MOST_NAMED, _NAME_SIZE = 12, 6  # layers are named up to this number; points
_OF_DRIFT = (
    "Overlap: mean squared cosine of the principal angles. Participation: 1/(p Σv⁴), 1 if all entries are equally "
    "large. Dashed: the mean over random directions."
)


@dataclass(frozen=True, eq=False)
class _Drift:
    """The eigenvectors of one seed at the v points that stored them.

    Attributes:
        run: Id of the run.
        diverged: When the run diverged, as text after its name; empty if it did not.
        epoch: Epochs (v,).
        similarity: |<e_1(t), e_1(t')>| (v, v).
        overlap: Overlap of the leading subspace with that of the previous point and of the first point (v,), by name.
        participation: 1 / (p sum v^4) (v, k).
        missed: Whether the residual is above the solver's tolerance (v, k).
        shares: Moment -> its epoch, and |e_1|^2 by layer (l,).
        null: Fraction of the parameters in each layer (l,).
        layers: Names of the layers.
        num_parameters: Number of parameters p.
    """

    run: str
    diverged: str
    epoch: NDArray[np.float64]
    similarity: NDArray[np.float64]
    overlap: Mapping[str, NDArray[np.float64]]
    participation: NDArray[np.float64]
    missed: NDArray[np.bool_]
    shares: Mapping[Moment, tuple[float, NDArray[np.float64]]]
    null: NDArray[np.float64]
    layers: Sequence[str]
    num_parameters: int


@drawing
def eigenvector_drift(canvas: Canvas, study: EigenvectorDrift, inputs: FigureInputs) -> None:
    """Draw a row of four panels for each run.

    The points have a z in the map of cosines, where x and y are the two epochs. The x of a layer is its number counted
    from the input, from 1.

    Source: arXiv 2606.30226.
    """
    canvas.lay_out(len(study.rows), 4, 1.15, 1.35)
    canvas.columns = ("x", "y", "z")
    titles = ("|⟨e₁(t), e₁(t′)⟩|", f"overlap of the leading {study.num_eigenvectors}", "participation", "e₁ by layer")
    for curve in study.rows:
        seeds = [_drift(study, inputs, each) for each in curve.by_seed()]
        canvas.diverged[curve.label] = name_diverged({each.run: each.diverged for each in seeds})
        cosines, overlap, participation, by_layer = (
            canvas.panel(f"{curve.label}: {title}", group=curve.label) for title in titles
        )
        if any(len(each.epoch) for each in seeds):
            _cosines(cosines, seeds)
            _overlap(overlap, seeds)
            _participation(participation, seeds)
            _by_layer(by_layer, seeds, study.moments)
    canvas.note(_OF_DRIFT)
    canvas.of_seeds(study.rows)


def _drift(study: EigenvectorDrift, inputs: FigureInputs, curve: Curve) -> _Drift:
    spectra, k = inputs.read(Spectra, curve), study.num_eigenvectors
    names, sizes = _layers(inputs[curve.run].snapshots.attributes["parameters"])
    index = spectra["vector_index"]
    kept = np.flatnonzero(np.isfinite(spectra.eigenvalues[index]).all(axis=1))
    rows, p = index[kept], spectra.num_parameters
    first = np.empty((len(kept), p), dtype=np.float32)
    overlap, participation = np.ones((2, len(kept))), np.empty((len(kept), k))
    before = start = np.empty((k, p))
    for place, row in enumerate(kept):
        vectors = spectra.row("eigenvectors", int(row))[:k].astype(np.float64)
        first[place] = vectors[0]
        participation[place] = 1 / (p * (vectors**4).sum(axis=1))
        if place:
            overlap[:, place] = [((other @ vectors.T) ** 2).sum() / k for other in (before, start)]
        else:
            start = vectors
        before = vectors
    epoch, lambda_max = spectra.epoch[rows], spectra.lambda_max[rows]
    ends = np.cumsum(sizes)
    shares: dict[Moment, tuple[float, NDArray[np.float64]]] = {}
    for moment in study.moments if len(kept) else ():
        at = row_at(moment, epoch, lambda_max)
        shares[moment] = epoch[at], np.add.reduceat(first[at].astype(np.float64) ** 2, ends - sizes)
    return _Drift(
        curve.run, spectra.divergence, epoch, np.abs(first @ first.T).astype(np.float64),
        {"with the point before": overlap[0], "with the first point": overlap[1]}, participation,
        ~spectra.converged[rows, :k], shares, sizes / p, names, p,
    )  # fmt: skip


def _layers(parameters: Sequence[tuple[str, Sequence[int]]]) -> tuple[list[str], NDArray[np.int64]]:
    """Names and sizes of the layers, in the order of the parameters; a layer is the parameters of one module."""
    names: list[str] = []
    sizes: list[int] = []
    for parameter, shape in parameters:
        name = parameter.rpartition(".")[0] or parameter
        if not names or names[-1] != name:
            names.append(name)
            sizes.append(0)
        sizes[-1] += int(np.prod(shape))
    return names, np.array(sizes)


def _cosines(panel: Panel, seeds: Sequence[_Drift]) -> None:
    """Draw the cosine as a map over two epochs; with several seeds, their mean."""
    # encode a pair of epochs as one complex number: the mean at a pair is then over the seeds that have it
    pairs = [
        OfSeed(each.run, (each.epoch[:, None] + 1j * each.epoch).ravel(), each.similarity.ravel(), each.diverged)
        for each in seeds
    ]
    for pair in pairs:
        panel.record("cosine", pair.run, x=pair.x.real, y=pair.x.imag, z=pair.y)
    shown, cosines = pairs[0].x, pairs[0].y
    if len(seeds) > 1:
        mean = mean_over_seeds(pairs)
        shown, cosines = mean.x, mean.y
        panel.record("cosine", mean.runs, x=shown.real, y=shown.imag, z=cosines, deviation=mean.deviation)
    epochs = np.unique(shown.real)
    cells = np.full((len(epochs), len(epochs)), np.nan)
    cells[np.searchsorted(epochs, shown.imag), np.searchsorted(epochs, shown.real)] = cosines
    axes = panel.axes
    axes.set(xlabel="epoch", ylabel="epoch", box_aspect=1)
    if len(epochs) < 2:
        say_empty(axes)
        return
    drawn = axes.pcolormesh(epochs, epochs, cells, cmap="magma", vmin=0, vmax=1, shading="nearest", rasterized=True)
    panel.canvas.colorbar(drawn, ax=axes, shrink=0.8)


def _overlap(panel: Panel, seeds: Sequence[_Drift]) -> None:
    panel.axes.set(xlabel="epoch", ylabel="overlap")
    for name, (colour, dashes) in zip(seeds[0].overlap, looks(), strict=False):
        lines = [OfSeed(each.run, each.epoch[1:], each.overlap[name][1:], each.diverged) for each in seeds]
        panel.line(name, lines, color=colour, linestyle=dashes, label=name)
    k = seeds[0].participation.shape[1]
    panel.level("random", k / seeds[0].num_parameters, f"{k}/p")
    panel.axes.set_ylim(0, 1.03)
    panel.legend(ncols=1)


def _participation(panel: Panel, seeds: Sequence[_Drift]) -> None:
    panel.axes.set(xlabel="epoch", ylabel="fraction of the parameters", yscale="log")
    count, p = seeds[0].participation.shape[1], seeds[0].num_parameters
    for index, colour in enumerate(ordered_colours(count)[::-1]):
        lines = [
            OfSeed(each.run, each.epoch, each.participation[:, index], each.diverged, each.missed[:, index])
            for each in seeds
        ]
        look = {"color": colour, "label": f"$e_{{{index + 1}}}$", "zorder": 3 - index / count}
        panel.line(f"e_{index + 1}", lines, mean_only=index > 0, **look)
    panel.level("random", (p + 2) / (3 * p), "random")
    panel.legend(ncols=3)


def _by_layer(panel: Panel, seeds: Sequence[_Drift], moments: Sequence[Moment]) -> None:
    """Draw the fraction of |e_1|^2 in each layer at each moment, and the fraction of the parameters."""
    layers = seeds[0].layers
    number = np.arange(1, len(layers) + 1)
    axes = panel.axes
    axes.set(xlabel="layer, from the input", ylabel="fraction of |e₁|²", ylim=(0, 1.03))
    for moment, colour in zip(moments, ordered_colours(len(moments)), strict=True):
        lines = [OfSeed(each.run, number, each.shares[moment][1], each.diverged) for each in seeds if each.shares]
        label = moment_label(moment, [each.shares[moment][0] for each in seeds if each.shares])
        panel.line(moment_name(moment), lines, color=colour, label=label, marker="o", markersize=2.5)
    axes.plot(number, seeds[0].null, "--", color=GREY, linewidth=0.7, marker="o", markersize=2, label="parameters")
    panel.record("parameters", "", x=number, y=seeds[0].null)
    if len(layers) <= _MOST_NAMED:
        axes.set_xticks(number, layers, rotation=90, fontsize=_NAME_SIZE)
    axes.legend(loc="best")  # not below, where names of layers may be long
