"""How often an eigensolver misses an eigenvalue, over random starts: this library's and ARPACK's, at one tolerance.

A set is wrong if a magnitude differs from the true one by more than the tolerance, relative to the largest. Matrices
are given by their spectrum, or are Hessians of small nets in float64; the truth is numpy's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from sklearn.datasets import load_digits
from torch import Tensor, nn

from sharpest.curvature.lanczos import largest_eigenpairs

TOLERANCE, MAX_PRODUCTS = 1e-3, 640


def hessian(net: nn.Module, loss: Callable[[], Tensor]) -> NDArray[np.float64]:
    """The dense Hessian (p, p)."""
    parameters = list(net.parameters())
    first = torch.autograd.grad(loss(), parameters, create_graph=True)
    rows = [torch.autograd.grad(value, parameters, retain_graph=True) for part in first for value in part.reshape(-1)]
    matrix = torch.stack([torch.cat([part.reshape(-1) for part in row]) for row in rows]).numpy()
    return (matrix + matrix.T) / 2


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cells, self.out = nn.GRU(6, 8, batch_first=True), nn.Linear(8, 8)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.out(self.cells(inputs)[0][:, -1])


def nets() -> dict[str, tuple[NDArray[np.float64], int]]:
    """Name -> Hessian and k."""
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    pixels, labels = (torch.from_numpy(array)[:400] for array in load_digits(return_X_y=True))
    pixels, noise, targets = pixels / 16, torch.randn(512, 64), torch.randn(512, 10)
    sequences, responses = torch.randn(64, 7, 6), torch.randn(64, 8)
    linear, recurrent = nn.Linear(64, 10), Recurrent()
    mlp = nn.Sequential(nn.Linear(64, 6), nn.Tanh(), nn.Linear(6, 10))
    squared, entropy = nn.functional.mse_loss, nn.functional.cross_entropy
    hot = nn.functional.one_hot(labels, 10).double()
    return {
        "linear layer, MSE, digits": (hessian(linear, lambda: squared(linear(pixels), hot)), 12),
        "linear layer, MSE, noise": (hessian(linear, lambda: squared(linear(noise), targets)), 5),
        "GRU, MSE": (hessian(recurrent, lambda: squared(recurrent(sequences), responses)), 8),
        "MLP, cross entropy, digits": (hessian(mlp, lambda: entropy(mlp(pixels), labels)), 10),
    }


def spectra() -> dict[str, tuple[NDArray[np.float64], int]]:
    """Name -> diagonal matrix and k."""
    bulk = np.random.default_rng(0).uniform(-0.1, 0.1, 490)
    spectra = {
        "cluster of eight": ([1, 0.8, 0.6, 0.5, 0.4, *np.linspace(0.3552, 0.3550, 8), *bulk], 8),
        "five times one": ([1] * 5 + [*np.linspace(0.9, 0.1, 60), *bulk], 5),
        "repeated in the middle": ([1, 0.7, 0.7, 0.7, 0.5, 0.5, 0.4, *bulk], 6),
        "both ends": ([5, -4.99, 4, -3.9, *(10 * bulk)], 4),
        "i^-2": (1 / np.arange(1, 501) ** 2.0, 10),
        "log-spaced": (10 ** -np.linspace(0, 4, 500), 10),
        "semicircle": (2 * np.cos(np.linspace(0, np.pi, 500)), 5),
    }
    return {name: (np.diag(np.asarray(values, dtype=float)), k) for name, (values, k) in spectra.items()}


def row(name: str, matrix: NDArray[np.float64], k: int, num_seeds: int) -> dict[str, object]:
    """Counts over the seeds."""
    values = np.linalg.eigvalsh(matrix)
    true = np.sort(np.abs(values))[::-1][:k]
    tensor, counted = torch.from_numpy(matrix), [0]

    def product(vector: Tensor) -> Tensor:
        counted[0] += 1
        return tensor @ vector

    def wrong(found: NDArray[np.float64]) -> bool:
        missing = np.zeros(k - len(found))
        return bool(np.abs(np.sort(np.abs([*found, *missing]))[::-1] - true).max() > TOLERANCE * true[0])

    ours, theirs = [], []
    for seed in range(num_seeds):
        rng = torch.Generator().manual_seed(seed)
        pairs = largest_eigenpairs(product, tensor[0], k, TOLERANCE, MAX_PRODUCTS, rng)
        ours.append((pairs.complete, wrong(pairs.eigenvalues), pairs.num_products, pairs.num_checks))
        start, counted[0] = np.random.default_rng(seed).normal(size=len(matrix)), 0
        operator = LinearOperator(matrix.shape, lambda vector: product(torch.from_numpy(vector)).numpy(), dtype=float)
        try:
            found = eigsh(operator, k, tol=TOLERANCE, v0=start, return_eigenvectors=False)
        except ArpackNoConvergence as error:
            found = error.eigenvalues
        theirs.append((wrong(found), counted[0]))
    complete, missed, products, checks = (np.array(column) for column in zip(*ours, strict=True))
    return {
        "spectrum": name, "p": len(matrix), "k": k, "complete": int(complete.sum()),
        "wrong though complete": int((complete & missed).sum()), "wrong": int(missed.sum()),
        "products": int(np.median(products)), "of these, to look for missing pairs": int(np.median(checks)),
        "ARPACK wrong": sum(bad for bad, _ in theirs),
        "ARPACK products": int(np.median([count for _, count in theirs])),
    }  # fmt: skip


def main(num_seeds: int) -> None:
    torch.set_num_threads(1)
    rows = [row(name, *problem, num_seeds) for name, problem in {**spectra(), **nets()}.items()]
    print(pd.DataFrame(rows).to_markdown(index=False))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
