"""The file of a monitor, in the layouts of measures."""

from __future__ import annotations

import json
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
from sharpest.results.file import open_stored
from sharpest.results.layout import Dataset, Layout
from sharpest.results.shards import write_together

_SAME = ("run", "settings", "hessian")
"""Attributes that must be equal for an existing file to go on."""


class Kept:
    """The file of a monitor. It is complete after each measurement, so that a kill loses nothing.

    Args:
        path: Path of the file.
        layouts: Layouts that the file holds.
        sizes: Layout -> letter of a dimension -> its length, for all letters but t.
        attributes: Attributes of the file; attributes of a layout that are missing here become null.
        steps_per_epoch: To compute epochs; None = epochs are NaN.
        start: Updates completed before. Above 0, an existing file goes on after its measurements before that update.

    Raises:
        ValueError: If another monitor is writing the file, or if it exists already and ``start`` is 0 or its settings
            are others.
        StoreError: If the file cannot be written.
    """

    def __init__(
        self,
        path: str | Path,
        layouts: list[Layout],
        sizes: Mapping[str, Mapping[str, int]],
        attributes: Mapping[str, Any],
        steps_per_epoch: int | None,
        start: int,
    ) -> None:
        self.path, self._layouts, self._sizes = Path(path), layouts, sizes
        self._attributes, self._steps_per_epoch = dict(attributes), steps_per_epoch
        self._rows: dict[str, list[dict[str, Any]]] = {layout.name: [] for layout in layouts}
        self._lock = _locked(self.path)
        if self.path.exists():
            try:
                self._go_on(start)
            except BaseException:
                self.close()
                raise

    def _go_on(self, start: int) -> None:
        """Take over the measurements before an update from the existing file."""
        if start == 0:
            raise ValueError(
                f"{self.path} exists; delete it, or pass another path; to go on in it, pass start, the number of "
                "updates completed before"
            )
        for layout in self._layouts:
            with open_stored(self.path, layout) as stored:
                settings = {name: stored.attributes.get(name) for name in _SAME}
                if settings != json.loads(json.dumps({name: self._attributes[name] for name in _SAME})):
                    raise ValueError(f"{self.path} was measured with other settings; pass the same, or another path")
                self._attributes["diverged_epoch"] = stored.attributes["diverged_epoch"]
                columns = {dataset.name: stored[dataset.name] for dataset in layout.datasets if dataset.dims[0] == "t"}
            count = int(np.searchsorted(columns["iteration"], start))
            self._rows[layout.name] = [{name: rows[at] for name, rows in columns.items()} for at in range(count)]

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
    cpu = f"cpu ({platform.machine()}, {torch.backends.cpu.get_cpu_capability()})"
    packages = {name: version(name) for name in ("h5py", "numpy", "scipy", "torch")} | {"sharpest": __version__}
    return {
        "packages": {"python": platform.python_version(), **packages},
        "device": f"{torch.cuda.get_device_name()}, {cpu}" if torch.cuda.is_available() else cpu,
        "torch_threads": torch.get_num_threads(),
        "reductions": [],
    }
