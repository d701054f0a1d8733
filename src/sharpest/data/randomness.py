"""Randomness as a pure function of (seed, purpose, counter).

No generator state is carried along: a draw can be made again at any time and in any order, which is what makes
resuming, replaying and sharding bitwise exact (design, section 4).
"""

import hashlib

import torch


def generator(seed: int, purpose: str, counter: int = 0) -> torch.Generator:
    """A CPU generator that depends on its three arguments and on nothing else.

    Args:
        seed: The seed of the run.
        purpose: What is drawn, e.g. ``order`` or ``hessian``; different purposes are independent.
        counter: Which draw of that purpose (an epoch, an iteration, a number of a gradient).
    """
    return torch.Generator().manual_seed(derived_seed(seed, purpose, counter))


def derived_seed(seed: int, purpose: str, counter: int) -> int:
    """The seed of such a generator, a signed 64-bit number, for layers that draw from torch's own."""
    digest = hashlib.blake2b(f"{seed}/{purpose}/{counter}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)
