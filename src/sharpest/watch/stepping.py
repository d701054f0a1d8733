"""Whether the watched optimizer is the one that trains the net."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim import Optimizer


class Updates:
    """Counts the updates of an optimizer, which it does not change. Copies of the optimizer are not counted.

    Args:
        optimizer: The optimizer; None = nothing to count.

    Attributes:
        count: Updates so far.
        works: Whether there is an optimizer whose updates can be counted. Some classes do not call the ``__init__`` of
            ``torch.optim.Optimizer``, and then have no hooks.
    """

    def __init__(self, optimizer: Optimizer | None) -> None:
        self.count = 0
        self.works = hasattr(optimizer, "_optimizer_step_post_hooks")
        self._handle = optimizer.register_step_post_hook(self._add) if optimizer is not None and self.works else None

    def _add(self, *given: object) -> None:
        self.count += 1

    def close(self) -> None:
        """Stop counting."""
        if self._handle is not None:
            self._handle.remove()


class Stepping:
    """Notices parameters that change without an update of the watched optimizer, because another one took its place.

    Args:
        optimizer: The watched optimizer, or None.
    """

    def __init__(self, optimizer: Optimizer | None) -> None:
        self._updates = Updates(optimizer)
        self._counted, self._steps = 0, 0
        self._sum: float | None = None

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
        stale = self._updates.works and trained and self._updates.count == self._counted
        self._counted, self._steps, self._sum = self._updates.count, 0, total
        return stale

    def close(self) -> None:
        """Stop counting."""
        self._updates.close()
