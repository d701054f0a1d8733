"""LSTM cells with hand-written second derivatives, compared with autograd's and finite differences, in float64."""

import pytest
import torch
from problems import rng
from torch import Tensor

from sharpest.curvature.second_order import SecondOrder
from sharpest.models.lstm import lstm_cells

EXAMPLES, WIDTH = 3, 4


def random(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=rng(seed), dtype=torch.float64)


def arguments(time: int) -> tuple[Tensor, Tensor]:
    """The inputs of the gates, and the recurrent weight."""
    return random(0, EXAMPLES, time, 4 * WIDTH).requires_grad_(), random(1, 4 * WIDTH, WIDTH).requires_grad_()


def gradients(driven: Tensor, weight: Tensor, uses: str, state: Tensor | None = None) -> tuple[Tensor, ...]:
    """Gradients of a smooth function of some of the results, with their graph."""
    hidden, cell = random(2, 2, EXAMPLES, WIDTH) if state is None else state
    results = dict(zip(("outputs", "hidden", "cell"), lstm_cells(driven, weight, hidden, cell), strict=True))
    parts = [(results[name] * random(3 + len(name), *results[name].shape)).exp().sum() for name in uses.split()]
    return torch.autograd.grad(sum(parts, torch.zeros(())), (driven, weight), create_graph=True)


@pytest.mark.parametrize("time", [1, 2, 6])
@pytest.mark.parametrize("uses", ["outputs", "hidden", "cell", "outputs hidden cell"])
@pytest.mark.parametrize("part", [slice(None), slice(0, 1), slice(1, 2)], ids=str)
def test_derivatives_are_autograds(time: int, uses: str, part: slice) -> None:
    inputs = arguments(time)

    def derivatives() -> list[Tensor]:
        first = gradients(*inputs, uses)
        vectors = [random(11, *values.shape) for values in first[part]]
        return [*first, *torch.autograd.grad(first[part], inputs, vectors, materialize_grads=True)]

    with SecondOrder():
        ours = derivatives()
    for mine, other in zip(ours, derivatives(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-13)


def test_second_derivatives_are_finite_differences_of_first_ones() -> None:
    driven, weight = arguments(5)
    vectors, step = (random(7, *driven.shape), random(8, *weight.shape)), 1e-6
    with SecondOrder():
        actual = torch.autograd.grad(gradients(driven, weight, "outputs cell"), (driven, weight), vectors)
    ends = [
        gradients(driven + sign * step * vectors[0], weight + sign * step * vectors[1], "outputs cell")
        for sign in (1, -1)
    ]
    for mine, ahead, behind in zip(actual, *ends, strict=True):
        torch.testing.assert_close(mine, (ahead - behind) / (2 * step), rtol=1e-7, atol=1e-7)


def test_a_first_state_that_is_differentiated_is_left_to_autograd() -> None:
    state = random(2, 2, EXAMPLES, WIDTH).requires_grad_()
    with SecondOrder():
        outputs, *_ = lstm_cells(*arguments(3), *state)
        (actual,) = torch.autograd.grad(outputs.sum(), state)
    (plain,) = torch.autograd.grad(lstm_cells(*arguments(3), *state)[0].sum(), state)
    torch.testing.assert_close(actual, plain, rtol=1e-12, atol=1e-13)


def test_third_derivatives_are_refused() -> None:
    driven, weight = arguments(3)
    with SecondOrder():
        first = gradients(driven, weight, "outputs")
    with pytest.raises(NotImplementedError, match="third derivatives of LSTM cells are not implemented"):
        torch.autograd.grad(first[0], weight, random(9, *driven.shape), create_graph=True)
