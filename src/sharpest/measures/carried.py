"""Values that one point carries to the next, in a form that survives a kill.

A point always receives them in that form, killed or not, so that a resumed job cannot differ from an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Packed = tuple[dict[str, Any], dict[str, NDArray[Any]]]
"""JSON-compatible values, and arrays."""

_SIMPLE = (bool, int, float, str, type(None))


def packed(measure: str, carried: Mapping[str, Any]) -> Packed:
    """Carried values in a form that can be stored.

    Args:
        measure: Name of the measure.
        carried: Tensors, arrays and simple values by name.

    Raises:
        ValueError: If a value cannot be stored; the message names measure and key.
    """
    kinds: dict[str, Any] = {}
    arrays: dict[str, NDArray[Any]] = {}
    for key, value in carried.items():
        if not isinstance(key, str):
            raise ValueError(f"measure {measure}: carried has the key {key!r}, expected a text")
        if type(value) in _SIMPLE:
            kinds[key] = {"value": value}
            continue
        array = _as_array(value)
        if array is None:
            raise ValueError(
                f"measure {measure}: carried[{key!r}] is of type {_type_of(value)}, which a kill would lose; carry "
                "tensors, arrays of numbers, numbers, texts or None, each under a key of its own"
            )
        arrays[key] = array
        kinds[key] = {"device": str(value.device)} if isinstance(value, Tensor) else {}
    return {"carried": kinds}, arrays


def unpacked(kept: Packed) -> dict[str, Any]:
    """Carried values from their stored form, in fresh memory."""
    kinds, arrays = kept[0]["carried"], kept[1]
    return {key: _unpacked(kind, arrays.get(key)) for key, kind in kinds.items()}


def _as_array(value: Any) -> NDArray[Any] | None:
    """The value as an array; None if it cannot be stored as one."""
    if isinstance(value, Tensor):
        try:
            return np.asarray(value.detach().cpu().numpy(), order="C")
        except (TypeError, RuntimeError):  # sparse, or of a type unknown to NumPy
            return None
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufc":
        return np.asarray(value, order="C")
    return None


def _type_of(value: Any) -> str:
    dtype = getattr(value, "dtype", None)
    return type(value).__name__ + (f" of {dtype}" if dtype else "")


def _unpacked(kind: Mapping[str, Any], array: NDArray[Any] | None) -> Any:
    if array is None:
        return kind["value"]
    # torch.tensor copies into torch's own memory, because results may depend on the alignment of a vector
    return torch.tensor(array, device=kind["device"]) if "device" in kind else np.array(array)
