"""Trace of the Hessian."""

from pydantic import Field

from sharpest.config.measure import Cost, Measure
from sharpest.config.strict import Strict
from sharpest.results.layout import Dataset, measured_layout


class Settings(Strict):
    """Trace of the Hessian by Hutchinson++."""

    num_products: int = Field(default=30, ge=4)
    """Hessian-vector products at each point; with three times the parameters the trace is exact."""


MEASURE = Measure(
    title="trace of the Hessian",
    settings=Settings,
    layout=measured_layout(
        "trace",
        2,
        Dataset("trace", "f8", ("t",), "nats", "sum of all eigenvalues"),
        Dataset("trace_error", "f8", ("t",), "nats", "its standard error"),
    ),
    cost=lambda settings, point: Cost(products=settings.num_products, held=2 * settings.num_products / 3),
)
