"""Diagonal blocks of a curvature matrix, such as one per layer, and its diagonal.

Letters: p parameters, k eigenpairs, m products.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from scipy.stats import t as student_t
from torch import Tensor

from sharpest.curvature.hessian import Curvature
from sharpest.curvature.lanczos import Eigenpairs, Which, eigenpairs
from sharpest.curvature.module_loss import selected
from sharpest.curvature.operators import Operator, Seed, generator_of
from sharpest.curvature.stochastic import Estimate, trace

if TYPE_CHECKING:
    from sharpest.curvature.processes import Distributed


@dataclass(frozen=True)
class Block:
    """The curvature of some parameters alone.

    Attributes:
        names: Their names.
        eigenpairs: Leading eigenpairs of the block; eigenvectors (k, number of values in the block).
        trace: The sum of its eigenvalues.

    >>> import torch
    >>> from sharpest.curvature import Block, Hessian, blocks
    >>> batches = [(torch.ones(1, 2), torch.ones(1, 1))]
    >>> hessian = Hessian.of(torch.nn.Linear(2, 1), torch.nn.functional.mse_loss, batches)
    >>> block = blocks(hessian, by={"kernel": "weight"})["kernel"]
    >>> isinstance(block, Block), block.names, round(block.trace.value, 3)
    (True, ['weight'], 4.0)
    """

    names: list[str]
    eigenpairs: Eigenpairs
    trace: Estimate


def blocks(
    curvature: Curvature | Distributed,
    by: Literal["layer", "parameter"] | Mapping[str, str | Sequence[str]] = "layer",
    k: int = 1,
    which: Which = "magnitude",
    tolerance: float = 1e-3,
    num_products: int = 30,
    seed: Seed = 0,
) -> dict[str, Block]:
    """Leading eigenpairs and trace of every diagonal block.

    Products with a block differentiate by its parameters alone. They serve no other block: probes of the whole matrix
    see all traces at once, but the rest of the matrix adds to the error of each.

    Args:
        curvature: A matrix whose parameters have names, as from ``Hessian.of``.
        by: ``"layer"``: parameters with the same name up to the last dot; ``"parameter"``: each by itself; or
            name of a block -> pattern or patterns of its parameters, such as ``{"attention": "blocks.*.attn.*"}``; see
            ``selected``.
        k, which, tolerance, seed: As for ``eigenpairs``; a block of fewer values has as many pairs as values.
        num_products: m, for each trace.

    Returns:
        Name of each block -> its curvature, in the order of the parameters or of ``by``.

    Raises:
        ValueError: If the parameters have no names, a pattern fits none, two blocks overlap, or m is below 4.

    >>> import torch
    >>> from sharpest.curvature import Hessian, blocks
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 1, bias=False), torch.nn.Linear(1, 1, bias=False))
    >>> for layer, value in zip(net, (3.0, 2.0)):
    ...     _ = torch.nn.init.constant_(layer.weight, value)
    >>> hessian = Hessian.of(net, torch.nn.functional.mse_loss, [(torch.ones(1, 2), torch.zeros(1, 1))])
    >>> {name: round(float(block.eigenpairs.eigenvalues[0]), 3) for name, block in blocks(hessian).items()}
    {'0': 16.0, '1': 72.0}
    """
    groups, rng = _groups(curvature, by), generator_of(seed)
    found = {}
    for name, names in groups.items():
        block = curvature.block(names)
        pairs = eigenpairs(block, min(k, len(block.theta)), tolerance=tolerance, seed=rng, which=which)
        found[name] = Block(names, pairs, trace(block, num_products, rng))
    return found


def _groups(curvature: Curvature | Distributed, by: str | Mapping[str, str | Sequence[str]]) -> dict[str, list[str]]:
    """Name of each block -> names of its parameters."""
    parts = list(curvature.parts)
    if not parts:
        raise ValueError("the parameters have no names; build the matrix with Hessian.of, or pass it parts")
    if by in ("layer", "parameter"):
        groups: dict[str, list[str]] = {}
        for name in parts:
            groups.setdefault(name.rpartition(".")[0] or name if by == "layer" else name, []).append(name)
        return groups
    if isinstance(by, str):
        raise ValueError(f"blocks by {by!r} are not known; write 'layer', 'parameter', or patterns by block")
    groups, owners = {}, dict[str, str]()
    for block, patterns in by.items():
        groups[block] = selected(parts, patterns)
        for name in groups[block]:
            if name in owners:
                raise ValueError(f"blocks {owners[name]} and {block} overlap: both have {name}")
            owners[name] = block
    return groups


@dataclass(frozen=True)
class Diagonal:
    """The diagonal of a matrix.

    Attributes:
        values: (p,) float64.
        errors: (p,) float64, standard errors; two errors on either side cover the truth in about 95 of 100 draws.

    >>> import torch
    >>> from sharpest.curvature import Diagonal, Hessian, diagonal
    >>> batches = [(torch.zeros(1, 1), torch.ones(1, 1))]
    >>> hessian = Hessian.of(torch.nn.Linear(1, 1), torch.nn.functional.mse_loss, batches)
    >>> estimate = diagonal(hessian)
    >>> isinstance(estimate, Diagonal), estimate.values.tolist(), estimate.errors.tolist()
    (True, [0.0, 2.0], [0.0, 0.0])
    """

    values: Tensor
    errors: Tensor


def diagonal(curvature: Operator, num_products: int = 30, seed: Seed = 0, pairs: Eigenpairs | None = None) -> Diagonal:
    """Diagonal of a symmetric operator, from random signs z: the mean of z * (H z) (Hutchinson).

    The error of an entry comes from the rest of its row. Known eigenpairs take their large part out of it.

    Args:
        curvature: Operator on vectors of p values.
        num_products: m, at least 2.
        seed: Seed of the signs.
        pairs: Eigenpairs of the same operator, whose part is computed exactly.

    Raises:
        ValueError: If there are too few products for an error bar.

    Source: Bekas, Kokiopoulou and Saad (2007).

    >>> import torch
    >>> from sharpest.curvature import Hessian, diagonal
    >>> net = torch.nn.Linear(2, 1, bias=False)
    >>> hessian = Hessian.of(net, torch.nn.functional.mse_loss, [(torch.tensor([[1.0, 2.0]]), torch.zeros(1, 1))])
    >>> estimate = diagonal(hessian, num_products=200)  # [[2, 4], [4, 8]]
    >>> bool(((estimate.values - torch.tensor([2.0, 8.0])).abs() < 3 * estimate.errors).all())
    True
    """
    known = torch.zeros(len(curvature.theta), dtype=torch.float64, device=curvature.theta.device)
    if pairs is not None:
        weights = torch.from_numpy(pairs.eigenvalues).to(known)
        known = weights @ pairs.eigenvectors.double().square()
    mean, squares, count = torch.zeros_like(known), torch.zeros_like(known), 0
    for sample in _diagonals(curvature, num_products, generator_of(seed), pairs):
        count += 1
        change = sample - mean
        mean = mean + change / count
        squares = squares + change * (sample - mean)
    return Diagonal(known + mean, _error(squares / (count - 1), count))


def _diagonals(
    curvature: Operator, num_products: int, rng: torch.Generator, pairs: Eigenpairs | None = None
) -> Iterator[Tensor]:
    """z * (H z), (p,) float64, for random signs z; of H without the part of some eigenpairs."""
    if num_products < 2:
        raise ValueError(f"num_products {num_products} is too few for an estimate with an error; take 2 or more")
    for _ in range(num_products):
        signs = torch.randint(2, curvature.theta.shape, generator=rng).mul(2).sub(1).to(curvature.theta)
        image = curvature.product(signs).double()
        if pairs is not None:
            vectors = pairs.eigenvectors.double()
            image = image - (torch.from_numpy(pairs.eigenvalues).to(vectors) * (vectors @ signs.double())) @ vectors
        yield signs * image


def _error(variance: Tensor, count: int) -> Tensor:
    """Half of the interval that covers the mean in 95 of 100 draws."""
    return (variance / count).sqrt() * float(student_t.ppf(0.975, count - 1)) / 2
