# ruff: noqa: I001
"""Curvature of a loss: Hessian, leading eigenpairs, spectral density, trace and norm, and the noise of its gradients.

Independent of training, data and files. Each name is imported on first use. Code of this package that takes part in a
job imports from the modules directly, so that editing one module does not make results of another stale.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sharpest.curvature.batches import batch_curvature as batch_curvature
    from sharpest.curvature.density import SpectralDensity as SpectralDensity, spectral_density as spectral_density
    from sharpest.curvature.differentiation import (
        NotDeterministicError as NotDeterministicError,
        NotTwiceDifferentiableError as NotTwiceDifferentiableError,
    )
    from sharpest.curvature.gauss_newton import (
        EmpiricalFisher as EmpiricalFisher,
        Fisher as Fisher,
        GaussNewton as GaussNewton,
    )
    from sharpest.curvature.gradient_noise import (
        batch_sharpness as batch_sharpness,
        conditioning as conditioning,
        covariance_eigenvalues as covariance_eigenvalues,
        dominant_share as dominant_share,
        gradient_noise_interaction as gradient_noise_interaction,
        gram as gram,
        half_sample_error as half_sample_error,
        noise_curvature_alignment as noise_curvature_alignment,
        noise_scale as noise_scale,
        noise_trace as noise_trace,
        ratio_of_means as ratio_of_means,
    )
    from sharpest.curvature.hessian import Hessian as Hessian
    from sharpest.curvature.lanczos import Eigenpairs as Eigenpairs, eigenpairs as eigenpairs
    from sharpest.curvature.operators import Operator as Operator
    from sharpest.curvature.parts import Block as Block, Diagonal as Diagonal, blocks as blocks, diagonal as diagonal
    from sharpest.curvature.preconditioned import (
        Preconditioned as Preconditioned,
        adam_preconditioner as adam_preconditioner,
    )
    from sharpest.curvature.processes import Distributed as Distributed, ProcessError as ProcessError
    from sharpest.curvature.stochastic import (
        Estimate as Estimate,
        frobenius_norm as frobenius_norm,
        sampling_error as sampling_error,
        trace as trace,
    )


_MODULES = {
    "batches": ("batch_curvature",),
    "density": ("SpectralDensity", "spectral_density"),
    "differentiation": ("NotDeterministicError", "NotTwiceDifferentiableError"),
    "gauss_newton": ("EmpiricalFisher", "Fisher", "GaussNewton"),
    "gradient_noise": (
        "batch_sharpness",
        "conditioning",
        "covariance_eigenvalues",
        "dominant_share",
        "gradient_noise_interaction",
        "gram",
        "half_sample_error",
        "noise_curvature_alignment",
        "noise_scale",
        "noise_trace",
        "ratio_of_means",
    ),
    "hessian": ("Hessian",),
    "lanczos": ("Eigenpairs", "eigenpairs"),
    "operators": ("Operator",),
    "parts": ("Block", "Diagonal", "blocks", "diagonal"),
    "preconditioned": ("Preconditioned", "adam_preconditioner"),
    "processes": ("Distributed", "ProcessError"),
    "stochastic": ("Estimate", "frobenius_norm", "sampling_error", "trace"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
