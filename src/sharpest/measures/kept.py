"""The points of an unfinished measurement, kept so that a killed job resumes after the last of them.

A point always receives the values that the one before carried to it in the form in which they are kept, killed or not,
so that a resumed job cannot differ from an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sharpest.results.work import Record, WorkStore

_SIMPLE = (bool, int, float, str, type(None))


class KeptPoints:
    """The values of each point, and the values that the last point carried to the next one.

    Args:
        measure: Name of the measure.
        path: The folder.
        identity: A hash of all that the bits of the measurement depend on.

    Raises:
        StoreError: If the folder cannot be written.
    """

    def __init__(self, measure: str, path: Path, identity: str) -> None:
        self._measure, self._store = measure, WorkStore(path, identity)
        self.remove = self._store.remove

    def keep(
        self, number: int, facts: Mapping[str, Any], values: Mapping[str, NDArray[Any]], carried: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Keep the next point; returns the values carried to the point after it.

        A vector that is both a value of the point and carried is written once.

        Args:
            number: Number of the point within the measurement, from 0.
            facts: Further state of the measurement, such as counts of checks.
            values: Values of the point.
            carried: Values carried to the next point.

        Raises:
            StoreError: If the point cannot be written.
            ValueError: If a carried value cannot be stored; the message names measure and key.
        """
        kinds, arrays = self._packed(carried, values)
        self._store.put("points", number, facts, values)
        # second, so that a kill between the two costs one point
        self._store.put("carried", 0, {"point": number, "kinds": kinds}, arrays)
        return _unpacked(kinds, {**values, **arrays})

    def resume(self, starts: Collection[int]) -> tuple[int, str]:
        """The number of points that need not be measured again, and a note for the user; later points are deleted.

        Args:
            starts: Numbers of the first points of the segments, and the total number of points: nothing is carried to
                these.

        Raises:
            StoreError: If the file cannot be written.
        """
        store, numbers = self._store, self._store.numbers("points")
        whole = next((count for count, number in enumerate(numbers) if count != number), len(numbers))
        last = store.get("carried", 0)
        goes_on = {*starts, last.facts["point"] + 1 if last else 0}
        count = max(number for number in range(whole + 1) if number in goes_on)
        store.drop("points", *numbers[count:])
        if store.emptied:
            return 0, "starts again: what was kept is of other code, settings, inputs or packages"
        if store.damaged or store.lost:
            verb = "goes on" if count else "starts again"
            return count, f"{verb}: what was kept behind this point is damaged or cut short"
        return count, "goes on" if count else ""

    def points(self, count: int) -> Iterator[Record]:
        """The first ``count`` points, one in memory at a time."""
        return islice(self._store.records("points"), count)

    def carried(self, number: int) -> dict[str, Any]:
        """The values that a point carried to the next one; empty if they are not kept."""
        last, point = self._store.get("carried", 0), self._store.get("points", number)
        if last is None or point is None or last.facts["point"] != number:
            return {}
        return _unpacked(last.facts["kinds"], {**point.arrays, **last.arrays})

    def _packed(
        self, carried: Mapping[str, Any], values: Mapping[str, NDArray[Any]]
    ) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Carried values in a form that can be stored: what JSON can hold, and arrays."""
        kinds: dict[str, Any] = {}
        arrays: dict[str, NDArray[Any]] = {}
        for key, value in carried.items():
            if not isinstance(key, str):
                raise ValueError(f"measure {self._measure}: carried has the key {key!r}, expected a text")
            if type(value) in _SIMPLE:
                kinds[key] = {"value": value}
                continue
            array = _as_array(value)
            if array is None:
                raise ValueError(
                    f"measure {self._measure}: carried[{key!r}] is of type {_type_of(value)}, which a kill would lose; "
                    "carry tensors, arrays of numbers, numbers, texts or None, each under a key of its own"
                )
            name = next((name for name, other in values.items() if _same_bits(array, other)), None)
            if name is None:
                arrays[name := f"carried {key}"] = array
            kinds[key] = {"array": name, **({"device": str(value.device)} if isinstance(value, Tensor) else {})}
        return kinds, arrays


def _unpacked(kinds: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Carried values from their stored form, in fresh memory."""
    return {key: _value(kind, arrays) for key, kind in kinds.items()}


def _value(kind: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Any:
    if "array" not in kind:
        return kind["value"]
    array = arrays[kind["array"]]
    # torch.tensor copies into torch's own memory, because results may depend on the alignment of a vector
    return torch.tensor(array, device=kind["device"]) if "device" in kind else np.array(array)


def _same_bits(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


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
