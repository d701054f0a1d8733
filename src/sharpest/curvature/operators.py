"""The operator that the eigensolver and the estimates expect, and the generator of their random numbers."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

Seed = int | torch.Generator
"""A number, or a CPU generator, which the draws advance."""


class Operator(Protocol):
    """A symmetric operator H on vectors of p values: a Hessian, or any object with these two members.

    >>> import torch
    >>> from sharpest.curvature import trace
    >>> class Doubling:
    ...     theta = torch.zeros(3)
    ...
    ...     def product(self, vector):
    ...         return 2 * vector
    >>> round(trace(Doubling()).value, 4)
    6.0
    """

    @property
    def theta(self) -> Tensor:
        """(p,), the point at which the operator is taken; sets dtype and device."""

    def product(self, vector: Tensor, /) -> Tensor:
        """The product H v, (p,)."""


def generator_of(seed: Seed) -> torch.Generator:
    """The generator of a seed; a new one for a number."""
    return seed if isinstance(seed, torch.Generator) else torch.Generator().manual_seed(seed)
