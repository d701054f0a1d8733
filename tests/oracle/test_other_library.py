"""A net of full size against curvlinops' operator and SciPy's ARPACK."""

import numpy as np
import torch
from curvlinops import HessianLinearOperator
from problems import rng
from scipy.sparse.linalg import eigsh
from torch import nn

from sharpest.curvature.hessian import Hessian
from sharpest.curvature.lanczos import largest_eigenpairs, start_vector
from sharpest.models.build import build_model
from sharpest.models.flat import FlatModel


def test_leading_eigenpairs_of_simple_cnn() -> None:
    settings = {"kind": "simple_cnn", "width": 32, "kernel_size": 3, "padding": "valid", "hidden": 128}
    model = FlatModel(build_model(settings, (1, 28, 28), 10, seed=0).eval())
    inputs, targets = torch.randn(16, 1, 28, 28, generator=rng(1)), torch.randint(0, 10, (16,), generator=rng(2))
    chunks = [(inputs[:10], targets[:10]), (inputs[10:], targets[10:])]
    theta = model.initial()
    pairs = largest_eigenpairs(
        Hessian(model.loss, theta, chunks).product, start_vector(rng(3), len(theta)), 3, 1e-4, 200, rng(4)
    )

    other = HessianLinearOperator(
        model.module, nn.CrossEntropyLoss(), list(model.module.parameters()), chunks, check_deterministic=False
    ).to_scipy()
    values, vectors = eigsh(other, k=3, which="LM", tol=1e-4, v0=np.ones(len(theta), dtype=np.float32))
    order = np.argsort(-values)

    assert pairs.converged.all()
    np.testing.assert_allclose(pairs.eigenvalues, values[order], rtol=0, atol=1e-5 * np.abs(values).max())
    cosines = np.abs((pairs.eigenvectors.numpy() * vectors[:, order].T).sum(axis=1))
    np.testing.assert_allclose(cosines, 1, atol=1e-4)
