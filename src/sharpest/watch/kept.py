"""The file of a monitor, in the layouts of measures."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from sharpest import __version__
from sharpest.errors import StoreError
from sharpest.results.layout import Dataset, Layout
from sharpest.results.together import write_together


class Kept:
    """The file of a monitor. It is complete after each measurement, so that a kill loses nothing.

    Args:
        path: Path of the file, which must not exist yet.
        layouts: Layouts that the file holds.
        sizes: Layout -> letter of a dimension -> its length, for all letters but t.
        attributes: Attributes of the file; attributes of a layout that are missing here become null.
        steps_per_epoch: To compute epochs; None = epochs are NaN.

    Raises:
        ValueError: If the file exists already, or another monitor is writing it.
        StoreError: If the file cannot be written.
    """

    def __init__(
        self,
        path: str | Path,
        layouts: list[Layout],
        sizes: Mapping[str, Mapping[str, int]],
        attributes: Mapping[str, Any],
        steps_per_epoch: int | None,
    ) -> None:
        self.path, self._layouts, self._sizes = Path(path), layouts, sizes
        self._attributes, self._steps_per_epoch = dict(attributes), steps_per_epoch
        self._rows: dict[str, list[dict[str, Any]]] = {layout.name: [] for layout in layouts}
        self._lock = _locked(self.path)
        if self.path.exists():
            self.close()
            raise ValueError(f"{path} exists; delete it, or pass another path")

    def add(self, step: int, arrays: Mapping[str, Mapping[str, Any]], finite: bool) -> None:
        """Write one measurement.

        Args:
            step: Completed updates.
            arrays: Layout -> array name -> value.
            finite: Whether the loss is finite.

        Raises:
            StoreError: If the file cannot be written; the next measurement tries again.
        """
        epoch = step / self._steps_per_epoch if self._steps_per_epoch else np.nan
        if not finite and self._attributes["diverged_epoch"] is None:
            self._attributes["diverged_epoch"] = epoch
        for name, rows in self._rows.items():
            rows.append({"iteration": step, "epoch": epoch, **arrays.get(name, {})})
        parts = [(layout, self._arrays(layout), self._attributes_of(layout)) for layout in self._layouts]
        write_together(self.path, parts)

    def _attributes_of(self, layout: Layout) -> dict[str, Any]:
        count = len(self._rows[layout.name])
        attributes = {
            **self._attributes,
            "planned_points": count,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        return {name: attributes.get(name) for name in layout.attributes}

    def _arrays(self, layout: Layout) -> dict[str, NDArray[Any]]:
        rows, sizes = self._rows[layout.name], {"t": 0, **self._sizes.get(layout.name, {})}
        return {dataset.name: _stacked(dataset, rows, sizes) for dataset in layout.datasets}

    def close(self) -> None:
        """Release the file."""
        self._lock.release()
        Path(self._lock.lock_file).unlink(missing_ok=True)


def _stacked(dataset: Dataset, rows: list[dict[str, Any]], sizes: Mapping[str, int]) -> NDArray[Any]:
    """An array of all measurements; missing values are NaN, or 0 in integer arrays. Vectors are not kept."""
    shape = tuple(sizes.get(letter, 0) for letter in dataset.dims)
    if dataset.dims[0] != "t":
        return np.zeros(shape, dataset.dtype)
    missing = np.full(shape[1:], np.nan if np.dtype(dataset.dtype).kind == "f" else 0, dataset.dtype)
    return np.stack([np.asarray(row.get(dataset.name, missing), dataset.dtype) for row in rows])


def _locked(path: Path) -> FileLock:
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise ValueError(f"another monitor is writing {path}; close that monitor, or pass another path") from None
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be written ({error}); correct the folder's permissions or the path"
        ) from error
    return lock


def provenance() -> dict[str, Any]:
    """Provenance of the numbers: packages, device, threads."""
    packages = {name: version(name) for name in ("h5py", "numpy", "scipy", "torch")} | {"sharpest": __version__}
    return {
        "packages": {"python": platform.python_version(), **packages},
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else f"cpu ({platform.machine()})",
        "torch_threads": torch.get_num_threads(),
        "reductions": [],
    }
