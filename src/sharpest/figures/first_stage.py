"""Curvature, accuracy and learning rate of runs that drop the learning rate at different times (Fig. 12)."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sharpest.config.studies.base import Curve
from sharpest.config.studies.first_stage import FirstStage
from sharpest.figures.along import OF_SEEDS, curvature_lines, norm_axis, separate, tracked
from sharpest.figures.canvas import Canvas, drawing
from sharpest.figures.inputs import FigureInputs
from sharpest.figures.over_seeds import OfSeed, joined
from sharpest.figures.style import ordered_colours
from sharpest.measures.spectra import Spectra

_ACCURACIES = {"train_accuracy": "-", "val_accuracy": "--"}


@drawing
def draw(canvas: Canvas, study: FirstStage, inputs: FigureInputs) -> None:
    """Draw each branch, preceded by its trunk.

    The run of points before the branch is the trunk; a moving average has the run and the epoch of its central point.

    Source: Fig. 12; inventory, Figure 12.
    """
    canvas.lay_out(1, 3, height=1.4)
    curvature, title = canvas.panel("curvature"), "accuracy, solid: training, dashed: validation"
    accuracy = canvas.panel("accuracy", title=title, xlabel="epoch", ylabel="accuracy (%)")
    rate = canvas.panel("learning rate", xlabel="epoch", ylabel="learning rate")
    norm = norm_axis(curvature)
    trunk = [_read(inputs, each) for each in study.trunk.by_seed()]
    for curve, colour in zip(study.branches, ordered_colours(len(study.branches)), strict=True):
        seeds = _preceded(trunk, [_read(inputs, each) for each in curve.by_seed()])
        curvature_lines(curvature, norm, curve.label, seeds, colour, curve.label)
        for name, dashes in _ACCURACIES.items():
            means = [each[name].at(np.isfinite(each[name].y)).smoothed(study.smoothing) for each in seeds]
            lines = [replace(mean, y=100 * mean.y) for mean in means]
            accuracy.line(f"{curve.label}, {name}", lines, linestyle=dashes, color=colour)
        rate.line(curve.label, [_from_the_start(each["lr"]) for each in seeds], drawstyle="steps-pre", color=colour)
        diverged = {run.run: each["lr"].diverged for run, each in zip(curve.by_seed(), seeds, strict=True)}
        empty = not any(len(each["lambda_max"].x) for each in seeds)
        accuracy.entry(curve.label, diverged, empty, color=colour)
    accuracy.legend(most_columns=2)
    separate(curvature)
    count = inputs.read(Spectra, study.trunk).eigenvalues.shape[1]
    canvas.note(
        f"Frobenius norm: of the {count} tracked eigenvalues. Before the branch point, each curve shows the run "
        f"{study.trunk.label}."
    )
    canvas.of_seeds(study.branches, rest=OF_SEEDS)


def _read(inputs: FigureInputs, curve: Curve) -> dict[str, OfSeed]:
    """What is drawn of one seed of a trunk or a branch, by name, against the epoch."""
    spectra, history = inputs.read(Spectra, curve), inputs[curve.run].history
    epoch, diverged = history["epoch"].to_numpy(), spectra.divergence
    rows = {name: OfSeed(curve.run, epoch, history[name].to_numpy(), diverged) for name in (*_ACCURACIES, "lr")}
    return tracked(spectra) | rows


def _preceded(trunks: Sequence[dict[str, OfSeed]], branches: Sequence[dict[str, OfSeed]]) -> list[dict[str, OfSeed]]:
    """Each branch after the points of its trunk before the first one of the branch; empty if the branch is."""
    return [{name: _after(trunk[name], branch[name]) for name in branch}
            for trunk, branch in zip(trunks, branches, strict=True)]  # fmt: skip


def _after(trunk: OfSeed, branch: OfSeed) -> OfSeed:
    before = trunk.at(trunk.x < branch.x.min(initial=np.inf) if len(branch.x) else slice(0))
    return joined([[before], [branch]])[0]


def _from_the_start(rate: OfSeed) -> OfSeed:
    """A row holds the rate of the epoch it ends, so the line starts one epoch earlier."""
    first = rate.at(slice(1))
    return joined([[replace(first, x=first.x - 1)], [rate]])[0]
