"""Full-size nets against curvlinops' operator and SciPy's ARPACK: at initialisation, during training, and late."""

import numpy as np
import pytest
import torch
from curvlinops import HessianLinearOperator
from problems import rng
from scipy.sparse.linalg import eigsh
from torch import nn

from sharpest.curvature import Hessian, eigenpairs
from sharpest.models.build import build_model
from sharpest.models.flat import FlatModel

NETS = {
    "SimpleCNN": (
        {"kind": "simple_cnn", "width": 32, "kernel_size": 3, "padding": "valid", "hidden": 128},
        (1, 28, 28),
        0.05,
    ),
    "ResNet-32": ({"kind": "resnet", "blocks_per_stage": 5, "widths": [16, 32, 64]}, (3, 32, 32), 0.1),
    "LSTM": ({"kind": "lstm", "width": 200, "num_layers": 2, "dropout": 0.0}, (10, 300), 1.0),
}
COUNT, CUT, K = 16, 10, 3


@pytest.mark.slow
@pytest.mark.parametrize("steps", [0, 20, 100])
@pytest.mark.parametrize("name", NETS)
def test_leading_eigenpairs(name: str, steps: int) -> None:
    settings, shape, lr = NETS[name]
    words = len(shape) == 2
    model = FlatModel(build_model(settings, shape, shape[1] if words else 10, seed=0, batch_size=COUNT).eval())
    if words:
        text = torch.randint(0, shape[1], (COUNT, shape[0] + 1), generator=rng(1))
        inputs, targets = text[:, :-1].contiguous(), text[:, 1:].contiguous()
    else:
        inputs, targets = torch.randn(COUNT, *shape, generator=rng(1)), torch.randint(0, 10, (COUNT,), generator=rng(2))
    chunks = [(inputs[:CUT], targets[:CUT]), (inputs[CUT:], targets[CUT:])]
    theta = model.initial()
    for _ in range(steps):
        theta = theta - lr * Hessian(model.loss, theta, chunks).gradient
    pairs = eigenpairs(Hessian(model.loss, theta, chunks), K, 1e-4, seed=3)

    nn.utils.vector_to_parameters(theta, model.module.parameters())
    other = HessianLinearOperator(
        nn.Sequential(model.module, nn.Flatten(0, -2)), nn.CrossEntropyLoss(), list(model.module.parameters()),
        [(x, y.flatten()) for x, y in chunks], check_deterministic=False,
    ).to_scipy()  # fmt: skip
    start = np.random.default_rng(0).normal(size=len(theta)).astype(np.float32)
    values, vectors = eigsh(other, k=K, which="LM", tol=1e-4, v0=start)
    order = np.argsort(-values)

    assert pairs.converged.all()
    np.testing.assert_allclose(pairs.eigenvalues, values[order], rtol=0, atol=1e-5 * np.abs(values).max())
    # compare the spanned subspaces, since vectors of close eigenvalues mix
    overlaps = pairs.eigenvectors.double().numpy() @ vectors.astype(float)
    assert np.linalg.svd(overlaps, compute_uv=False).min() > 1 - 1e-4
