"""sharpest: curvature along training, and what the SGD step does along the sharpest directions."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sharpest import results
    from sharpest.measures.opening import open_point
    from sharpest.measures.point import Point
    from sharpest.watch.monitor import Monitor as watch  # noqa: N813

__all__ = ["Point", "open_point", "results", "watch"]
__version__ = "0.1.0"

_MODULES = {
    "Point": "sharpest.measures.point",
    "open_point": "sharpest.measures.opening",
    "results": "sharpest.results",
    "watch": "sharpest.watch",
}


def __getattr__(name: str) -> Any:
    # torch takes seconds to import, and planning a workflow does not need it
    if name in _MODULES:
        module = import_module(_MODULES[name])
        return module if name in ("results", "watch") else getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
