"""Open a run at an iteration: the parameters, and the very losses whose curvature was measured there."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from sharpest.config.measurement import MeasurementSettings
from sharpest.config.run import HessianSettings
from sharpest.data.dataset import Split
from sharpest.measures.losses import clean_loss, mean_loss
from sharpest.measures.spectra import SPECTRUM
from sharpest.results.file import StoredFile, open_stored
from sharpest.results.snapshots import SNAPSHOTS
from sharpest.trajectory.eigenpairs import hessian_examples
from sharpest.trajectory.problem import Problem
from sharpest.trajectory.replay import open_run


@dataclass(frozen=True)
class Point:
    """A run at one iteration.

    Attributes:
        run: Run id.
        iteration: Completed updates.
        theta: (p,) float32 parameters.
        model: The net with these parameters, in inference mode.
        inputs, targets: The N Hessian examples.
        eigenvalues: (k,) float64, signed, largest first; None where the point was not measured.
        eigenvectors: (k, p) float32, unit rows; None where they were not kept.
    """

    run: str
    iteration: int
    theta: Tensor
    model: nn.Module
    inputs: Tensor
    targets: Tensor
    eigenvalues: Tensor | None
    eigenvectors: Tensor | None
    _problem: Problem
    _hessian: HessianSettings
    _measurement: MeasurementSettings

    def loss(self, theta: Tensor) -> Tensor:
        """The function whose Hessian is measured: mean loss over the N Hessian examples, with L2, in nats.

        Args:
            theta: (p,), float32 or float64; everything runs in its dtype.

        Returns:
            A scalar, twice differentiable.
        """
        return mean_loss(self._problem.model, theta, Split(self.inputs, self.targets), self._hessian.chunk_size)

    def clean_loss(self, theta: Tensor) -> Tensor:
        """The function of the alpha study and the profiles: mean loss over the first clean training examples.

        Args:
            theta: (p,), float32 or float64; everything runs in its dtype.

        Returns:
            A scalar in nats, twice differentiable.
        """
        return clean_loss(self._problem, theta, self._measurement.loss_examples, self._hessian.chunk_size)


def open_point(run: str, iteration: int, scale: str = "quick", results: str | Path = "results") -> Point:
    """Open any iteration of a trained run, measured or not, by replay from the snapshot before it.

    Args:
        run: Run id.
        iteration: Completed updates, from 0 to the end of the run.
        scale: Name of the scale.
        results: The results folder.

    Raises:
        StoreError: If the run has not been trained at that scale, or a file is damaged.
        ValueError: If the iteration lies outside the run.

    Source: design, section 5.
    """
    folder = Path(results) / scale
    snapshots = folder / "runs" / run / "snapshots.h5"
    with open_run(snapshots, _data_of(folder, snapshots)) as replay:
        facts = replay.attributes
        if not replay.start <= iteration <= replay.end:
            raise ValueError(
                f"run {run}: iteration {iteration} lies outside the run, which has {replay.start} to {replay.end}"
            )
        (state,) = replay.states([iteration])
        problem = replay.problem.at(state.buffers)
    hessian = HessianSettings.model_validate(facts["hessian"])
    measurement = MeasurementSettings.model_validate(facts["measurement"])
    eigenvalues = eigenvectors = None
    best = -1
    for path in sorted((folder / "spectra" / run).glob("*.h5")):
        with open_stored(path, SPECTRUM) as spectrum:
            found, values, vectors = _measured(spectrum, iteration)
            if found > best:
                best, eigenvalues, eigenvectors = found, values, vectors
                # the Hessian of the measurement; the run may have been trained before that was configured
                hessian = HessianSettings.model_validate(spectrum.attributes["hessian"])
    model = problem.model
    with torch.no_grad():
        for name, parameter in model.module.named_parameters():
            parameter.copy_(model.views(state.theta)[name])
        for name, buffer in model.module.named_buffers():
            buffer.copy_(model.buffer_views(state.buffers)[name])
    examples = hessian_examples(problem, iteration, hessian)
    return Point(
        run, iteration, state.theta, model.module, examples.inputs, examples.targets, eigenvalues, eigenvectors,
        problem, hessian, measurement,
    )  # fmt: skip


def _data_of(folder: Path, snapshots: Path) -> Path:
    with open_stored(snapshots, SNAPSHOTS) as file:
        return folder / "data" / f"{file.attributes['config']['dataset_name']}.h5"


def _measured(spectrum: StoredFile, iteration: int) -> tuple[int, Tensor | None, Tensor | None]:
    """What a spectrum file knows of a point: 0 = nothing, 1 = eigenvalues (k,), 2 = eigenvectors (k, p) too."""
    rows = (spectrum["iteration"] == iteration).nonzero()[0]
    if len(rows) == 0:
        return 0, None, None
    values = torch.from_numpy(spectrum.row("eigenvalues", int(rows[0])))
    kept = (spectrum["vector_index"] == rows[0]).nonzero()[0]
    if len(kept) == 0:
        return 1, values, None
    return 2, values, torch.from_numpy(spectrum.row("eigenvectors", int(kept[0])))
