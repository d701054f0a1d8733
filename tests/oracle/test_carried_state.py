"""The LSTM's curvature through the state that is carried from one window to the next.

Training cuts the gradient between windows, and the measured loss starts each window from a zero state. The layers
themselves are twice differentiable by their initial state, which no other test checks.
"""

import torch
from problems import NETS, NUM_CLASSES, SmallProblem, reduced_model, rng
from torch import Tensor, nn

from sharpest.models.flat import FlatModel
from sharpest.models.lstm import LSTM


class TwoWindows(nn.Module):
    """The net on two consecutive windows; the second starts from the state after the first."""

    def __init__(self, net: LSTM) -> None:
        super().__init__()
        self.net = net

    def forward(self, words: Tensor) -> Tensor:
        net = self.net
        zero = words.new_zeros(len(words), net.classifier.in_features, dtype=net.classifier.weight.dtype)
        states = [(zero, zero) for _ in net.layers]
        logits = []
        for window in words.chunk(2, dim=1):
            x = net.embedding(window)
            for number, layer in enumerate(net.layers):
                x, *state = layer(x, *states[number])
                states[number] = tuple(state)
            logits.append(net.classifier(x))
        return torch.cat(logits, dim=1)


def problem(module: nn.Module, words: Tensor) -> SmallProblem:
    """At weights well above the initial ones, for which states are near zero."""
    model = FlatModel(module)
    theta = torch.randn(model.num_parameters, generator=rng(22), dtype=torch.float64)
    return SmallProblem(model.loss, theta, words[:, :-1], words[:, 1:])


def test_two_windows_equal_one_of_twice_the_length() -> None:
    """Loss, gradient and product equal those of the net on the long window."""
    words = torch.randint(0, NUM_CLASSES, (6, 2 * NETS["lstm"][1][0] + 1), generator=rng(21))
    net = reduced_model("lstm").module
    two, one = problem(TwoWindows(net), words), problem(net, words)
    vector = two.vector(5)
    losses = [each.loss(each.theta, each.inputs, each.targets) for each in (two, one)]
    torch.testing.assert_close(*losses, rtol=1e-13, atol=0)
    torch.testing.assert_close(two.gradient(two.theta), one.gradient(one.theta), rtol=1e-11, atol=1e-14)
    torch.testing.assert_close(two.hessian().product(vector), one.hessian().product(vector), rtol=1e-10, atol=1e-13)
