"""A run at one iteration: its parameters, the losses whose curvature is measured, and all else a measure needs."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sharpest.config.run import HessianSettings
from sharpest.curvature.hessian import Hessian
from sharpest.curvature.lanczos import Eigenpairs
from sharpest.data.dataset import RunData, Split
from sharpest.data.randomness import generator
from sharpest.errors import StoreError
from sharpest.trajectory.eigenpairs import hessian_at, hessian_examples, largest_of, solve_eigenpairs
from sharpest.trajectory.problem import Problem
from sharpest.trajectory.replay import Replay, Walk
from sharpest.trajectory.state import TrainingState

if TYPE_CHECKING:
    from sharpest.results.stored import Measured


class _Values(dict[str, Any]):
    """The values of a measure at a point."""

    def __init__(self, measure: str, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self._measure = measure

    def __missing__(self, name: str) -> Any:
        raise KeyError(
            f"{self._measure} has no {name} at this point, but {', '.join(self)}; vectors are kept where a measure "
            f'needs them: needs={{"{self._measure}": {{"keep_vectors": True}}}}'
        )


class Point:
    """A run at one iteration: returned by ``open_point``, and passed to the function ``measure`` of a measure.

    The state is replayed on first use.

    Args:
        replay: The run.
        walk: The walk that leads to the point.
        iteration: Completed updates.
        hessian: Settings of the measured Hessian.
        stored: Files of other measures of the run, by name.
        place: Number of the point within its segment, from 0.
        carried: Values that earlier points of the segment left for this one; empty at the first. A measure may put
            values here that save work at the next point, such as the start of an eigensolve: tensors, arrays and simple
            values, which survive a kill.

    Attributes:
        run: Run id.
        iteration, place, carried: As passed.
        settings: Settings of the Hessian.
    """

    def __init__(
        self,
        replay: Replay,
        walk: Walk,
        iteration: int,
        hessian: HessianSettings,
        stored: Mapping[str, Measured],
        place: int = 0,
        carried: dict[str, Any] | None = None,
    ) -> None:
        self._replay, self._walk, self._stored = replay, walk, stored
        self.run = replay.problem.settings.run
        self.iteration, self.place, self.settings = iteration, place, hessian
        self.carried: dict[str, Any] = {} if carried is None else carried

    @cached_property
    def state(self) -> TrainingState:
        """The full state of training."""
        return self._walk.to(self.iteration)

    @cached_property
    def problem(self) -> Problem:
        """Data and net of the run, with the buffers of this state."""
        return self._replay.problem.at(self.state.buffers)

    @property
    def theta(self) -> Tensor:
        """(p,) float32 parameters."""
        return self.state.theta

    @property
    def num_parameters(self) -> int:
        """p; does not trigger the replay."""
        return self._replay.problem.model.num_parameters

    @property
    def start(self) -> Tensor:
        """(p,), the parameters at the start of the run; for a branch, at its branch point."""
        return self._replay.snapshot(0).theta

    @property
    def lr(self) -> float:
        """Learning rate of the next update."""
        return self.state.lr

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return self._replay.problem.settings.seed

    @property
    def data(self) -> RunData:
        """Training, validation and test examples, and the stream of training batches."""
        return self._replay.problem.data

    @cached_property
    def model(self) -> nn.Module:
        """A copy of the net with these parameters and buffers, in inference mode."""
        flat = self.problem.model
        module = copy.deepcopy(flat.module)
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                parameter.copy_(flat.views(self.theta)[name])
            buffers = dict(module.named_buffers())
            for name, value in flat.buffer_views(self.state.buffers).items():
                buffers[name].copy_(value)
        return module

    @cached_property
    def examples(self) -> Split:
        """The N Hessian examples."""
        return hessian_examples(self._replay.problem, self.iteration, self.settings)

    @property
    def inputs(self) -> Tensor:
        """Inputs of the Hessian examples."""
        return self.examples.inputs

    @property
    def targets(self) -> Tensor:
        """Targets of the Hessian examples."""
        return self.examples.targets

    def loss(self, theta: Tensor) -> Tensor:
        """The function whose Hessian is measured: mean loss over the N Hessian examples, with L2, in nats.

        Args:
            theta: (p,), float32 or float64; all computation is in its dtype.

        Returns:
            A scalar, twice differentiable.
        """
        return self.problem.mean_loss(theta, self.examples, self.settings.chunk_size)

    def clean_loss(self, theta: Tensor, num_examples: int | None = None) -> Tensor:
        """The loss of the alpha study and the profiles: mean over the first training examples, not augmented, with L2.

        Args:
            theta: (p,), float32 or float64; all computation is in its dtype.
            num_examples: Number of examples; by default as in ``directions`` if that was measured for the run, else N.

        Returns:
            A scalar in nats, twice differentiable.

        Source: inventory, Figure 6.
        """
        if num_examples is None:
            directions = self._stored.get("directions")
            num_examples = directions.settings["loss_examples"] if directions else self.settings.examples
        train = self.data.train.first(num_examples)
        return self.problem.mean_loss(theta, train, self.settings.chunk_size)

    def evaluate(self, split: Split) -> tuple[float, float]:
        """Loss without L2, and accuracy as a fraction, in inference mode."""
        return self.problem.evaluate(self.theta, split)

    def answers(self, split: Split) -> Tensor:
        """Whether the prediction of each target of a split is correct, (n,) bool, in inference mode."""
        return self.problem.answers(self.theta, split)[1]

    def gradients(self, num_gradients: int) -> Tensor:
        """Mini-batch gradients (m, p) of the training loss at the run's batch size; the iteration fixes the batches."""
        size, stream = self.problem.settings.batch_size, self.data.stream
        batches = (stream.sample(f"gradient-{m}", self.iteration, size) for m in range(num_gradients))
        return torch.stack([self.problem.gradient(self.theta, batch) for batch in batches])

    def random(self, purpose: str) -> torch.Generator:
        """A generator that depends only on seed, purpose and iteration."""
        return generator(self.seed, purpose, self.iteration)

    @cached_property
    def hessian(self) -> Hessian:
        """The Hessian of ``loss`` at theta.

        Raises:
            NotDeterministicError: If the loss takes different values at the same parameters.
        """
        return hessian_at(self.problem, self.theta, self.iteration, self.settings)

    def on(self, num_examples: int) -> Point:
        """The same point with another number of Hessian examples; all training examples if there are fewer."""
        other = copy.copy(self)
        for name in ("examples", "hessian"):
            other.__dict__.pop(name, None)
        count = min(num_examples, len(self.data.train))
        other.settings = self.settings.model_copy(update={"examples": count})
        return other

    def eigenpairs(self, num_eigenpairs: int, warm: Tensor | None = None) -> Eigenpairs:
        """Leading eigenpairs of the Hessian, to the tolerance of its settings.

        Args:
            num_eigenpairs: k; limited to p, the number of parameters.
            warm: (p,), sum of the eigenvectors of an earlier point, as a start for the solver; or None.
        """
        return solve_eigenpairs(self.problem, self.hessian, self.iteration, self.settings, num_eigenpairs, warm)

    def recorded(self, num_eigenpairs: int, with_vectors: bool) -> Eigenpairs | None:
        """Leading eigenpairs that training itself computed at this iteration, as for NSGD; None if it computed none.

        Args:
            num_eigenpairs: k.
            with_vectors: Whether the eigenvectors are needed; without, ``eigenvectors`` has no rows.
        """
        nudge = self._replay.problem.settings.nudge
        usable = nudge is not None and nudge.hessian == self.settings and nudge.num_eigenpairs >= num_eigenpairs
        if not usable or not self._replay.has_recorded(self.iteration, with_vectors):
            return None
        return largest_of(self._replay.recorded_eigenpairs(self.iteration, with_vectors), num_eigenpairs)

    def stored(self, measure: str) -> Mapping[str, NDArray[Any]]:
        """The values of another measure at this point: NumPy arrays by their names in its layout.

        Raises:
            StoreError: If that measure was not taken at this point; a measure lists those that it reads in ``needs``.
            KeyError: On access to eigenvectors that were not kept.
        """
        values = self._stored[measure].at(self.iteration) if measure in self._stored else None
        if values is None:
            raise StoreError(
                f"{measure} was not measured for {self.run} at iteration {self.iteration}; add it to the needs of the "
                "measure, or to the measures of a schedule"
            )
        return _Values(measure, values)

    @cached_property
    def eigenvalues(self) -> Tensor | None:
        """(k,) float64, signed, largest first; None if ``spectra`` was not measured at this point."""
        values = self._stored["spectra"].at(self.iteration) if "spectra" in self._stored else None
        return None if values is None else torch.from_numpy(values["eigenvalues"])

    @cached_property
    def eigenvectors(self) -> Tensor | None:
        """(k, p) float32, unit rows; None if they were not kept."""
        values = self._stored["spectra"].at(self.iteration) if "spectra" in self._stored else None
        if values is None or "eigenvectors" not in values:
            return None
        return torch.from_numpy(values["eigenvectors"]).to(self._replay.device)
