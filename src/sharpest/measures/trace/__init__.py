"""Trace of the Hessian."""

from pydantic import Field

from sharpest.config.measures import Cost, Measure
from sharpest.config.strict import Strict
from sharpest.results.measured import TRACE


class Settings(Strict):
    """Trace of the Hessian by Hutchinson++."""

    num_products: int = Field(default=30, ge=4)
    """Hessian-vector products at each point; with three times as many as parameters, the trace is exact."""


MEASURE = Measure(
    title="trace of the Hessian",
    settings=Settings,
    layout=TRACE,
    cost=lambda settings, point: Cost(products=settings.num_products, held=2 * settings.num_products / 3),
)
