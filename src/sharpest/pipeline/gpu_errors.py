"""Errors of a GPU as one line that a person can act on."""

from __future__ import annotations

import sys

from sharpest.errors import SharpestError

_AGAIN = (
    "nothing finished is lost: the same command again goes on, training from its last save and a measurement from its "
    "beginning"
)
# what RuntimeError says where it is no AcceleratorError
_FAILURES = (
    "CUDA error",
    "No CUDA GPUs are available",
    "CUBLAS_STATUS_",
    "CUDNN_STATUS_",
    "cuDNN error",
    "cusolver error",
)


class GpuError(SharpestError):
    """A GPU has too little memory, or has failed during a job."""


def explained(error: BaseException) -> GpuError | None:
    """What a person can do about an error of a GPU; None for other errors."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(error, RuntimeError):
        return None
    text = str(error).strip() or type(error).__name__
    first = text.splitlines()[0].rstrip(".")
    failed = isinstance(error, torch.AcceleratorError) or any(name in text for name in _FAILURES)
    if isinstance(error, torch.OutOfMemoryError) or (failed and ("out of memory" in text or "ALLOC_FAILED" in text)):
        return GpuError(
            f"the GPU's memory does not hold this job ({first}): lower jobs_per_gpu in config/config.yaml, so that "
            f"fewer jobs share it, or chunk_size of hessian in the scale; {_AGAIN}"
        )
    if failed:
        return GpuError(f"the GPU failed or was lost during the job ({first}): nvidia-smi tells its state; {_AGAIN}")
    return None
