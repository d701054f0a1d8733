"""What the eigensolver and the estimates ask of an operator, and where their random numbers come from."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

Seed = int | torch.Generator
"""A number, or a generator on the CPU that the draws move on."""


class Operator(Protocol):
    """A symmetric operator H on vectors of p values: a Hessian, or anything else with these two.

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
        """(p,), where it is taken; gives dtype and device."""

    def product(self, vector: Tensor, /) -> Tensor:
        """H v, (p,)."""


def generator_of(seed: Seed) -> torch.Generator:
    """The generator of a seed, new for a number."""
    return seed if isinstance(seed, torch.Generator) else torch.Generator().manual_seed(seed)
