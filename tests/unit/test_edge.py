"""The thresholds, compared with the spectral radius of the update matrix just below and just above them."""

import numpy as np
import pytest

from sharpest.edge import adam_edge, edge

pytestmark = pytest.mark.core


def radius(curvature: float, lr: float, momentum: float, nesterov: bool) -> float:
    """Spectral radius of an update of (x, v) on h x^2 / 2: v <- m v - eta h x; x <- x + v, or x + m v - eta h x."""
    slope = lr * curvature
    ahead = momentum if nesterov else 1.0
    rest = slope if nesterov else 0.0
    return float(np.abs(np.linalg.eigvals([[1 - ahead * slope - rest, ahead * momentum], [-slope, momentum]])).max())


@pytest.mark.parametrize("lr", [0.01, 0.3, 2.0])
@pytest.mark.parametrize(
    ("momentum", "nesterov"), [(0.0, False), (0.5, False), (0.9, False), (0.0, True), (0.5, True), (0.9, True)]
)
def test_updates_are_bounded_up_to_the_edge(lr: float, momentum: float, nesterov: bool) -> None:
    at = edge(lr, momentum, nesterov)
    assert radius(0.999 * at, lr, momentum, nesterov) < 1
    assert radius(1.001 * at, lr, momentum, nesterov) > 1


def test_gradient_descent_is_stable_up_to_two_over_the_learning_rate() -> None:
    assert edge(0.5) == 4.0
    assert edge(0.5, momentum=0.5) == 6.0
    assert edge(0.5, momentum=0.5, nesterov=True) == 3.0


def adam_radius(curvature: float, lr: float, beta1: float, weight_decay: float) -> float:
    """The same for (x, m) at a fixed scale: m <- b m + (1 - b) h x, x <- (1 - eta c) x - eta m."""
    slope = (1 - beta1) * curvature
    return float(np.abs(np.linalg.eigvals([[1 - lr * (weight_decay + slope), -lr * beta1], [slope, beta1]])).max())


@pytest.mark.parametrize("lr", [0.01, 0.3])
@pytest.mark.parametrize(("beta1", "weight_decay"), [(0.0, 0.0), (0.5, 0.0), (0.9, 0.0), (0.9, 0.4), (0.0, 1.0)])
def test_adam_is_bounded_up_to_its_edge(lr: float, beta1: float, weight_decay: float) -> None:
    at = adam_edge(lr, beta1, weight_decay)
    assert adam_radius(0.999 * at, lr, beta1, weight_decay) < 1
    assert adam_radius(1.001 * at, lr, beta1, weight_decay) > 1


def test_adam_at_its_usual_decay() -> None:
    assert adam_edge(0.01, 0.9) == pytest.approx(38 / 0.01)
    assert adam_edge(0.01, 0.0) == edge(0.01)
