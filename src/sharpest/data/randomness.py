"""Randomness as a pure function of (seed, purpose, counter).

No generator state is carried along. Any draw can be repeated at any time and in any order, which makes resuming,
replaying and sharding bitwise exact (design, section 4).
"""

import hashlib

import torch


def generator(seed: int, purpose: str, counter: int = 0) -> torch.Generator:
    """A CPU generator that depends on its three arguments only.

    Args:
        seed: The seed of the run.
        purpose: What is drawn, e.g. ``order`` or ``hessian``; different purposes are independent.
        counter: Which draw for that purpose (the number of an epoch, an iteration or a gradient).
    """
    return torch.Generator().manual_seed(derived_seed(seed, purpose, counter))


def derived_seed(seed: int, purpose: str, counter: int) -> int:
    """The seed of such a generator, a signed 64-bit integer, for layers that draw from torch's global generator."""
    digest = hashlib.blake2b(f"{seed}/{purpose}/{counter}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)
