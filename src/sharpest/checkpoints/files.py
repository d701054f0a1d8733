"""Files of checkpoints: what is in them, and which iteration each is of."""

from __future__ import annotations

import glob
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sharpest.errors import DataError

_STEPS = ("global_step", "step", "iteration", "iter", "num_steps")
_DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64,
    "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip
_LONGEST_HEADER = 100_000_000  # bytes, as the format says


def found_files(patterns: Sequence[str]) -> list[Path]:
    """The files of names and patterns, each once, in their order.

    Raises:
        DataError: If one fits no file.
    """
    files: dict[Path, None] = {}
    for pattern in patterns:
        fitting = [pattern] if Path(pattern).is_file() else sorted(glob.glob(pattern))
        fitting = [name for name in fitting if Path(name).is_file()]
        if not fitting:
            raise DataError(f"{pattern}: fits no file; name checkpoints, such as checkpoints/*.pt")
        files |= dict.fromkeys(map(Path, fitting))
    return list(files)


def contents_of(path: Path) -> Any:
    """What a checkpoint holds: tensors, numbers, texts, and mappings and lists of them.

    Raises:
        DataError: If it cannot be read, or holds objects, which would run code.
    """
    try:
        if path.suffix == ".safetensors":
            return _safetensors(path)
        return torch.load(path, map_location="cpu", weights_only=True)  # noqa: TID251 - tensors and plain values alone
    except (OSError, MemoryError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    except Exception as error:  # a damaged file may raise anything
        found = re.search(r"(?:GLOBAL|class|type) ([\w.]*\.\w+)", str(error))
        if found and "Weights only" in str(error):
            raise DataError(
                f"{path}: holds an object ({found[1]}) that would run code when it is read; save the net's "
                "state_dict() alone, with torch.save"
            ) from None
        raise DataError(f"{path}: is no checkpoint of torch or safetensors, or damaged; save it again") from error


def _safetensors(path: Path) -> dict[str, Tensor]:
    """A header of names, types, shapes and places; then the bytes."""
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
    """Each file with its iteration, increasing, and in words where the numbers come from.

    It is the last number in the name of the file, or of its folder; where a file has none, the number of updates that
    each checkpoint holds; and else their order.

    Raises:
        DataError: If two have the same number.
    """
    numbers, source = [_in_name(path) for path in paths], "the number in its name"
    if None in numbers:
        numbers, source = [_held(contents_of(path)) for path in paths], "the number of updates that it holds"
    if None in numbers:
        numbers, source = list(range(len(paths))), "its place in the order of the files"
    by_number: dict[int, Path] = {}
    for number, path in zip(numbers, paths, strict=True):
        assert number is not None
        if number in by_number:
            raise DataError(f"{by_number[number]} and {path} both have the number {number}; rename or leave out one")
        by_number[number] = path
    return sorted(by_number.items()), source


def _in_name(path: Path) -> int | None:
    # those of ten digits and more are dates
    found = re.findall(r"(?<!\d)\d{1,9}(?!\d)", path.stem) or re.findall(r"(?<!\d)\d{1,9}(?!\d)", path.parent.name)
    return int(found[-1]) if found else None


def _held(contents: Any) -> int | None:
    for name in _STEPS if isinstance(contents, Mapping) else ():
        value = contents.get(name)
        value = value.item() if isinstance(value, Tensor) and value.numel() == 1 else value
        if isinstance(value, int) and value >= 0:
            return value
    return None


def learning_rate(contents: Any) -> float | None:
    """That of the first group of the first optimizer in a checkpoint; None where there is none above 0."""
    for mapping in mappings_in(contents):
        groups = mapping.get("param_groups")
        if isinstance(groups, list) and groups and isinstance(groups[0], Mapping):
            lr = groups[0].get("lr")
            if isinstance(lr, int | float | Tensor) and 0 < float(lr) < math.inf:
                return float(lr)
    return None


def mappings_in(contents: Any, depth: int = 4) -> Iterator[Mapping[Any, Any]]:
    """All mappings in what a checkpoint holds, the outer ones first."""
    waiting = [(contents, depth)]
    while waiting:
        value, left = waiting.pop(0)
        if isinstance(value, Mapping):
            yield value
        parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
        if left:
            waiting += [(part, left - 1) for part in parts if isinstance(part, Mapping | list | tuple)]
