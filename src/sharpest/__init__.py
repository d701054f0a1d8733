"""sharpest: curvature along training, and the effect of the SGD step along the sharpest directions."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sharpest import curvature, results
    from sharpest.measures.opening import open_point
    from sharpest.measures.point import Point
    from sharpest.watch.monitor import Monitor as watch  # noqa: N813

__all__ = ["Point", "curvature", "open_point", "results", "watch"]
__version__ = "0.2.0"

_CORE = {"curvature", "results", "watch"}  # subpackages that need only torch, numpy, scipy and h5py
_PIPELINE = {"Point": "sharpest.measures.point", "open_point": "sharpest.measures.opening"}


def __getattr__(name: str) -> Any:
    # lazy: importing torch takes seconds, and planning a workflow does not need it
    if name in _CORE:
        return import_module(f"{__name__}.{name}")
    if name in _PIPELINE:
        from sharpest.errors import needs_pipeline

        with needs_pipeline(f"{__name__}.{name}"):
            return getattr(import_module(_PIPELINE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
