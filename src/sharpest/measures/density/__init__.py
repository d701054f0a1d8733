"""Density of all eigenvalues of the Hessian, and quantities derived from it."""

from pydantic import Field, PositiveFloat

from sharpest.config.measures import Cost, Measure
from sharpest.config.strict import Strict
from sharpest.results.layout import Dataset, measured_layout


class Settings(Strict):
    """Spectral density of the Hessian by stochastic Lanczos quadrature."""

    num_probes: int = Field(default=8, ge=2)
    """Random probe vectors; all directions if the net has fewer parameters."""
    num_steps: int = Field(default=64, ge=3)
    """Lanczos steps: Hessian-vector products for each probe, and vectors in memory at once."""
    grid_points: int = Field(default=1000, ge=2)
    """Points at which the density is stored."""
    relative_width: PositiveFloat = 2e-3
    """Width of the Gaussian that smooths each node, relative to the distance between the outer nodes."""


MEASURE = Measure(
    title="spectral density",
    settings=Settings,
    layout=measured_layout(
        "density",
        3,
        Dataset(
            "nodes", "f8", ("t", "o", "l"), "nats",
            "of each probe's quadrature, ascending; the last one repeated where the Krylov space was exhausted",
        ),
        Dataset("weights", "f8", ("t", "o", "l"), "", "of the nodes, of sum 1 for each probe; 0 where one is repeated"),
        Dataset("grid", "f8", ("t", "g"), "nats", "even, beyond all nodes"),
        Dataset("density", "f8", ("t", "g"), "1/nats", "mean over the cell around each grid point; of integral 1"),
        Dataset("width", "f8", ("t",), "nats", "standard deviation of the Gaussian"),
        Dataset("trace", "f8", ("t",), "nats", "sum of all eigenvalues"),
        Dataset("trace_error", "f8", ("t",), "nats", "its standard error; two of it cover 95 %"),
        Dataset("frobenius_sq", "f8", ("t",), "nats^2", "sum of all squared eigenvalues"),
        Dataset("frobenius_sq_error", "f8", ("t",), "nats^2", "its standard error; two of it cover 95 %"),
        Dataset("lambda_max", "f8", ("t",), "nats", "the highest node; not above the largest eigenvalue"),
        Dataset("lambda_min", "f8", ("t",), "nats", "the lowest node; not below the smallest eigenvalue"),
        Dataset("hvps", "i8", ("t",), "", "Hessian-vector products"),
    ),
    cost=lambda settings, point: Cost(
        products=settings.num_probes * settings.num_steps, held=settings.num_probes + settings.num_steps
    ),
    sizes=lambda settings, p: {
        "o": min(settings.num_probes, p), "l": min(settings.num_steps, p), "g": settings.grid_points
    },
)  # fmt: skip
