"""Products of a Hessian by central differences of gradients, for losses without a second derivative."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, reduce

import torch
from torch import Tensor

_MOST_DOUBLINGS = 12  # of the step
_CLEARLY = 0.75  # rounding halves when the step is doubled


class CentralDifferences:
    """Products H v from two gradients each, with a step that is searched once, and a bound on their error.

    Args:
        slopes: Gradient (p,) of each chunk's share of the mean loss, as a function of parameters (p,).
        theta: (p,), the point at which the Hessian is taken.
    """

    def __init__(self, slopes: Sequence[Callable[[Tensor], Tensor]], theta: Tensor) -> None:
        self._slopes, self._theta = slopes, theta

    @cached_property
    def gradient(self) -> Tensor:
        """Gradient of the mean loss, (p,)."""
        return sum((slope(self._theta) for slope in self._slopes), torch.zeros_like(self._theta))

    def product(self, vector: Tensor) -> Tensor:
        """The product with a vector (p,); (p,)."""
        return self._difference(vector, self._step)

    def error(self, vector: Tensor) -> float:
        """A bound on the error of a product, |H v - product(v)|: its change with the step.

        A doubled step has four times the truncation error. A step of a sixteenth has almost none of it, sixteen times
        the rounding error, and crosses fewer kinks.
        """
        product = self.product(vector)
        return max(float((self._difference(vector, self._step * each) - product).norm()) for each in (2, 1 / 16))

    @property
    def tolerance(self) -> float:
        """Change of a product when the step is doubled, relative to the product, along the gradient."""
        return self._search[1]

    @property
    def _step(self) -> float:
        return self._search[0]

    def _difference(self, vector: Tensor, step: float) -> Tensor:
        """The central difference of the gradient along a vector, with a step of some length."""
        length = float(vector.norm())
        if length == 0:
            return torch.zeros_like(vector)
        shift = vector * (step / length)
        ahead, behind = self._theta + shift, self._theta - shift
        return reduce(torch.add, ((slope(ahead) - slope(behind)) * (length / (2 * step)) for slope in self._slopes))

    @cached_property
    def _search(self) -> tuple[float, float]:
        """The length of the step, from the rounding of the gradients; and ``tolerance``.

        The truncation error of a smooth loss falls with the square of the step, and that of kinks, as of ReLU, in
        proportion to it; the rounding error of the gradients grows with its inverse. All show as the change of a
        product when the step is doubled. The search starts between the two balances, goes on while that change falls
        clearly, and prefers short steps: what lies between here and the ends of a step stays unseen.
        """
        theta, along = self._theta, self.gradient
        if not bool(along.any()):
            along = torch.randn(len(theta), generator=torch.Generator().manual_seed(0)).to(theta)
        start = torch.finfo(theta.dtype).eps ** 0.4 * max(float(theta.norm()), 1.0)
        products: dict[int, Tensor] = {}

        def change(power: int) -> float:
            for each in (power, power + 1):
                if each not in products:
                    products[each] = self._difference(along, start * 2.0**each)
            return float((products[power + 1] - products[power]).norm())

        best = 0
        while best < _MOST_DOUBLINGS and change(best + 1) < _CLEARLY * change(best):
            best += 1
        while best > -_MOST_DOUBLINGS and change(best - 1) < change(best):
            best -= 1
        return start * 2.0**best, change(best) / max(float(products[best].norm()), torch.finfo(theta.dtype).tiny)
