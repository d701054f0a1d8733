"""A measurement of the ten leading eigenpairs by each library, in its best documented setting, with its accuracy."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import torch
from curvlinops import HessianLinearOperator
from hessian_eigenthings import HessianOperator, lanczos, supervised_loss
from numpy.typing import NDArray
from problems import SEED, Problem
from pyhessian import hessian as PyHessian  # noqa: N812  # a class in lower case
from scipy.sparse.linalg import eigsh
from torch import Tensor, nn

from sharpest import __version__
from sharpest.curvature import Hessian, eigenpairs
from sharpest.data.randomness import generator

K = 10
TOLERANCE = 1e-3
MOST_STEPS = 400
PEERS = ("curvlinops-for-pytorch", "hessian-eigenthings", "pyhessian", "torch", "scipy")
VERSIONS = {"sharpest": __version__, **{name: version(name) for name in PEERS}}


@dataclass
class Measurement:
    """The result and the cost of one solver.

    Attributes:
        values, vectors: (k,), (k, p).
        products: Hessian-vector products.
        seconds: CPU time.
        residual: Worst |Hv - lambda v| / |lambda_1|, computed with our products.
        error: Worst |error of an eigenvalue| / |lambda_1| against a solution to 1e-5.
    """

    values: NDArray[np.float64]
    vectors: Tensor
    products: int
    seconds: float = 0.0
    residual: float = float("nan")
    error: float = float("nan")

    @property
    def converged(self) -> bool:
        return max(self.residual, self.error) <= TOLERANCE


Entrant = Callable[[Problem, Tensor], Measurement]


def sharpest(problem: Problem, theta: Tensor, warm: Tensor | None = None, k: int = K) -> Measurement:
    """Our eigensolver, with the settings of the pipeline."""
    operator = Hessian(problem.model.loss, theta, [problem.chunk])
    pairs = eigenpairs(operator, k, TOLERANCE, generator(SEED, "solver"), MOST_STEPS, warm)
    return Measurement(pairs.eigenvalues, pairs.eigenvectors, pairs.num_products)


def _module(problem: Problem, theta: Tensor) -> nn.Module:
    module = nn.Sequential(problem.model.module, nn.Flatten(0, -2))  # time steps count as examples
    nn.utils.vector_to_parameters(theta.clone(), module.parameters())
    return module.eval()


def _data(problem: Problem) -> tuple[Tensor, Tensor]:
    inputs, targets = problem.chunk
    if inputs.dim() == 4:  # the layout that our engine chooses
        inputs = inputs.contiguous(memory_format=torch.channels_last) if inputs.shape[2] >= 28 else inputs
    return inputs, targets.flatten()


def arpack(tolerance: float) -> Entrant:
    """The operator of curvlinops with SciPy's ARPACK."""

    def measure(problem: Problem, theta: Tensor) -> Measurement:
        module = _module(problem, theta)
        operator = HessianLinearOperator(
            module, nn.CrossEntropyLoss(), list(module.parameters()), [_data(problem)], check_deterministic=False
        )
        count = 0
        matvec = operator.to_scipy()
        inner = matvec._matvec

        def counted(vector: NDArray[np.float32]) -> NDArray[np.float32]:
            nonlocal count
            count += 1
            return inner(vector)

        matvec._matvec = counted
        start = torch.randn(len(theta), generator=generator(SEED, "arpack")).numpy()
        values, vectors = eigsh(matvec, k=K, which="LM", tol=tolerance, v0=start)
        return Measurement(values.astype(float), torch.from_numpy(vectors.T.copy()), count)

    return measure


def eigenthings(num_steps: int) -> Entrant:
    """Lanczos of hessian-eigenthings, for which the user chooses the number of steps."""

    def measure(problem: Problem, theta: Tensor) -> Measurement:
        operator = HessianOperator(_module(problem, theta), [_data(problem)], supervised_loss(nn.CrossEntropyLoss()))
        pairs = lanczos(operator, k=K, max_iter=num_steps, tol=TOLERANCE, reorthogonalize=True, seed=SEED)
        return Measurement(pairs.eigenvalues.double().numpy(), pairs.eigenvectors, pairs.iterations)

    return measure


def pyhessian(tolerance: float, max_iterations: int) -> Entrant:
    """PyHessian's power iteration with deflation, on a kept graph."""

    def measure(problem: Problem, theta: Tensor) -> Measurement:
        module, count = _module(problem, theta), 0
        module.zero_grad()
        operator = PyHessian(module, nn.CrossEntropyLoss(), data=_data(problem), cuda=False)
        library = sys.modules[PyHessian.__module__]
        inner = library.hessian_vector_product

        def counted(*arguments: object) -> object:
            nonlocal count
            count += 1
            return inner(*arguments)

        library.hessian_vector_product = counted
        try:
            torch.manual_seed(SEED)
            values, vectors = operator.eigenvalues(maxIter=max_iterations, tol=tolerance, top_n=K)
        finally:
            library.hessian_vector_product = inner
        stacked = torch.stack([torch.cat([part.flatten() for part in vector]) for vector in vectors])
        return Measurement(np.array(values), stacked.detach(), count)

    return measure


def run(entrant: Entrant, problem: Problem, theta: Tensor, truth: NDArray[np.float64]) -> Measurement:
    """Time a solver and check its eigenpairs."""
    began = time.process_time()
    measurement = entrant(problem, theta)
    measurement.seconds = time.process_time() - began
    operator, largest = Hessian(problem.model.loss, theta, [problem.chunk]), np.abs(truth).max()
    residuals = [
        float((operator.product(vector / vector.norm()) - value * vector / vector.norm()).norm()) / largest
        for value, vector in zip(measurement.values.tolist(), measurement.vectors, strict=True)
    ]
    measurement.residual = max(residuals)
    by_size = np.sort(np.abs(measurement.values))[::-1]
    measurement.error = float(np.abs(by_size - np.sort(np.abs(truth))[::-1]).max() / largest)
    return measurement


def solved(problem: Problem, theta: Tensor) -> NDArray[np.float64]:
    """The eigenvalues to a residual of 1e-5."""
    operator = Hessian(problem.model.loss, theta, [problem.chunk])
    return eigenpairs(operator, K, 1e-5, generator(SEED, "truth"), 1_000).eigenvalues


def best_eigenthings(problem: Problem, theta: Tensor, truth: NDArray[np.float64]) -> tuple[Measurement, int]:
    """The fewest steps that converge, to within one. They are known only afterwards; trials are not counted."""

    def tried(steps: int) -> Measurement:
        return run(eigenthings(steps), problem, theta, truth)

    first = steps = max(K, sharpest(problem, theta).products - 4)
    measurement = tried(steps)
    while not measurement.converged and steps < MOST_STEPS:
        steps += 8
        measurement = tried(steps)
    for fewer in range(max(first, steps - 6), steps, 2):
        better = tried(fewer)
        if better.converged:
            return better, fewer
    return measurement, steps
