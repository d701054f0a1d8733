"""The paper's architectures, reduced, against their dense float64 Hessians and finite differences of the gradient.

The dense Hessian uses forward over reverse mode, the operator reverse over reverse. Both use torch's formulas; finite
differences do not.
"""

from functools import cache

import numpy as np
import pytest
import torch
from problems import NETS, SmallProblem, reduced_model, reduced_net, reduced_net_hessian, rng
from tiers import fast

from sharpest.curvature.lanczos import Eigenpairs, largest_eigenpairs

pytestmark = pytest.mark.core

NUM_EIGENPAIRS = 10
RELATIVE_ERROR = 1e-5
"""The bar for float32: |error of an eigenvalue| / |lambda_1|."""
STEPS = [0, 50]
"""SGD steps before the measurement: at the start small eigenvalues of both signs crowd, later a few lead."""
CASES = fast(NETS, "simple-cnn-same", "resnet-bn", "lstm", "text-cnn")


@cache
def leading(name: str, steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All dense eigenvalues, and the leading ones with their vectors as rows, signed, largest first."""
    values, vectors = (array.numpy() for array in torch.linalg.eigh(reduced_net_hessian(name, steps)))
    target = np.argsort(-np.abs(values))[:NUM_EIGENPAIRS]
    target = target[np.argsort(-values[target])]
    return values, values[target], vectors[:, target].T


def solve(problem: SmallProblem, dtype: torch.dtype, tolerance: float, chunk_size: int | None = None) -> Eigenpairs:
    product = problem.hessian(chunk_size, dtype).product
    return largest_eigenpairs(product, problem.theta.to(dtype), NUM_EIGENPAIRS, tolerance, 400, rng(2))


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("name", CASES)
def test_products_are_those_of_the_dense_hessian(name: str, steps: int) -> None:
    problem = reduced_net(name, steps)
    for chunk_size in (12, 5):
        vector = problem.vector(chunk_size)
        product = problem.hessian(chunk_size).product(vector)
        torch.testing.assert_close(product, reduced_net_hessian(name, steps) @ vector, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("name", CASES)
def test_products_are_differences_of_the_gradient(name: str) -> None:
    problem = reduced_net(name, 50)
    direction = problem.vector(4)
    direction /= direction.norm()
    width = 1e-6  # small enough that no ReLU or pooling cell switches
    above, below = (problem.gradient(problem.theta + sign * width * direction) for sign in (1, -1))
    difference = (above - below) / (2 * width)
    product = problem.hessian().product(direction)
    assert float((product - difference).norm()) <= 1e-7 * float(product.norm())


@pytest.mark.parametrize("name", ["resnet-bn", "vgg"])
def test_the_running_averages_are_part_of_the_function(name: str) -> None:
    """The running averages in these tests differ from the initial zeros and ones, which would hide a missing one."""
    problem, model = reduced_net(name, 50), reduced_model(name)
    vector = problem.vector(6)
    fresh = [torch.full_like(view, "var" in key) for key, view in model.buffer_views(model.buffers).items()]
    start = model.bind(torch.cat([view.flatten() for view in fresh]))
    product = problem.hessian().product(vector)
    torch.testing.assert_close(SmallProblem(model.loss, *point(problem)).hessian().product(vector), product)
    other = SmallProblem(start.loss, *point(problem)).hessian().product(vector)
    assert float((other - product).norm()) > 0.1 * float(product.norm())


def point(problem: SmallProblem) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return problem.theta, problem.inputs, problem.targets


def test_l2_adds_twice_its_factor_to_kernels() -> None:
    plain, decayed = reduced_net("resnet"), reduced_net("resnet", l2=0.25)
    vector = plain.vector(5)
    kernels = plain.gradient(plain.theta) - decayed.gradient(plain.theta) != 0
    added = decayed.hessian(5).product(vector) - plain.hessian(5).product(vector)
    torch.testing.assert_close(added, 0.5 * kernels * vector, rtol=1e-10, atol=1e-12)
    assert 0.9 < float(kernels.double().mean()) < 1


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("name", CASES)
def test_eigenpairs_in_float32(name: str, steps: int) -> None:
    """The angle to the true eigenvector is at most the residual divided by the gap (Davis and Kahan)."""
    values, expected, vectors = leading(name, steps)
    problem = reduced_net(name, steps)
    pairs = solve(problem, torch.float32, tolerance=1e-5)
    assert pairs.converged.all()
    errors = np.abs(pairs.eigenvalues - expected) / np.abs(expected).max()
    assert errors.max() <= RELATIVE_ERROR, errors
    assert list(pairs.eigenvalues) == sorted(pairs.eigenvalues, reverse=True)
    computed = pairs.eigenvectors.double()
    torch.testing.assert_close(computed @ computed.T, torch.eye(NUM_EIGENPAIRS, dtype=torch.float64), rtol=0, atol=1e-5)

    image = reduced_net_hessian(name, steps) @ computed.T
    residuals = (image - computed.T * torch.from_numpy(pairs.eigenvalues.copy())).norm(dim=0).numpy()
    noise = 5e-6  # rounding of a float32 product
    scale = np.abs(expected).max()
    assert np.all(residuals / scale <= pairs.residuals + noise)

    for index, value in enumerate(expected):
        gap = np.sort(np.abs(values - value))[1]
        if gap < 0.01 * scale:
            continue  # the vectors of close eigenvalues mix
        vector = torch.from_numpy(vectors[index])
        sine = float((computed[index] - (computed[index] @ vector) * vector).norm())
        assert sine <= (1e-5 + noise) * scale / gap, (index, sine)

    # the whole subspace: the part of the true vectors outside the computed ones
    magnitudes = np.sort(np.abs(values))[::-1]
    gap = magnitudes[NUM_EIGENPAIRS - 1] - magnitudes[NUM_EIGENPAIRS]
    missed = torch.from_numpy(vectors) - torch.from_numpy(vectors) @ computed.T @ computed
    assert float(torch.linalg.matrix_norm(missed, 2)) <= NUM_EIGENPAIRS * (1e-5 + noise) * scale / gap


@pytest.mark.parametrize("name", CASES)
def test_eigenvalues_in_float64(name: str) -> None:
    _, expected, _ = leading(name, 50)
    pairs = solve(reduced_net(name, 50), torch.float64, tolerance=1e-9, chunk_size=5)
    np.testing.assert_allclose(pairs.eigenvalues, expected, rtol=0, atol=1e-11 * np.abs(expected).max())


@pytest.mark.parametrize("name", CASES)
def test_the_tolerance_of_the_paper_scale_is_enough_for_three_digits(name: str) -> None:
    """At 1e-3 the error of an eigenvalue is at most that, relative to |lambda_1|; most errors are far smaller."""
    _, expected, _ = leading(name, 50)
    pairs = solve(reduced_net(name, 50), torch.float32, tolerance=1e-3)
    assert np.abs(pairs.eigenvalues - expected).max() <= 1e-3 * np.abs(expected).max()
