"""Curvature of a loss: Hessian, leading eigenpairs, spectral density, trace and norm, and the noise of its gradients.

Independent of training, data and files. Each name is imported on first use. Code of this package that takes part in a
job imports from the modules directly, so that editing one module does not make results of another stale.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sharpest.curvature.batches import batch_curvature
    from sharpest.curvature.density import SpectralDensity, spectral_density
    from sharpest.curvature.differentiation import NotDeterministicError, NotTwiceDifferentiableError
    from sharpest.curvature.gradient_noise import (
        batch_sharpness,
        conditioning,
        covariance_eigenvalues,
        dominant_share,
        gradient_noise_interaction,
        gram,
        half_sample_error,
        noise_curvature_alignment,
        noise_scale,
        noise_trace,
        ratio_of_means,
    )
    from sharpest.curvature.hessian import Hessian
    from sharpest.curvature.lanczos import Eigenpairs, eigenpairs
    from sharpest.curvature.operators import Operator
    from sharpest.curvature.preconditioned import Preconditioned, adam_preconditioner
    from sharpest.curvature.stochastic import Estimate, frobenius_norm, sampling_error, trace

__all__ = [
    "Eigenpairs",
    "Estimate",
    "Hessian",
    "NotDeterministicError",
    "NotTwiceDifferentiableError",
    "Operator",
    "Preconditioned",
    "SpectralDensity",
    "adam_preconditioner",
    "batch_curvature",
    "batch_sharpness",
    "conditioning",
    "covariance_eigenvalues",
    "dominant_share",
    "eigenpairs",
    "frobenius_norm",
    "gradient_noise_interaction",
    "gram",
    "half_sample_error",
    "noise_curvature_alignment",
    "noise_scale",
    "noise_trace",
    "ratio_of_means",
    "sampling_error",
    "spectral_density",
    "trace",
]

_MODULES = {
    "Eigenpairs": "lanczos",
    "Estimate": "stochastic",
    "Hessian": "hessian",
    "NotDeterministicError": "differentiation",
    "NotTwiceDifferentiableError": "differentiation",
    "Operator": "operators",
    "Preconditioned": "preconditioned",
    "SpectralDensity": "density",
    "adam_preconditioner": "preconditioned",
    "batch_curvature": "batches",
    "batch_sharpness": "gradient_noise",
    "conditioning": "gradient_noise",
    "covariance_eigenvalues": "gradient_noise",
    "dominant_share": "gradient_noise",
    "eigenpairs": "lanczos",
    "frobenius_norm": "stochastic",
    "gradient_noise_interaction": "gradient_noise",
    "gram": "gradient_noise",
    "half_sample_error": "gradient_noise",
    "noise_curvature_alignment": "gradient_noise",
    "noise_scale": "gradient_noise",
    "noise_trace": "gradient_noise",
    "ratio_of_means": "gradient_noise",
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
