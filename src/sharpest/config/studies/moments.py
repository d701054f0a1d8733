"""Chosen moments of a run."""

from typing import Annotated, Literal

from pydantic import Field

Moment = Literal["start", "peak", "end"] | Annotated[float, Field(ge=0, le=1)]
"""The first or last measured point, the point of the largest eigenvalue, or the one nearest to a share of the run."""


def moment_name(moment: Moment) -> str:
    """The name of a moment in a legend, such as ``start`` or ``33 %``."""
    return moment if isinstance(moment, str) else f"{100 * moment:.3g} %"
