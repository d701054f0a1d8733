"""Find a net in what a checkpoint holds."""

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


def load_net(net: nn.Module, contents: Any, path: Path) -> None:
    """Put the parameters and buffers of a checkpoint into a net.

    The state dict may lie anywhere in the checkpoint, and all its names may have a prefix, such as ``module.``.

    Args:
        net: The net.
        contents: What the checkpoint holds.
        path: For messages.

    Raises:
        DataError: If it lacks a name, has another one or another shape, or a number that is not finite.
    """
    wanted = dict(net.state_dict())
    found = _best(contents, wanted, path)
    missing = [name for name in wanted if name not in found and not _is_known(name, net, found)]
    unexpected = [name for name in found if name not in wanted]
    if missing or unexpected:
        parts = [f"lacks {_some(missing)}"] * bool(missing) + [f"has {_some(unexpected)} beside"] * bool(unexpected)
        raise DataError(f"{path}: {' and '.join(parts)}; give the net that it is of with --net")
    for name, value in found.items():
        if value.shape != wanted[name].shape:
            shapes = f"{tuple(value.shape)}, and the net {tuple(wanted[name].shape)}"
            raise DataError(f"{path}: {name} has the shape {shapes}; give the net that it is of with --net")
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise DataError(f"{path}: {name} has numbers that are not finite; leave this checkpoint out")
    net.load_state_dict(found, strict=False)


def _best(contents: Any, wanted: Collection[str], path: Path) -> dict[str, Tensor]:
    """The mapping with most of the names, which are then the net's."""
    candidates = [_renamed(mapping, wanted) for mapping in mappings_in(contents)]
    counts = [len(candidate.keys() & set(wanted)) for candidate in candidates]
    most = max(counts, default=0)
    if most == 0:
        names = [name for mapping in mappings_in(contents) for name in mapping if isinstance(name, str)]
        raise DataError(
            f"{path}: holds nothing that is called as in the net, {_some(list(wanted))}, but {_some(names)}; give the "
            "net that it is of with --net"
        )
    best = [candidate for candidate, count in zip(candidates, counts, strict=True) if count == most]
    if any(not _same(best[0], other) for other in best[1:]):
        raise DataError(f"{path}: holds {len(best)} such nets, as with averages; save the one that is meant alone")
    return best[0]


def _renamed(mapping: Mapping[Any, Any], wanted: Collection[str]) -> dict[str, Tensor]:
    """Tensors of a mapping under the net's names: without what compiling adds, and the prefix that most have."""
    tensors = {
        name.replace(_COMPILED, ""): value
        for name, value in mapping.items()
        if isinstance(name, str) and isinstance(value, Tensor)
    }
    known, prefixes = set(wanted), Counter[str]()
    for name in tensors:
        parts = name.split(".")
        for place in range(len(parts)):
            if ".".join(parts[place:]) in known:
                prefixes["".join(f"{part}." for part in parts[:place])] += 1
    # of equally many, the shortest
    prefix = min(prefixes, key=lambda text: (-prefixes[text], len(text)), default="")
    return {name.removeprefix(prefix): value for name, value in tensors.items()}


def _same(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def _is_known(name: str, net: nn.Module, found: Collection[str]) -> bool:
    """Whether a name that is missing is not needed: tied to one that is there, or a count."""
    values = {**dict(net.named_parameters(remove_duplicate=False)), **dict(net.named_buffers(remove_duplicate=False))}
    value = values.get(name)
    if value is None:
        return False
    tied = any(other in found and values[other] is value for other in values if other != name)
    return tied or not value.is_floating_point()


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
