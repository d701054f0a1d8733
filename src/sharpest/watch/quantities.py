"""What is measured at a moment: curvature, the step, and the edge of the optimizer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sharpest.curvature.critical import BRACKETED, CriticalStep, critical_step
from sharpest.curvature.gradient_noise import batch_sharpness, ratio_of_means
from sharpest.curvature.hessian import Hessian
from sharpest.curvature.lanczos import Eigenpairs, largest_eigenvalue
from sharpest.curvature.sizes import basis_size
from sharpest.curvature.stochastic import trace
from sharpest.results.layout import Layout
from sharpest.results.measured import CRITICAL, GRADIENT_SAMPLE, PRECONDITIONED, SPECTRA, TRACE
from sharpest.watch.moment import Moment
from sharpest.watch.nets import BatchLoss, num_examples
from sharpest.watch.optimizers import next_step, preconditioner

_TOLERANCE = 1 / 16

Chunks = Sequence[tuple[Any, range]]


def critical(moment: Moment) -> tuple[float, float, dict[str, Any]] | None:
    """The critical sharpness of the next step, its error, and the arrays of the layout; None without a step.

    The optimizer makes the step for the gradient of the given batch, or of the probe. Lengths are multiples of that
    step, which also works with several learning rates; lengths in units of lr are then NaN.

    Source: Kalra et al. (2026), arXiv 2601.16979.
    """
    optimizer, (chunks, hessian) = moment.subject.optimizer, moment.batch
    assert optimizer is not None  # ensured by check_settings
    try:
        step = next_step(optimizer, moment.parameters, hessian.gradient)
    except ValueError as error:
        moment.subject.say(f"no critical sharpness: {error}")
        return None
    lr = moment.edges.lr
    curved, slope = step @ hessian.product(step.to(moment.theta)).double(), step @ hessian.gradient.double()
    modelled = 2 * abs(float(slope / curved)) if slope and curved else 1.0
    of_batch = of_probe = _search(moment, "batch", chunks, step, modelled)
    if chunks is not moment.subject.probe:
        of_probe = _search(moment, "full", moment.subject.probe, step, modelled)
    directional = float(curved / slope) / lr if slope and lr else math.nan
    critical_lr = of_batch.value * lr
    value = 2 / critical_lr if critical_lr else math.nan
    arrays = {
        "batch_sharpness": [directional],
        "directional_sharpness": directional,
        "critical_sharpness": value,
        **_arrays(of_batch, "", "batch", lr),
        **_arrays(of_probe, "_full", "full", lr),
    }
    return value, value * of_batch.error / of_batch.value, arrays


def _search(moment: Moment, name: str, chunks: Chunks, step: Tensor, modelled: float) -> CriticalStep:
    """Search for the critical multiple of the step, starting from the result of the previous search."""
    start = moment.carried.get(f"critical {name}", modelled)
    losses = _losses(moment.function, moment.theta, chunks, step)
    result = critical_step(losses, start, _TOLERANCE, _exact_losses(moment, chunks, step))
    if result.outcome == BRACKETED:
        moment.carried[f"critical {name}"] = result.value
    return result


def _losses(function: BatchLoss, theta: Tensor, chunks: Chunks, step: Tensor) -> Callable[[float], Tensor]:
    weights = [len(examples) for _, examples in chunks]

    def at(multiple: float) -> Tensor:
        moved = (theta.double() - multiple * step).to(theta)
        pairs = zip(chunks, weights, strict=True)
        shares = [function(moved, batch) * (weight / sum(weights)) for (batch, _), weight in pairs]
        return torch.stack(shares).sum()

    return at


def _exact_losses(moment: Moment, chunks: Chunks, step: Tensor) -> Callable[[float], Tensor] | None:
    """The losses in float64; None if theta is in float64 already, or if the net does not run in float64."""
    if moment.theta.dtype == torch.float64:
        return None
    function = moment.subject.function(double=True)
    losses = _losses(function, function.theta, chunks, step)
    try:
        with torch.no_grad():
            losses(0.0)
    except RuntimeError:
        return None
    return losses


def _arrays(step: CriticalStep, ending: str, kind: str, lr: float) -> dict[str, Any]:
    """The stored values of one search."""
    return {
        f"{kind}_lr": [step.value * lr],
        f"{kind}_outcome": [step.outcome],
        f"critical_lr{ending}": step.value * lr,
        f"critical_lr{ending}_error": step.error * lr,
        f"critical_ratio{ending}": step.value,
        f"num_found{ending}": int(step.outcome == BRACKETED),
        f"forwards{ending}": step.num_forwards,
    }


@dataclass(frozen=True)
class Taken:
    """One quantity in one measurement.

    Attributes:
        value: The value; NaN if there is none.
        error: Error of the value.
        over_edge: Value divided by the optimizer's edge; NaN without an edge.
        products: Hessian-vector products.
        more: Further numbers by name.
        arrays: Arrays in the layout of the measure.
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


def _error(pairs: Eigenpairs, place: int = 0) -> float:
    """Error of an eigenvalue: the exact one lies within the norm of the residual."""
    return float(pairs.residuals[place] * np.abs(pairs.eigenvalues).max())


def _over_edge(moment: Moment, value: float, edge: float) -> float:
    """Value over edge; NaN without an edge, or if weight decay makes the edge negative or zero."""
    has_other = "preconditioned" in moment.settings.quantities and not math.isnan(moment.edges.preconditioned)
    if math.isnan(edge) and moment.edges.reason and not has_other:
        moment.subject.say(moment.edges.reason)
    return value / edge if edge > 0 else math.nan


def _lambda_max(moment: Moment) -> Taken:
    pairs = moment.pairs
    value, error, products = float(pairs.eigenvalues[0]), _error(pairs), pairs.num_products
    if value < 0:  # all eigenvalues of largest magnitude are negative: the largest signed one needs another solve
        most, rng = 20 * basis_size(1), moment.random("solver-largest")
        largest = largest_eigenvalue(moment.hessian, moment.settings.tolerance, most, rng)
        scale = 2 * float(np.abs(pairs.eigenvalues).max())
        value, error, products = largest.value, moment.settings.tolerance * scale, products + largest.num_products
    return Taken(value, error, _over_edge(moment, value, moment.edges.hessian), products, {}, _spectrum(pairs))


def _eigenvalues(moment: Moment) -> Taken:
    pairs = moment.pairs
    largest = int(np.abs(pairs.eigenvalues).argmax())  # the first or the last, because they are signed
    value = float(pairs.eigenvalues[largest])
    by_number = {str(number): float(eigenvalue) for number, eigenvalue in enumerate(pairs.eigenvalues)}
    return Taken(
        value,
        _error(pairs, largest),
        _over_edge(moment, value, moment.edges.hessian) if value > 0 else math.nan,
        pairs.num_products,
        by_number,
        _spectrum(pairs),
    )


def _trace(moment: Moment) -> Taken:
    count = moment.settings.num_products
    estimate = trace(moment.hessian, count, seed=moment.random("trace"))
    arrays = {"trace": estimate.value, "trace_error": estimate.error}
    return Taken(estimate.value, estimate.error, math.nan, count, {}, arrays)


def _batch_sharpness(moment: Moment) -> Taken:
    """Computed batch by batch, so that only one gradient is in memory; without a source, on the probe's batches."""
    source, count = moment.subject.batches, moment.settings.num_batches
    drawn = [batch for batch, _ in moment.subject.probe][:count] if source is None else source.next(count)
    if not drawn:
        moment.subject.say("batches is exhausted, so batch sharpness stops; pass a loader, which starts again")
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
    result = critical(moment)
    if result is None:
        return Taken()
    value, error, arrays = result
    more = {"outcome": float(arrays["batch_outcome"][0]), "forwards": float(arrays["forwards"])}
    return Taken(value, error, 1 / arrays["critical_ratio"], 1, more, arrays)


def _preconditioned(moment: Moment) -> Taken:
    assert moment.subject.optimizer is not None  # ensured by check_settings
    diagonal = preconditioner(moment.subject.optimizer, moment.parameters)
    if diagonal is None:  # before the first update
        return Taken()
    root, decay = diagonal.root.to(moment.theta), diagonal.decay.to(moment.theta)

    def product(vector: torch.Tensor) -> torch.Tensor:
        scaled = root * vector
        return root * (moment.hessian.product(scaled) + decay * scaled)

    pairs = moment.solved("preconditioned", product, 1, [root * moment.hessian.gradient])
    value, floor = float(pairs.eigenvalues[0]), float(pairs.eigenvectors[0].double().square()[diagonal.floor].sum())
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
    """The function that measures a quantity, and the layout in which it is stored."""

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
