"""Explain errors of a GPU in one line, with a remedy."""

from __future__ import annotations

import sys

from sharpest.errors import SharpestError

_AGAIN = (
    "nothing finished is lost: run the same command again, and training resumes from its last save, a measurement from "
    "its last point"
)
# messages of GPU errors that are a plain RuntimeError and not an AcceleratorError
_FAILURES = (
    "CUDA error",
    "No CUDA GPUs are available",
    "CUBLAS_STATUS_",
    "CUDNN_STATUS_",
    "cuDNN error",
    "cusolver error",
)


class GpuError(SharpestError):
    """A GPU ran out of memory or failed during a job."""


def explained(error: BaseException) -> GpuError | None:
    """Explain an error of a GPU, with a remedy; None for other errors."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(error, RuntimeError):
        return None
    text = str(error).strip() or type(error).__name__
    first = text.splitlines()[0].rstrip(".")
    failed = isinstance(error, torch.AcceleratorError) or any(name in text for name in _FAILURES)
    if isinstance(error, torch.OutOfMemoryError) or (failed and ("out of memory" in text or "ALLOC_FAILED" in text)):
        return GpuError(
            f"the GPU has too little memory for this job ({first}): lower jobs_per_gpu in config/config.yaml, so that "
            f"fewer jobs share it, or chunk_size of hessian in the scale; {_AGAIN}"
        )
    if failed:
        return GpuError(
            f"the GPU failed or was lost during the job ({first}): check its state with nvidia-smi; {_AGAIN}"
        )
    return None
