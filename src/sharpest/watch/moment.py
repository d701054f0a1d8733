"""One moment of a training loop, and which steps are watched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from sharpest.curvature.hessian import Hessian
from sharpest.curvature.lanczos import Eigenpairs, largest_eigenpairs
from sharpest.curvature.sizes import basis_size
from sharpest.data.randomness import generator
from sharpest.watch.nets import BatchLoss, Loss, MiniBatches, bare, num_examples, trained
from sharpest.watch.optimizers import Edges, edges_of


class Updates:
    """Counts the updates of an optimizer, which it does not change. Copies of the optimizer are not counted.

    It also notices parameters that change without an update, because another optimizer took the place of this one.

    Args:
        optimizer: The optimizer; None = nothing to count.

    Attributes:
        count: Updates so far.
        works: Whether there is an optimizer whose updates can be counted. Some classes do not call the ``__init__`` of
            ``torch.optim.Optimizer``, and then have no hooks.
    """

    def __init__(self, optimizer: Optimizer | None) -> None:
        self.count = self._counted = self._steps = 0
        self._sum: float | None = None
        self.works = hasattr(optimizer, "_optimizer_step_post_hooks")
        self._handle = optimizer.register_step_post_hook(self._add) if optimizer is not None and self.works else None

    def _add(self, *given: object) -> None:
        self.count += 1

    def step(self, updates: int) -> None:
        """Record updates that the training loop reports."""
        self._steps += updates

    def is_stale(self, theta: Tensor) -> bool:
        """Whether the net was trained since the last call, but not by the watched optimizer.

        Args:
            theta: (p,), the current parameters.
        """
        total = float(theta.sum(dtype=torch.float64))
        trained = self._steps > 0 and self._sum is not None and total != self._sum
        stale = self.works and trained and self.count == self._counted
        self._counted, self._steps, self._sum = self.count, 0, total
        return stale

    def close(self) -> None:
        """Stop counting."""
        if self._handle is not None:
            self._handle.remove()


_STALE = (
    "the parameters changed, but the watched optimizer made no update, so its edge does not hold; set "
    "monitor.optimizer to the one that trains"
)


@dataclass(frozen=True)
class Settings:
    """Settings of the measurements; see ``sharpest.watch.monitor.Monitor``."""

    quantities: tuple[str, ...]
    mode: Literal["current", "inference"]
    num_eigenpairs: int
    num_batches: int
    num_products: int
    tolerance: float
    seed: int

    @property
    def inference(self) -> bool:
        """Whether to measure in inference mode, regardless of the net's mode."""
        return self.mode == "inference"

    @property
    def wanted(self) -> int:
        """Number of eigenpairs to solve for; lambda_max alone needs one."""
        return self.num_eigenpairs if "eigenvalues" in self.quantities else 1


@dataclass(frozen=True)
class Subject:
    """The objects to measure, and the values that one measurement leaves for the next.

    Attributes:
        model, loss, optimizer: The user's objects.
        probe: Batches, with their weights in the mean.
        batches: Mini-batches.
        settings: Settings of the measurements.
        carried: Starts of the next solves and searches.
        say: Warns the user, once per message.
    """

    model: nn.Module
    loss: Loss
    optimizer: Optimizer | None
    probe: Sequence[tuple[Any, range]]
    batches: MiniBatches | None
    settings: Settings
    say: Callable[[str], None]
    carried: dict[str, Any] = field(default_factory=dict)

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The parameters that are measured: those that the optimizer updates."""
        return trained(bare(self.model), self.optimizer)

    def function(self, double: bool = False) -> BatchLoss:
        """The loss at the current state as a function of a vector of the measured parameters."""
        return BatchLoss(bare(self.model), self.loss, self.parameters, self.settings.inference, double)


class Moment:
    """The current state of training, for the duration of one measurement.

    Args:
        subject: The objects to measure.
        step: Completed updates.
        updates: Tell whether the watched optimizer trains the net.
        batch: Batch of the next step, if the caller passed one.

    Attributes:
        parameters: The measured parameters.
        function: The loss as a function of a vector of parameters.
        edges: Current edges of the optimizer.

    Raises:
        NotDeterministicError: If the loss takes different values at the same parameters.
    """

    def __init__(self, subject: Subject, step: int, updates: Updates, batch: Any = None) -> None:
        self.subject, self.settings, self.step, self.carried = subject, subject.settings, step, subject.carried
        self._batch = batch
        self.parameters, self.function = subject.parameters, subject.function()
        self.function.check_function(bare(subject.model), subject.probe[0][0])
        self.edges: Edges = edges_of(subject.optimizer, self.parameters)
        if updates.is_stale(self.theta):
            self.edges = Edges(reason=_STALE)

    @property
    def theta(self) -> Tensor:
        """(p,) parameters, float32 or float64."""
        return self.function.theta

    @cached_property
    def hessian(self) -> Hessian:
        """The Hessian of the mean loss over the probe."""
        return Hessian(self.function, self.theta, self.subject.probe)

    @cached_property
    def finite(self) -> bool:
        """Whether the gradient is finite; otherwise nothing can be measured."""
        return bool(self.hessian.gradient.isfinite().all())

    @cached_property
    def batch(self) -> tuple[Sequence[tuple[Any, range]], Hessian]:
        """The batch of the next step and its Hessian; without a batch, the probe."""
        if self._batch is None:
            return self.subject.probe, self.hessian
        chunks = [(self._batch, range(num_examples(self._batch) or 1))]
        return chunks, Hessian(self.function, self.theta, chunks)

    def random(self, purpose: str) -> torch.Generator:
        """The generator that a run of the pipeline with the same seed uses."""
        return generator(self.settings.seed, purpose, self.step)

    @cached_property
    def pairs(self) -> Eigenpairs:
        """Leading eigenpairs of the Hessian."""
        return self.solved("spectra", self.hessian.product, self.settings.wanted, [self.hessian.gradient])

    def solved(
        self, name: str, product: Callable[[Tensor], Tensor], num_eigenpairs: int, hints: list[Tensor]
    ) -> Eigenpairs:
        """Leading eigenpairs of an operator; the solve starts from hints and the pairs of the previous measurement."""
        k = min(num_eigenpairs, len(self.theta))
        before: Tensor | None = self.carried.get(name)
        # its length differs if layers were frozen or unfrozen since
        warm = [before.to(self.theta)] if before is not None and len(before) == len(self.theta) else []
        most, rng = 20 * basis_size(k), self.random("solver")
        pairs = largest_eigenpairs(product, self.theta, k, self.settings.tolerance, most, rng, [*hints, *warm])
        if not pairs.complete and np.isfinite(pairs.eigenvalues).all():
            self.subject.say(f"{name}: after {most} products a larger eigenvalue may still be missing; raise tolerance")
        if pairs.eigenvectors.any():
            self.carried[name] = pairs.eigenvectors.sum(dim=0)
        return pairs
