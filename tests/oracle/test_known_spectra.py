"""Spectra that can be written down, and numbers that other software prints."""

import numpy as np
import pytest
import torch
from little_nets import dense
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

from sharpest.curvature import GaussNewton, Hessian, eigenpairs, trace

NO_DATA = [(torch.zeros(1), torch.zeros(1))]


@pytest.mark.parametrize("kind", [Hessian, GaussNewton])
def test_softmax_at_zero_repeats_each_eigenvalue(kind: type[Hessian]) -> None:
    """The eigenvalues of X'X / n over the number of classes C, each C - 1 times."""
    images, labels = load_digits(return_X_y=True)
    inputs = torch.from_numpy(images[:200]) / 16
    net = nn.Linear(64, 10, bias=False).double()
    nn.init.zeros_(net.weight)
    pairs = eigenpairs(kind.of(net, functional.cross_entropy, [(inputs, torch.from_numpy(labels[:200]))]), 10, 1e-9)
    values = torch.linalg.eigvalsh(inputs.T @ inputs / 200).flip(0)[:2] / 10
    np.testing.assert_allclose(pairs.eigenvalues, [float(values[0])] * 9 + [float(values[1])], rtol=1e-8)


class Matrix:
    """A symmetric matrix as an operator."""

    def __init__(self, matrix: Tensor) -> None:
        self.matrix, self.theta = matrix, torch.zeros_like(matrix[0])

    def product(self, vector: Tensor) -> Tensor:
        return self.matrix @ vector


def test_a_spiked_wishart_matrix() -> None:
    """Outliers at s + s / (s - 1) for spikes s, beyond a bulk that ends at 4."""
    size = 2_000
    noise = torch.randn(size, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    spikes = torch.zeros(size, dtype=torch.float64)
    spikes[:3] = torch.tensor([5.0, 4.0, 3.0])
    matrix = Matrix(torch.diag(spikes) + noise @ noise.T / size)
    np.testing.assert_allclose(eigenpairs(matrix, 4, 1e-6).eigenvalues, [25 / 4, 16 / 3, 4.5, 4.0], atol=0.2)
    assert abs(trace(matrix).value / size - 1.006) < 0.01


def test_a_chain_of_factors() -> None:
    """Half the squared error of a product of L factors at one: L, and zeros."""

    def loss(theta: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        return (theta.prod() - 1).square() / 2

    pairs = eigenpairs(Hessian(loss, torch.ones(7, dtype=torch.float64), NO_DATA), 2, 1e-10)
    np.testing.assert_allclose(pairs.eigenvalues, [7, 0], atol=1e-8)


def test_rosenbrock() -> None:
    def loss(theta: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        return (1 - theta[0]).square() + 100 * (theta[1] - theta[0].square()).square()

    hessian = Hessian(loss, torch.ones(2, dtype=torch.float64), NO_DATA)
    torch.testing.assert_close(dense(hessian), torch.tensor([[802.0, -400.0], [-400.0, 200.0]], dtype=torch.float64))
    expected = 501 + np.array([1, -1]) * (301**2 + 400**2) ** 0.5
    np.testing.assert_allclose(eigenpairs(hessian, 2, 1e-12).eigenvalues, expected, rtol=1e-8)
    np.testing.assert_allclose(expected, [1001.6006, 0.39936], rtol=2e-5)


def test_the_standard_errors_of_a_logistic_regression() -> None:
    """Those that statsmodels finds, from the inverse of n times the Hessian."""
    from statsmodels.api import Logit, add_constant
    from statsmodels.datasets import spector

    data = spector.load_pandas()
    fitted = Logit(data.endog, add_constant(data.exog, prepend=False)).fit(disp=False, tol=1e-12)
    inputs = torch.from_numpy(add_constant(data.exog, prepend=False).to_numpy())
    targets = torch.from_numpy(data.endog.to_numpy())

    def loss(theta: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(inputs @ theta, targets)

    hessian = dense(Hessian(loss, torch.from_numpy(fitted.params.to_numpy()), [(inputs, targets)]))
    errors = torch.linalg.inv(len(targets) * hessian).diagonal().sqrt()
    np.testing.assert_allclose(errors, fitted.bse, rtol=1e-6)
    np.testing.assert_allclose(errors, [1.263, 0.142, 1.065, 4.931], atol=1e-3)
