"""Open a run at an iteration: the parameters, and the very losses whose curvature was measured there."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from sharpest.config.measurement import MeasurementSettings
from sharpest.config.run import HessianSettings, RunSettings
from sharpest.errors import StoreError
from sharpest.losses import clean_loss, mean_loss
from sharpest.store.file import StoredFile, open_stored
from sharpest.store.snapshots import SNAPSHOTS
from sharpest.store.spectrum import SPECTRUM
from sharpest.training.eigenpairs import hessian_examples
from sharpest.training.problem import Problem, build_problem
from sharpest.training.replay import Replay


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
        return mean_loss(self._problem.model, theta, self.inputs, self.targets, self._hessian.chunk_size)

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
    with open_stored(folder / "runs" / run / "snapshots.h5", SNAPSHOTS) as snapshots:
        settings = RunSettings.model_validate(snapshots.attributes["config"])
        problem = build_problem(settings, folder / "data" / f"{settings.dataset_name}.h5")
        if problem.data.sha256 != snapshots.attributes["data_sha256"]:
            raise StoreError(f"{folder / 'data'}: the data has changed since {run} was trained; run snakemake again")
        replay = Replay(problem, snapshots)
        if not 0 <= iteration <= replay.end:
            raise ValueError(f"run {run}: iteration {iteration} lies outside the run, which has 0 to {replay.end}")
        (state,) = replay.states([iteration])
        hessian = HessianSettings.model_validate(snapshots.attributes["hessian"])
        measurement = MeasurementSettings.model_validate(snapshots.attributes["measurement"])
    eigenvalues = eigenvectors = None
    for path in sorted((folder / "spectra" / run).glob("*.h5")):
        with open_stored(path, SPECTRUM) as spectrum:
            # measured files know the Hessian best: the run may have been trained before it was configured
            hessian = HessianSettings.model_validate(spectrum.attributes["hessian"])
            found = _measured(spectrum, iteration)
        if found is not None and (eigenvectors is None or found[1] is not None):
            eigenvalues, eigenvectors = found
    model = problem.model
    with torch.no_grad():
        for name, parameter in model.module.named_parameters():
            parameter.copy_(model.views(state.theta)[name])
    examples = hessian_examples(problem, iteration, hessian)
    return Point(
        run, iteration, state.theta, model.module, examples.inputs, examples.targets, eigenvalues, eigenvectors,
        problem, hessian, measurement,
    )  # fmt: skip


def _measured(spectrum: StoredFile, iteration: int) -> tuple[Tensor, Tensor | None] | None:
    """Eigenvalues and, where kept, eigenvectors of a point of a spectrum file."""
    rows = (spectrum["iteration"] == iteration).nonzero()[0]
    if len(rows) == 0:
        return None
    kept = (spectrum["vector_index"] == rows[0]).nonzero()[0]
    vectors = torch.from_numpy(spectrum.row("eigenvectors", int(kept[0]))) if len(kept) else None
    return torch.from_numpy(spectrum.row("eigenvalues", int(rows[0]))), vectors
