"""One parameter update: SGD with momentum, and Nudged SGD; of tensors or of NumPy's arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:  # App. E is checked where torch is not imported
    from torch import Tensor

_Vector = TypeVar("_Vector", bound=Any)


def sgd_change(gradient: _Vector, velocity: Tensor | None, lr: float, momentum: float) -> _Vector:
    """d = m v - eta g, the change of the parameters and the next velocity.

    Nesterov's change is the same function of the gradient and the next velocity: m d - eta g.

    Args:
        gradient: (p,).
        velocity: (p,), or None without momentum.
        lr: eta.
        momentum: m.

    Source: inventory 1.6 (Keras' form of momentum).
    """
    change = gradient * -lr
    return change if velocity is None else change.add_(velocity, alpha=momentum)


def nudge(change: _Vector, directions: _Vector, gamma: float, rest: float = 1.0) -> _Vector:
    """The change with its part along the top directions scaled by gamma: rest (d - P P^T d) + gamma P P^T d.

    Of the change this is the type ``correct_v``: the velocity keeps d as it was. Of a gradient, before it enters the
    velocity, it is ``correct_g``. gamma = rest = 1 leaves d bit for bit.

    Args:
        change: (p,), d.
        directions: (K, p), orthonormal rows.
        gamma: Scale along them.
        rest: Scale of what is orthogonal to them; 0 follows the top directions only (Fig. 7).

    Source: Sec. 4, Fig. 7; inventory 1.6.
    """
    return rest * change + (gamma - rest) * (directions.T @ (directions @ change))
