"""Curvature of a loss: its Hessian, leading eigenpairs, spectral density, trace and norm.

Knows nothing of training, data or files.

Each name is imported when it is first asked for. Code of this package that takes part in a job imports from the modules
themselves, so that an edit of one leaves the results of another as they are.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sharpest.curvature.density import SpectralDensity, spectral_density
    from sharpest.curvature.determinism import NotDeterministicError
    from sharpest.curvature.differentiation import NotTwiceDifferentiableError
    from sharpest.curvature.hessian import Hessian
    from sharpest.curvature.lanczos import Eigenpairs
    from sharpest.curvature.leading import eigenpairs
    from sharpest.curvature.operators import Operator
    from sharpest.curvature.stochastic import Estimate, frobenius_norm, sampling_error, trace

__all__ = [
    "Eigenpairs",
    "Estimate",
    "Hessian",
    "NotDeterministicError",
    "NotTwiceDifferentiableError",
    "Operator",
    "SpectralDensity",
    "eigenpairs",
    "frobenius_norm",
    "sampling_error",
    "spectral_density",
    "trace",
]

_MODULES = {
    "Eigenpairs": "lanczos",
    "Estimate": "stochastic",
    "Hessian": "hessian",
    "NotDeterministicError": "determinism",
    "NotTwiceDifferentiableError": "differentiation",
    "Operator": "operators",
    "SpectralDensity": "density",
    "eigenpairs": "leading",
    "frobenius_norm": "stochastic",
    "sampling_error": "stochastic",
    "spectral_density": "density",
    "trace": "stochastic",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
