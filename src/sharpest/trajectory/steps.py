"""One parameter update: SGD with momentum, Nudged SGD, Adam, RMSProp.

All take tensors; SGD's also takes NumPy arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:  # the check of App. E runs without torch
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
    """The change with its component along the top directions scaled by gamma: rest (d - P P^T d) + gamma P P^T d.

    Applied to the change, this is the correction ``v``: the velocity keeps the unscaled d. Applied to a gradient before
    it enters the velocity, it is the correction ``g``. gamma = rest = 1 returns d bit for bit.

    Args:
        change: (p,), d.
        directions: (K, p), orthonormal rows.
        gamma: Scale of the component along them.
        rest: Scale of the orthogonal component; 0 follows the top directions only (Fig. 7).

    Source: Sec. 4, Fig. 7; inventory 1.6.
    """
    return rest * change + (gamma - rest) * (directions.T @ (directions @ change))


def adam_change(
    gradient: Tensor, first: Tensor, second: Tensor, update: int, lr: float, beta1: float, beta2: float, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    """-eta m^ / (sqrt(v^) + epsilon), with bias-corrected moments m^ = m / (1 - b1^t) and v^ = v / (1 - b2^t).

    Args:
        gradient: (p,), g.
        first: (p,), m of the previous update; zero at the start.
        second: (p,), v of the previous update; zero at the start.
        update: t, number of this update since the moments were zero, from 1.
        lr: eta.
        beta1: b1.
        beta2: b2.
        epsilon: Added to the root.

    Returns:
        The change of the parameters, and both moments after the update: b1 m + (1 - b1) g and b2 v + (1 - b2) g^2.

    Source: Kingma and Ba, ICLR 2015, as in torch.optim.Adam.
    """
    first = first.lerp(gradient, 1 - beta1)
    second = _decayed_square(gradient, second, beta2)
    root = second.sqrt().div_((1 - beta2**update) ** 0.5).add_(epsilon)
    return first / root * (-lr / (1 - beta1**update)), first, second


def rmsprop_change(gradient: Tensor, second: Tensor, lr: float, beta2: float, epsilon: float) -> tuple[Tensor, Tensor]:
    """-eta g / (sqrt(v) + epsilon), with v = b2 v + (1 - b2) g^2, not bias-corrected.

    Args:
        gradient: (p,), g.
        second: (p,), v of the previous update; zero at the start.
        lr: eta.
        beta2: b2.
        epsilon: Added to the root.

    Returns:
        The change of the parameters, and v after the update.

    Source: torch.optim.RMSprop, not centred and without momentum.
    """
    second = _decayed_square(gradient, second, beta2)
    return gradient / second.sqrt().add_(epsilon) * -lr, second


def _decayed_square(gradient: Tensor, second: Tensor, beta2: float) -> Tensor:
    return (second * beta2).addcmul_(gradient, gradient, value=1 - beta2)
