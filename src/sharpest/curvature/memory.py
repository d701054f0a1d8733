"""The free memory of a GPU, and the error for a chunk that does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from sharpest.errors import SharpestError


class ChunkTooLargeError(SharpestError):
    """The graph of one chunk of examples does not fit the memory of a GPU."""


@contextmanager
def holding_chunk(num_examples: int, device: torch.device) -> Iterator[None]:
    """The context in which the graph of a chunk is built.

    Raises:
        ChunkTooLargeError: If the graph does not fit the memory of a GPU.
    """
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise ChunkTooLargeError(
            f"a chunk of {num_examples} examples does not fit the memory of the GPU, of which this process can still "
            f"take {free_bytes(device) / 2**30:.2f} GiB: lower chunk_size of hessian, or jobs_per_gpu if jobs share "
            "the GPU; nothing is lost"
        ) from error


def free_bytes(device: torch.device) -> int:
    """Bytes of GPU memory that this process can still take, within its share if it was given one.

    Blocks that PyTorch keeps for reuse count as free; memory of other processes does not.
    """
    free, total = torch.cuda.mem_get_info(device)
    used = torch.cuda.memory_allocated(device)
    reusable = torch.cuda.memory_reserved(device) - used
    share = int(total * torch.cuda.get_per_process_memory_fraction(device))
    return max(0, min(free + reusable, share - used))
