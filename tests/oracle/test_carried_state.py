"""The LSTM's curvature through the state that is carried from one window to the next.

Training cuts the gradient between windows, and the measured loss starts each window from a zero state. The layers
themselves are twice differentiable by their initial state, which no other test checks.
"""

import pytest
import torch
from problems import NETS, NUM_CLASSES, SmallProblem, reduced_model, rng
from torch import Tensor, nn

from sharpest.models.flat import FlatModel
from sharpest.models.lstm import LSTM


class TwoWindows(nn.Module):
    """The net on two consecutive windows; the second starts from the state after the first."""

    def __init__(self, net: LSTM, carried: bool = True) -> None:
        super().__init__()
        self.net = net
        self.carried = carried

    def forward(self, words: Tensor) -> Tensor:
        net = self.net
        zero = words.new_zeros(len(words), net.classifier.in_features, dtype=net.classifier.weight.dtype)
        states = [(zero, zero) for _ in net.layers]
        logits = []
        for window in words.chunk(2, dim=1):
            x = net.embedding(window)
            for number, layer in enumerate(net.layers):
                x, *state = layer(x, *states[number])
                if self.carried:
                    states[number] = tuple(state)
            logits.append(net.classifier(x))
        return torch.cat(logits, dim=1)


@pytest.fixture(scope="module")
def windows() -> tuple[Tensor, Tensor]:
    words = torch.randint(0, NUM_CLASSES, (6, 2 * NETS["lstm"][1][0] + 1), generator=rng(21))
    return words[:, :-1], words[:, 1:]


def problem(module: nn.Module, windows: tuple[Tensor, Tensor]) -> SmallProblem:
    """At weights well above the initial ones, for which states are near zero."""
    model = FlatModel(module)
    theta = torch.randn(model.num_parameters, generator=rng(22), dtype=torch.float64)
    return SmallProblem(model.loss, theta, *windows)


@pytest.fixture
def two(windows) -> SmallProblem:
    return problem(TwoWindows(reduced_model("lstm").module), windows)


def test_products_are_differences_of_the_gradient(two: SmallProblem) -> None:
    direction = two.vector(4)
    direction /= direction.norm()
    width = 1e-5
    above, below = (two.gradient(two.theta + sign * width * direction) for sign in (1, -1))
    difference = (above - below) / (2 * width)
    product = two.hessian().product(direction)
    assert float((product - difference).norm()) <= 1e-7 * float(product.norm())


def test_two_windows_equal_one_of_twice_the_length(two: SmallProblem, windows: tuple[Tensor, Tensor]) -> None:
    """Loss, gradient and product equal those of the net on the long window."""
    one = problem(reduced_model("lstm").module, windows)
    vector = two.vector(5)
    torch.testing.assert_close(two.loss(two.theta, *windows), one.loss(one.theta, *windows), rtol=1e-13, atol=0)
    torch.testing.assert_close(two.gradient(two.theta), one.gradient(one.theta), rtol=1e-11, atol=1e-14)
    torch.testing.assert_close(two.hessian().product(vector), one.hessian().product(vector), rtol=1e-10, atol=1e-13)


def test_the_state_matters(two: SmallProblem, windows: tuple[Tensor, Tensor]) -> None:
    """Without it the product differs."""
    cut = problem(TwoWindows(reduced_model("lstm").module, carried=False), windows)
    vector = two.vector(5)
    product = two.hessian().product(vector)
    assert float((cut.hessian().product(vector) - product).norm()) > 0.01 * float(product.norm())
