"""The quantities that are watched, by name. Each gives numbers for people, and arrays in the layout of a measure."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from sharpest.curvature.algebraic import largest_eigenvalue
from sharpest.curvature.gradient_noise import batch_sharpness, ratio_of_means
from sharpest.curvature.hessian import Hessian
from sharpest.curvature.lanczos import Eigenpairs
from sharpest.curvature.sizes import basis_size
from sharpest.curvature.stochastic import trace
from sharpest.results.layout import Layout
from sharpest.results.measured.critical import CRITICAL
from sharpest.results.measured.gradient_sample import GRADIENT_SAMPLE
from sharpest.results.measured.preconditioned import PRECONDITIONED
from sharpest.results.measured.spectra import SPECTRA
from sharpest.results.measured.trace import TRACE
from sharpest.watch.batches import num_examples
from sharpest.watch.moment import Moment
from sharpest.watch.optimizers import preconditioner
from sharpest.watch.steps import critical


@dataclass(frozen=True)
class Taken:
    """What one measurement gave of one quantity.

    Attributes:
        value: The number itself; NaN where there is none.
        error: How far off it may be.
        over_edge: Value over the optimizer's edge; NaN where there is none.
        products: Hessian-vector products.
        more: Further numbers by name.
        arrays: In the layout of its measure.
    """

    value: float = math.nan
    error: float = math.nan
    over_edge: float = math.nan
    products: int = 0
    more: dict[str, float] = field(default_factory=dict)
    arrays: dict[str, Any] = field(default_factory=dict)


def _spectrum(pairs: Eigenpairs) -> dict[str, Any]:
    return {
        "eigenvalues": pairs.eigenvalues,
        "residuals": pairs.residuals,
        "converged": pairs.converged,
        "hvps": pairs.num_products,
        "seconds": pairs.seconds,
    }


def _error(pairs: Eigenpairs) -> float:
    """Of the first eigenvalue: there is one within the length of the residual."""
    return float(pairs.residuals[0] * np.abs(pairs.eigenvalues).max())


def _over_edge(moment: Moment, value: float, edge: float) -> float:
    """NaN without an edge, and where weight decay leaves nothing of it."""
    if math.isnan(edge) and moment.edges.reason:
        moment.subject.say(moment.edges.reason)
    return value / edge if edge > 0 else math.nan


def _lambda_max(moment: Moment) -> Taken:
    pairs = moment.pairs
    value, error, products = float(pairs.eigenvalues[0]), _error(pairs), pairs.num_products
    if value < 0:  # all of largest magnitude are negative: the largest signed one takes a search of its own
        most, rng = 20 * basis_size(1), moment.random("solver-largest")
        found = largest_eigenvalue(moment.hessian, moment.settings.tolerance, most, rng)
        scale = 2 * float(np.abs(pairs.eigenvalues).max())
        value, error, products = found.value, moment.settings.tolerance * scale, products + found.num_products
    return Taken(value, error, _over_edge(moment, value, moment.edges.hessian), products, {}, _spectrum(pairs))


def _eigenvalues(moment: Moment) -> Taken:
    pairs = moment.pairs
    value = float(pairs.eigenvalues[0])
    each = {str(number): float(value) for number, value in enumerate(pairs.eigenvalues)}
    return Taken(
        value,
        _error(pairs),
        _over_edge(moment, value, moment.edges.hessian),
        pairs.num_products,
        each,
        _spectrum(pairs),
    )


def _trace(moment: Moment) -> Taken:
    count = moment.settings.num_products
    estimate = trace(moment.hessian, count, seed=moment.random("trace"))
    arrays = {"trace": estimate.value, "trace_error": estimate.error}
    return Taken(estimate.value, estimate.error, math.nan, count, {}, arrays)


def _batch_sharpness(moment: Moment) -> Taken:
    """Batch by batch, so that no more than one gradient is in memory; without a source, those of the probe."""
    source, count = moment.subject.batches, moment.settings.num_batches
    drawn = [batch for batch, _ in moment.subject.probe][:count] if source is None else source.next(count)
    if not drawn:
        moment.subject.say("batches has ended: no batch sharpness any more; give a loader, which starts again")
        return Taken()
    squares, curvature = torch.full((2, count), math.nan, dtype=torch.float64).unbind()
    for number, batch in enumerate(drawn):
        hessian = Hessian(moment.function, moment.theta, [(batch, range(num_examples(batch) or 1))])
        gradient = hessian.gradient.double()
        squares[number] = gradient @ gradient
        curvature[number] = gradient @ hessian.product(hessian.gradient).double()
    measured = curvature[: len(drawn)], squares[: len(drawn)]
    mean, ratio = batch_sharpness(*measured), ratio_of_means(*measured)
    arrays = {
        "batch_sharpness": mean.value,
        "batch_sharpness_error": mean.error,
        "ratio_of_means": ratio.value,
        "ratio_of_means_error": ratio.error,
        "gram": torch.full((count, count), math.nan, dtype=torch.float64).diagonal_scatter(squares),
        "batch_curvature": curvature,
    }
    more = {"ratio_of_means": ratio.value}
    return Taken(mean.value, mean.error, _over_edge(moment, mean.value, moment.edges.hessian), len(drawn), more, arrays)


def _critical(moment: Moment) -> Taken:
    found = critical(moment)
    if found is None:
        return Taken()
    value, error, arrays = found
    more = {"outcome": float(arrays["batch_outcome"][0]), "forwards": float(arrays["forwards"])}
    return Taken(value, error, 1 / arrays["critical_ratio"], 1, more, arrays)


def _preconditioned(moment: Moment) -> Taken:
    assert moment.subject.optimizer is not None  # refused before
    known = preconditioner(moment.subject.optimizer, moment.parameters)
    if known is None:  # before the first update
        return Taken()
    root, decay = known.root.to(moment.theta), known.decay.to(moment.theta)

    def product(vector: torch.Tensor) -> torch.Tensor:
        scaled = root * vector
        return root * (moment.hessian.product(scaled) + decay * scaled)

    pairs = moment.solved("preconditioned", product, 1, [root * moment.hessian.gradient])
    value, floor = float(pairs.eigenvalues[0]), float(pairs.eigenvectors[0].double().square()[known.floor].sum())
    arrays = {
        "preconditioned_sharpness": value,
        "eigenvalues": pairs.eigenvalues,
        "residuals": pairs.residuals,
        "converged": pairs.converged,
        "products": pairs.num_products,
        "floor_share": floor,
    }
    share = _over_edge(moment, value, moment.edges.preconditioned)
    return Taken(value, _error(pairs), share, pairs.num_products, {"floor_share": floor}, arrays)


@dataclass(frozen=True)
class Quantity:
    """How it is measured, and the layout in which it is kept."""

    measure: Callable[[Moment], Taken]
    layout: Layout


QUANTITIES = {
    "lambda_max": Quantity(_lambda_max, SPECTRA),
    "eigenvalues": Quantity(_eigenvalues, SPECTRA),
    "trace": Quantity(_trace, TRACE),
    "batch_sharpness": Quantity(_batch_sharpness, GRADIENT_SAMPLE),
    "critical": Quantity(_critical, CRITICAL),
    "preconditioned": Quantity(_preconditioned, PRECONDITIONED),
}
