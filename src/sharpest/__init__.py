"""sharpest: curvature along training, and what the SGD step does along the sharpest directions."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sharpest import results
    from sharpest.measures.point import Point, open_point

__all__ = ["Point", "open_point", "results"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # torch takes seconds to import, and planning a workflow does not need it
    if name in ("Point", "open_point"):
        from sharpest.measures import point

        return getattr(point, name)
    if name == "results":
        from importlib import import_module

        return import_module("sharpest.results")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
