"""What a GPU's memory holds, and what is said where it does not hold a chunk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from sharpest.errors import SharpestError


class ChunkTooLargeError(SharpestError):
    """The memory of a GPU does not hold the graph of one chunk of examples."""


@contextmanager
def holding_chunk(num_examples: int, device: torch.device) -> Iterator[None]:
    """Build the graph of a chunk.

    Raises:
        ChunkTooLargeError: If the memory of a GPU does not suffice; one line.
    """
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise ChunkTooLargeError(
            f"a chunk of {num_examples} examples does not fit the memory of the GPU, of which this process can still "
            f"take {free_bytes(device) / 2**30:.2f} GiB: lower chunk_size of hessian, or jobs_per_gpu where jobs share "
            "it; nothing is lost"
        ) from error


def free_bytes(device: torch.device) -> int:
    """Bytes that this process can still take of a GPU: of its share, where it was given one.

    Blocks that PyTorch keeps for reuse count as free; what other processes hold does not.
    """
    free, total = torch.cuda.mem_get_info(device)
    used = torch.cuda.memory_allocated(device)
    reusable = torch.cuda.memory_reserved(device) - used
    share = int(total * torch.cuda.get_per_process_memory_fraction(device))
    return max(0, min(free + reusable, share - used))
