"""Density of all eigenvalues of the Hessian at one point."""

from __future__ import annotations

from typing import Any

from sharpest.curvature.density import spectral_density
from sharpest.measures.density import Settings
from sharpest.measures.point import Point


def measure(point: Point, settings: Settings) -> dict[str, Any]:
    """The quadrature of each probe, the smoothed density, and moments; probes depend only on seed and iteration.

    Raises:
        NotDeterministicError: If the loss takes different values at the same parameters.
    """
    density = spectral_density(
        point.hessian,
        settings.num_probes,
        settings.num_steps,
        settings.grid_points,
        settings.relative_width,
        seed=point.random("density"),
    )
    moments = {name: getattr(density, name) for name in ("trace", "frobenius_sq")}
    return {
        "nodes": density.nodes,
        "weights": density.weights,
        "grid": density.grid,
        "density": density.density,
        "width": density.width,
        **{name: estimate.value for name, estimate in moments.items()},
        **{f"{name}_error": estimate.error for name, estimate in moments.items()},
        "lambda_max": density.nodes.max(),
        "lambda_min": density.nodes.min(),
        "hvps": density.num_products,
    }
