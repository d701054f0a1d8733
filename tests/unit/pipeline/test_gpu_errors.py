"""GPU errors, as raised by PyTorch, in one line."""

import pytest
import torch

from sharpest.pipeline.gpu_slots import explained

LOST = """CUDA error: CUDA-capable device(s) is/are busy or unavailable
Search for `cudaErrorDevicesUnavailable' in https://docs.nvidia.com/cuda/cuda-runtime-api for more information.
CUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be incorrect.
"""


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79 GiB."),
        torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_too_little_memory(error):
    text = str(explained(error))
    assert text.startswith("the GPU has too little memory for this job (CUDA ")
    assert "lower jobs_per_gpu in config/config.yaml" in text
    assert "chunk_size of hessian" in text
    assert "run the same command again" in text
    assert "\n" not in text


@pytest.mark.parametrize(
    "error",
    [
        torch.AcceleratorError(LOST),
        torch.AcceleratorError("CUDA error: no CUDA-capable device is detected"),
        torch.AcceleratorError("CUDA error: device-side assert triggered\nCompile with `TORCH_USE_CUDA_DSA`"),
        RuntimeError("No CUDA GPUs are available"),
        RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
    ],
)
def test_a_lost_gpu(error):
    text = str(explained(error))
    assert text.startswith("the GPU failed or was lost during the job (")
    assert str(error).splitlines()[0] in text
    assert "training resumes from its last save" in text
    assert "\n" not in text


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!"),
        NotImplementedError("Could not run 'aten::x' with arguments from the 'CUDA' backend."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"),
        ValueError("CUDA error"),
        KeyboardInterrupt(),
    ],
)
def test_other_errors_are_unchanged(error):
    assert explained(error) is None
