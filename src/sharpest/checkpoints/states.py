"""Find a net in the contents of a checkpoint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sharpest.checkpoints.files import mappings_in
from sharpest.errors import DataError

_COMPILED = "_orig_mod."
_REMEDY = "pass the net of this checkpoint with --net"


def load_net(net: nn.Module, contents: Any, path: Path) -> None:
    """Load the parameters and buffers of a checkpoint into a net.

    The state dict may be anywhere in the checkpoint, and all its names may have a prefix, such as ``module.``.

    Args:
        net: The net.
        contents: Contents of the checkpoint.
        path: Path of the checkpoint, for messages.

    Raises:
        DataError: If the checkpoint has missing or unexpected names, other shapes, or numbers that are not finite.
    """
    expected = dict(net.state_dict())
    loaded = _best(contents, expected, path)
    missing = [name for name in expected if name not in loaded and not _is_dispensable(name, net, loaded)]
    unexpected = [name for name in loaded if name not in expected]
    if missing or unexpected:
        parts = [f"lacks {_some(missing)}"] * bool(missing) + [f"has unexpected {_some(unexpected)}"] * bool(unexpected)
        raise DataError(f"{path}: {' and '.join(parts)}; {_REMEDY}")
    for name, value in loaded.items():
        if value.shape != expected[name].shape:
            shapes = f"{tuple(value.shape)}, but the net has {tuple(expected[name].shape)}"
            raise DataError(f"{path}: {name} has the shape {shapes}; {_REMEDY}")
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise DataError(f"{path}: {name} has numbers that are not finite; omit this checkpoint")
    net.load_state_dict(loaded, strict=False)


def _best(contents: Any, expected: Collection[str], path: Path) -> dict[str, Tensor]:
    """The mapping with most of the expected names, under these names."""
    candidates = [_renamed(mapping, expected) for mapping in mappings_in(contents)]
    counts = [len(candidate.keys() & set(expected)) for candidate in candidates]
    most = max(counts, default=0)
    if most == 0:
        names = [name for mapping in mappings_in(contents) for name in mapping if isinstance(name, str)]
        raise DataError(f"{path}: expected names of the net, {_some(list(expected))}, found {_some(names)}; {_REMEDY}")
    best = [candidate for candidate, count in zip(candidates, counts, strict=True) if count == most]
    if any(not _same(best[0], other) for other in best[1:]):
        raise DataError(f"{path}: holds {len(best)} such nets, perhaps an average; save only the one to measure")
    return best[0]


def _renamed(mapping: Mapping[Any, Any], expected: Collection[str]) -> dict[str, Tensor]:
    """Tensors of a mapping under the net's names: without the prefix of compilation and the most frequent prefix."""
    tensors = {
        name.replace(_COMPILED, ""): value
        for name, value in mapping.items()
        if isinstance(name, str) and isinstance(value, Tensor)
    }
    known, prefixes = set(expected), Counter[str]()
    for name in tensors:
        parts = name.split(".")
        for start in range(len(parts)):
            if ".".join(parts[start:]) in known:
                prefixes["".join(f"{part}." for part in parts[:start])] += 1
    # the most frequent prefix, and of equally frequent ones the shortest
    prefix = min(prefixes, key=lambda text: (-prefixes[text], len(text)), default="")
    return {name.removeprefix(prefix): value for name, value in tensors.items()}


def _same(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def _is_dispensable(name: str, net: nn.Module, loaded: Collection[str]) -> bool:
    """Whether a missing name is not needed: it is tied to a loaded one, or an integer such as a count."""
    values = {**dict(net.named_parameters(remove_duplicate=False)), **dict(net.named_buffers(remove_duplicate=False))}
    value = values.get(name)
    if value is None:
        return False
    tied = any(other in loaded and values[other] is value for other in values if other != name)
    return tied or not value.is_floating_point()


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
