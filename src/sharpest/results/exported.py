"""Export results files for other programs: npz, csv, NetCDF."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sharpest.errors import StoreError
from sharpest.results.stored import Measured, layout_in
from sharpest.results.whole import written_whole


def export(path: str | Path, output: str | Path, vectors: bool = False, kind: str | None = None) -> None:
    """Export a results file to another format, atomically.

    Args:
        path: A results file of any kind.
        output: Path of the export. The ending sets the format: ``npz`` holds all arrays by name and the attributes as
            JSON text, ``csv`` one row per point, ``nc`` (NetCDF) the data set of ``Measured.to_xarray``.
        vectors: Also write arrays with a dimension of parameters.
        kind: Which layout of a combined file to export.

    Raises:
        StoreError: If the file is damaged or has no points, the ending is unknown, the export exists already or its
            folder does not, or it cannot be written.
        MissingPackageError: For NetCDF, if xarray is not installed.
    """
    write = _FORMATS.get(Path(output).suffix)
    if write is None:
        raise StoreError(f"{output}: unknown format; give it a name that ends in {', '.join(_FORMATS)}")
    if Path(output).exists():
        raise StoreError(f"{output}: exists; delete it, or choose another name")
    if not Path(output).parent.is_dir():
        raise StoreError(f"{output}: there is no folder {Path(output).parent}; make it, or choose another one")
    write(Measured(path, layout_in(path, kind)), Path(output), vectors)


def _write_npz(stored: Measured, output: Path, vectors: bool) -> None:
    arrays = {dataset.name: stored[dataset.name] for dataset in stored.datasets if vectors or not dataset.is_large}
    with written_whole(output) as temporary, open(temporary, "wb") as stream:
        np.savez(stream, attributes=np.array(json.dumps(dict(stored.attributes))), **arrays)  # type: ignore[arg-type]


def _write_csv(stored: Measured, output: Path, vectors: bool) -> None:
    if vectors:
        raise StoreError(f"{output}: csv cannot hold vectors; leave --vectors out, or write npz or nc")
    _check_points(stored, output)
    columns = {"run": [stored.run] * len(stored.iteration)}
    columns |= {name: column.tolist() for name, column in stored.columns().items()}
    with written_whole(output) as temporary, open(temporary, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def _write_netcdf(stored: Measured, output: Path, vectors: bool) -> None:
    _check_points(stored, output)
    dataset = stored.to_xarray(vectors)
    with written_whole(output) as temporary:
        dataset.to_netcdf(temporary)


def _check_points(stored: Measured, output: Path) -> None:
    """Refuse a file without one row per point of a run."""
    names = {dataset.name for dataset in stored.datasets}
    if not {"iteration", "epoch"} <= names or "run" not in stored.attributes:
        raise StoreError(f"{output}: {stored.path} has no points along a run; write npz instead")


_FORMATS: dict[str, Callable[[Measured, Path, bool], None]] = {
    ".npz": _write_npz,
    ".csv": _write_csv,
    ".nc": _write_netcdf,
}
