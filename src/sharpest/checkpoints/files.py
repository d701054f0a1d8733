"""Checkpoint files: their contents, the iteration of each, and the net in them."""

from __future__ import annotations

import glob
import json
import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sharpest.errors import DataError

_STEPS = ("global_step", "step", "iteration", "iter", "num_steps")
_DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64,
    "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip
_LONGEST_HEADER = 100_000_000  # bytes, the limit of the format


def found_files(patterns: Sequence[str]) -> list[Path]:
    """The files that names and patterns match, each once, in order.

    Raises:
        DataError: If a name or pattern matches no file.
    """
    files: dict[Path, None] = {}
    for pattern in patterns:
        matches = [pattern] if Path(pattern).is_file() else sorted(glob.glob(pattern))
        matches = [name for name in matches if Path(name).is_file()]
        if not matches:
            raise DataError(f"{pattern}: matches no file; name checkpoints, such as checkpoints/*.pt")
        files |= dict.fromkeys(map(Path, matches))
    return list(files)


def contents_of(path: Path) -> Any:
    """The contents of a checkpoint: tensors, numbers, strings, and mappings and lists of them.

    Raises:
        DataError: If the file cannot be read, or holds objects that would run code.
    """
    try:
        if path.suffix == ".safetensors":
            return _safetensors(path)
        return torch.load(path, map_location="cpu", weights_only=True)  # noqa: TID251 - tensors and plain values alone
    except (OSError, MemoryError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    except Exception as error:  # a damaged file may raise anything
        named = re.search(r"(?:GLOBAL|class|type) ([\w.]*\.\w+)", str(error))
        if named and "Weights only" in str(error):
            raise DataError(
                f"{path}: holds an object ({named[1]}) that would run code when it is read; save only the net's "
                "state_dict(), with torch.save"
            ) from None
        raise DataError(f"{path}: damaged, or not a checkpoint of torch or safetensors; save it again") from error


def _safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file: a header with names, types, shapes and offsets, then the bytes."""
    content = bytearray(path.read_bytes())
    length = int.from_bytes(content[:8], "little")
    if not 0 < length <= min(len(content) - 8, _LONGEST_HEADER):
        raise ValueError("no header")
    tensors, data = {}, memoryview(content)[8 + length :]
    for name, entry in json.loads(content[8 : 8 + length]).items():
        if name == "__metadata__":
            continue
        (start, end), dtype, shape = entry["data_offsets"], _DTYPES[entry["dtype"]], entry["shape"]
        if not 0 <= start <= end <= len(data) or end - start != math.prod(shape) * dtype.itemsize:
            raise ValueError(f"{name} lies outside of the file")
        part = bytearray(data[start:end])
        tensors[name] = torch.frombuffer(part, dtype=dtype).reshape(shape) if part else torch.empty(shape, dtype=dtype)
    return tensors


def numbered(paths: Sequence[Path]) -> tuple[list[tuple[int, Path]], str]:
    """Each file with its iteration, in increasing order, and a description of where the iterations come from.

    The iteration is the last number in the name of the file or of its folder. If a file has none, it is the number of
    updates stored in each checkpoint; if one has none, the position of each file.

    Raises:
        DataError: If two files have the same number.
    """
    numbers, source = [_in_name(path) for path in paths], "the number in the file name"
    if None in numbers:
        numbers, source = [_stored_number(contents_of(path)) for path in paths], "the number of updates in the file"
    if None in numbers:
        numbers, source = list(range(len(paths))), "the position of the file, from 0"
    by_number: dict[int, Path] = {}
    for number, path in zip(numbers, paths, strict=True):
        assert number is not None
        if number in by_number:
            raise DataError(f"{by_number[number]} and {path} both have the number {number}; rename or omit one of them")
        by_number[number] = path
    return sorted(by_number.items()), source


def _in_name(path: Path) -> int | None:
    # numbers of ten or more digits are dates
    numbers = re.findall(r"(?<!\d)\d{1,9}(?!\d)", path.stem) or re.findall(r"(?<!\d)\d{1,9}(?!\d)", path.parent.name)
    return int(numbers[-1]) if numbers else None


def _stored_number(contents: Any) -> int | None:
    for name in _STEPS if isinstance(contents, Mapping) else ():
        value = contents.get(name)
        value = value.item() if isinstance(value, Tensor) and value.numel() == 1 else value
        if isinstance(value, int) and value >= 0:
            return value
    return None


def learning_rate(contents: Any) -> float | None:
    """The learning rate of the first optimizer's first group in a checkpoint; None if there is none above 0."""
    for mapping in mappings_in(contents):
        groups = mapping.get("param_groups")
        if isinstance(groups, list) and groups and isinstance(groups[0], Mapping):
            lr = groups[0].get("lr")
            if isinstance(lr, int | float | Tensor) and 0 < float(lr) < math.inf:
                return float(lr)
    return None


def mappings_in(contents: Any, depth: int = 4) -> Iterator[Mapping[Any, Any]]:
    """All mappings in the contents of a checkpoint, down to a depth, the outer ones first."""
    pending = [(contents, depth)]
    while pending:
        value, remaining = pending.pop(0)
        if isinstance(value, Mapping):
            yield value
        parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
        if remaining:
            pending += [(part, remaining - 1) for part in parts if isinstance(part, Mapping | list | tuple)]


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
