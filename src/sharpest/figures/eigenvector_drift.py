"""How fast the leading eigenvectors turn, and over how many parameters and which layers they spread."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sharpest.config.studies.base import Curve
from sharpest.config.studies.eigenvector_drift import EigenvectorDrift
from sharpest.config.studies.moments import Moment, moment_name
from sharpest.figures.canvas import Canvas, Panel, drawing
from sharpest.figures.inputs import FigureInputs
from sharpest.figures.moments import moment_label, row_at
from sharpest.figures.over_seeds import OfSeed, mean_over_seeds, name_diverged
from sharpest.figures.style import GREY, looks, ordered_colours, say_empty
from sharpest.measures.spectra import Spectra

_MOST_NAMED, _NAME_SIZE = 12, 6  # layers are named up to this number; points
_READING = (
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
def draw(canvas: Canvas, study: EigenvectorDrift, inputs: FigureInputs) -> None:
    """Draw a row of four panels for each run.

    The points have a z in the map of cosines, where x and y are the two epochs. The x of a layer is its number counted
    from the input, from 1.

    Source: arXiv 2606.30226.
    """
    canvas.lay_out(len(study.rows), 4, 1.15, 1.35)
    canvas.columns = ("x", "y", "z")
    titles = ("|⟨e₁(t), e₁(t′)⟩|", f"overlap of the leading {study.num_eigenvectors}", "participation", "e₁ by layer")
    for curve in study.rows:
        seeds = [_read(study, inputs, each) for each in curve.by_seed()]
        canvas.diverged[curve.label] = name_diverged({each.run: each.diverged for each in seeds})
        cosines, overlap, participation, by_layer = (
            canvas.panel(f"{curve.label}: {title}", group=curve.label) for title in titles
        )
        if any(len(each.epoch) for each in seeds):
            _cosines(cosines, seeds)
            _overlap(overlap, seeds)
            _participation(participation, seeds)
            _by_layer(by_layer, seeds, study.moments)
    canvas.note(_READING)
    canvas.of_seeds(study.rows)


def _read(study: EigenvectorDrift, inputs: FigureInputs, curve: Curve) -> _Drift:
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
