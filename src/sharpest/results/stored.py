"""Stored measurements and snapshots: arrays with descriptions, and the reader of each measure."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from sharpest.errors import StoreError, needs_pipeline
from sharpest.results.file import TOGETHER, inspected, open_stored, read_parts
from sharpest.results.layout import Dataset, Layout
from sharpest.results.snapshots import SNAPSHOTS, STATE

if TYPE_CHECKING:
    import pandas as pd
    import xarray


def layouts_in(path: str | Path) -> dict[str, Layout]:
    """The layouts of a file, by name: one, or several in a combined file.

    Raises:
        StoreError: If the file is missing or damaged, or does not describe its content.
    """
    with inspected(path) as file:
        parts = list(file.values()) if file.attrs.get("layout") == TOGETHER else [file]
        return {layout.name: layout for layout in map(_described, parts)}


def layout_in(path: str | Path, kind: str | None = None) -> Layout:
    """One layout of a file.

    Args:
        path: The file.
        kind: Name of the layout; None = the only one.

    Raises:
        StoreError: See ``layouts_in``; also if the file does not have the layout, or has several and none is named.
    """
    layouts = layouts_in(path)
    if kind is None and len(layouts) == 1:
        return next(iter(layouts.values()))
    if kind not in layouts:
        hint = "say which is meant with its kind" if kind is None else f"and no {kind}"
        raise StoreError(f"{path}: holds {', '.join(layouts)}; {hint}")
    return layouts[kind]


def _described(part: h5py.Group) -> Layout:
    """The layout that a part of a file describes, with its arrays in alphabetical order."""
    datasets = []
    for name, array in part.items():
        dims = tuple(dimension.label for dimension in array.dims)
        if not all(dims):
            raise ValueError(f"does not name the dimensions of {name}: it was written by an older version of the code")
        datasets.append(Dataset(name, array.dtype.str, dims, array.attrs["unit"], array.attrs["meaning"]))
    attributes = tuple(name for name in part.attrs if name not in ("layout", "version"))
    return Layout(str(part.attrs["layout"]), int(part.attrs["version"]), tuple(datasets), attributes)


class Stored:
    """A results file. It is verified once, and not held open.

    Args:
        path: The file.
        layout: Its layout; None = as the file describes itself.

    Raises:
        StoreError: If it is missing, damaged, of another kind, or of another version.

    Attributes:
        path: The file that was read.
        attributes: Decoded attributes of the file.
        digest: Digest of its content.
    """

    def __init__(self, path: str | Path, layout: Layout | None = None) -> None:
        self.path = Path(path)
        self._layout = layout or layout_in(path)
        self._datasets = {dataset.name: dataset for dataset in self._layout.datasets}
        with open_stored(path, self._layout) as file:
            self._arrays: dict[str, NDArray[Any]] = {
                name: file[name] for name, dataset in self._datasets.items() if not dataset.is_large
            }
            self._shapes = {name: file.shape(name) for name in self._datasets}
            self.attributes: Mapping[str, Any] = file.attributes
            self.digest = file.digest

    def __getitem__(self, name: str) -> NDArray[Any]:
        """An array by its name in the layout.

        Raises:
            KeyError: If the layout has no such array.
        """
        if name not in self._datasets:
            raise KeyError(f"{self._layout.name} files hold {', '.join(self._datasets)}, not {name!r}")
        return self._arrays[name] if name in self._arrays else read_parts(self.path, self._layout, [name], ...)[name]

    def row(self, name: str, index: int) -> NDArray[Any]:
        """One row of an array; the other rows of a large array are not read."""
        return self.row_of([name], index)[name]

    def row_of(self, names: Iterable[str], index: int) -> dict[str, NDArray[Any]]:
        """The same row of several arrays."""
        names = list(names)
        large = [name for name in names if name not in self._arrays]
        read = read_parts(self.path, self._layout, large, index) if large else {}
        return {name: read[name] if name in read else self._arrays[name][index] for name in names}

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of an array, without reading it."""
        return self._shapes[name]

    @property
    def kind(self) -> str:
        """Name of the layout; for a measured file, the name of the measure."""
        return self._layout.name

    @property
    def version(self) -> int:
        """Version of the layout."""
        return self._layout.version

    @property
    def datasets(self) -> Iterable[Dataset]:
        """The arrays, as the layout describes them."""
        return self._datasets.values()

    @property
    def run(self) -> str:
        """Id of the run."""
        return str(self.attributes["run"])


_SHOWN = {"epoch": ".3g", "iteration": ","}  # formats of times


def divergence(time: float | None, unit: Literal["epoch", "iteration"] = "epoch") -> str:
    """Text to add to the name of a diverged run: ``diverged at epoch 3.2``; empty if the run did not diverge.

    Args:
        time: When the loss was no longer finite; None if it stayed finite.
        unit: Unit of the time.
    """
    return "" if time is None else f"diverged at {unit} {time:{_SHOWN[unit]}}"


class Measured(Stored):
    """The values of a measure on a run at t points. Readers of single measures add names of their own.

    Args:
        path: The file.
        layout: Layout of the measure; None = the reader's own, or as the file describes itself.
    """

    layout: ClassVar[Layout]

    def __init__(self, path: str | Path, layout: Layout | None = None) -> None:
        super().__init__(path, layout or getattr(type(self), "layout", None))

    def __getattr__(self, name: str) -> NDArray[Any]:
        """An array by its name in the layout, as ``measured.trace`` for ``measured["trace"]``."""
        if name.startswith("_"):  # also on a copy that has no arrays yet
            raise AttributeError(name)
        if name not in self._datasets:
            raise AttributeError(f"{type(self).__name__} has no {name!r}; its arrays are {', '.join(self._datasets)}")
        return self[name]

    @property
    def iteration(self) -> NDArray[np.int64]:
        """(t,), completed updates."""
        return self["iteration"]

    @property
    def epoch(self) -> NDArray[np.float64]:
        """(t,), iteration over steps per epoch."""
        return self["epoch"]

    @property
    def lr(self) -> float:
        """Learning rate at the start of the run."""
        return float(self.attributes["lr"])

    @property
    def settings(self) -> Mapping[str, Any]:
        """Settings of the measure."""
        settings: Mapping[str, Any] = self.attributes["settings"]
        return settings

    @property
    def hessian(self) -> Mapping[str, Any]:
        """Settings of the Hessian."""
        hessian: Mapping[str, Any] = self.attributes["hessian"]
        return hessian

    @property
    def diverged(self) -> float | None:
        """Epoch at which the loss of the run was no longer finite; None if it stayed finite."""
        epoch: float | None = self.attributes["diverged_epoch"]
        return epoch

    @property
    def divergence(self) -> str:
        """Text to add to the name of the run; empty if it did not diverge."""
        return divergence(self.diverged)

    def rows(self, chosen: NDArray[Any]) -> Self:
        """The values at some of the points, given by indices (n,) or flags (t,). Vectors are left out."""
        part = copy.copy(self)
        part._datasets = {
            name: dataset for name, dataset in self._datasets.items() if name in self._arrays and dataset.dims[0] != "v"
        }
        part._arrays = {
            name: self._arrays[name][chosen] if dataset.dims[0] == "t" else self._arrays[name]
            for name, dataset in part._datasets.items()
        }
        part._shapes = {**self._shapes, **{name: array.shape for name, array in part._arrays.items()}}
        return part

    def at(self, iteration: int) -> Mapping[str, NDArray[Any]] | None:
        """All values at one iteration, including kept vectors; None if it was not measured."""
        rows = np.flatnonzero(self.iteration == iteration)
        if not len(rows):
            return None
        row = int(rows[0])
        values = {name: self.row(name, row) for name, dataset in self._datasets.items() if dataset.dims[0] == "t"}
        if "vector_index" in self._datasets:
            kept = np.flatnonzero(self["vector_index"] == row)
            for name, dataset in self._datasets.items():
                if dataset.dims[0] == "v" and len(kept) and name != "vector_index":
                    values[name] = self.row(name, int(kept[0]))
        return values

    def columns(self) -> dict[str, NDArray[Any]]:
        """Every array of one or two dimensions, such as ``loss``, as columns (t,); iteration and epoch come first.

        The columns of a two-dimensional array are numbered from 0: ``eigenvalues_0``.
        """
        columns = {"iteration": self.iteration, "epoch": self.epoch}
        for name, dataset in self._datasets.items():
            if dataset.dims[0] != "t" or name not in self._arrays:
                continue
            if len(dataset.dims) == 1:
                columns[name] = self[name]
            elif len(dataset.dims) == 2:
                columns |= {f"{name}_{place}": column for place, column in enumerate(self[name].T)}
        return columns

    def to_frame(self) -> pd.DataFrame:
        """One row per point: run, iteration, epoch, and every array of one or two dimensions, such as ``loss``.

        The columns are those of ``columns``. Arrays of more dimensions are in ``to_xarray``.

        Raises:
            MissingPackageError: If pandas is not installed.
        """
        with needs_pipeline("to_frame"):
            import pandas as pd  # takes a third of a second, which training jobs save
        return pd.DataFrame({"run": [self.run] * len(self.iteration), **self.columns()})

    def to_xarray(self, vectors: bool = False) -> xarray.Dataset:
        """Arrays with the layout's letters as dimensions, and unit and meaning as their attributes.

        Iteration, epoch and the arrays that number a dimension (alphas, grid) are coordinates. The attributes of the
        file become those of the data set. For the sake of NetCDF, mappings and lists are written as JSON, and ``mode``
        as ``net_mode``.

        Args:
            vectors: Also read the kept vectors of p parameters.

        Raises:
            MissingPackageError: If xarray is not installed.
        """
        with needs_pipeline("to_xarray"):
            import xarray
        arrays: dict[str, Any] = {}
        coordinates: dict[str, Any] = {}
        for name, dataset in self._datasets.items():
            if name not in self._arrays and not vectors:
                continue
            dims = tuple(letter.rstrip("*") for letter in dataset.dims)
            variable = xarray.Variable(dims, self[name], {"units": dataset.unit, "long_name": dataset.meaning})
            numbers = len(dims) == 1 and (dims[0] != "t" or name in ("iteration", "epoch"))
            (coordinates if numbers else arrays)[name] = variable
        attributes = {_NETCDF_NAMES.get(name, name): _plain(value) for name, value in self.attributes.items()}
        return xarray.Dataset(arrays, coordinates, attributes)


# SciPy's writer would take an attribute named mode for the mode in which the file is open
_NETCDF_NAMES = {"mode": "net_mode"}


def _plain(value: Any) -> Any:
    """A value that NetCDF can hold."""
    return value if isinstance(value, str | int | float) else json.dumps(value, sort_keys=True)


def common_points(*measured: Measured) -> list[Any]:
    """The files, restricted to the iterations that all of them have, in order of time."""
    shared = measured[0].iteration
    for other in measured[1:]:
        shared = np.intersect1d(shared, other.iteration)
    return [each.rows(np.searchsorted(each.iteration, shared)) for each in measured]


def reader_of(measure: str) -> type[Measured]:
    """The class that reads the files of a measure: the measure's own, or one that only knows the names of its arrays.

    If only the core is installed, the layout is read from the files themselves.
    """
    try:
        module = import_module(f"sharpest.measures.{measure}")
    except ModuleNotFoundError as error:
        if (error.name or "sharpest").startswith("sharpest"):
            raise
        return Measured
    reader: type[Measured] = getattr(module, "Reader", None) or type(
        "Reader", (Measured,), {"layout": module.MEASURE.layout}
    )
    return reader


class Snapshots(Stored):
    """The snapshots file of a run: t states, and r computations of directions during training.

    Args:
        path: The file.

    Raises:
        StoreError: If it is missing, damaged, of another kind, or of another version.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path, SNAPSHOTS)

    @property
    def iteration(self) -> NDArray[np.int64]:
        """(t,), completed updates."""
        return self["iteration"]

    @property
    def update_loss(self) -> NDArray[np.float64]:
        """(u,), the loss that a full-batch run trains on, with L2: at its start, and after each of its updates.

        If the run diverged, the last loss or the one before the last update is not finite. Empty for other runs.
        """
        return self["update_loss"]

    def state(self, row: int) -> dict[str, NDArray[Any]]:
        """Everything that training needs to resume from a row, by name."""
        return self.row_of([dataset.name for dataset in STATE], row)

    @property
    def diverged(self) -> int | None:
        """The update at which the loss was no longer finite; None if it stayed finite."""
        iteration = int(self.attributes["diverged"])
        return None if iteration < 0 else iteration
