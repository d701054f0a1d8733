"""Trace of the Hessian at one point."""

from typing import Any

from sharpest.curvature.stochastic import trace
from sharpest.measures.point import Point
from sharpest.measures.trace import Settings


def measure(point: Point, settings: Settings) -> dict[str, Any]:
    """The trace and its standard error, from probes that depend only on seed and iteration.

    Raises:
        NotDeterministicError: If the loss takes different values at the same parameters.
    """
    estimate = trace(point.hessian, settings.num_products, seed=point.random("trace"))
    return {"trace": estimate.value, "trace_error": estimate.error}
