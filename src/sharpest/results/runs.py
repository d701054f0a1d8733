"""Results of runs by name, and tidy tables of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module, util
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from sharpest.errors import ConfigError, StoreError, meant, needs_pipeline
from sharpest.results.paths import Paths
from sharpest.results.record import check_record, check_recorded
from sharpest.results.stored import Measured, Snapshots, Stored, reader_of

if TYPE_CHECKING:
    import pandas as pd


_TIMES = ("iteration", "epoch")


def tidy_columns(measured: Measured, array: str | None = None) -> dict[str, Any]:
    """The columns of ``Results.to_frame`` for one file.

    Args:
        measured: The file.
        array: An array with at most one dimension besides the points; None = see ``Results.to_frame``.

    Raises:
        StoreError: If there is no such array.
    """
    fitting = [
        dataset.name
        for dataset in measured.datasets
        if dataset.dims[0] == "t" and len(dataset.dims) < 3 and dataset.name not in _TIMES and not dataset.is_large
    ]
    name = array or next((name for name in ("eigenvalues", measured.kind) if name in fitting), None)
    if name not in fitting:
        raise StoreError(
            f"{measured.path}: name an array with a value or a list of values for each point, not {name!r}: "
            f"{', '.join(fitting) or 'it has none'}; others are in to_xarray"
        )
    values = measured[name].reshape(len(measured.iteration), -1)
    points, width = values.shape
    net, data, optimizer = measured.run.split("-")[:3]
    return {
        "run": np.full(values.size, measured.run, object),
        "net": net,
        "data": data,
        "optimizer": optimizer,
        "lr": measured.lr,
        "momentum": measured.attributes["config"]["run"]["momentum"],
        "schedule": measured.attributes["schedule"],
        **{time: np.repeat(measured[time], width) for time in _TIMES},
        "index": np.tile(np.arange(width), points),
        "value": values.ravel(),
    }


_CONFIG = Path("config/config.yaml")


def scale_in(folder: str | Path) -> str:
    """The scale of ``config/config.yaml`` in the current folder if it has results, else the only one with results.

    Args:
        folder: Folder with one folder per scale.

    Raises:
        StoreError: If there are no results, or those of several scales.
        ConfigError: If the configuration cannot be read.
    """
    scales = sorted(path.name for path in Path(folder).glob("*/"))
    # only the core is installed without yaml; the configuration is imported by name, since it imports this package
    if _CONFIG.exists() and util.find_spec("yaml"):
        keys = import_module("sharpest.config.reading").read_keys(_CONFIG)
        if "scale" not in keys:
            raise ConfigError(f"{_CONFIG}: scale is missing; add it")
        if str(keys["scale"]) in scales:
            return str(keys["scale"])
    if len(scales) != 1:
        raise StoreError(
            f"{folder} has {', '.join(scales) or 'no scale'}; choose one with --scale, in Python with scale=..."
        )
    return scales[0]


_File = TypeVar("_File", bound=Stored)
_Reader = TypeVar("_Reader", bound=Measured)


class Results:
    """The files of a scale, each read once: ``results["<run>"].spectra("<schedule>")``.

    Args:
        folder: ``results/<scale>``.

    Attributes:
        paths: Paths of the folder.
        made_from: Digests of all files read so far, by path relative to the folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.paths = Paths(Path(folder))
        self.made_from: dict[str, str] = {}
        self._read: dict[Path, Any] = {}

    def __getitem__(self, run: str) -> RunResults:
        """One run by its id; its files are read on demand."""
        return RunResults(self, run)

    def __iter__(self) -> Iterator[str]:
        """Ids of the trained runs."""
        folder = self.paths.snapshots("").parent
        return iter(
            sorted(str(path.parent.relative_to(folder)) for path in folder.rglob(self.paths.snapshots("").name))
        )

    def to_frame(self, measure: str, array: str | None = None) -> pd.DataFrame:
        """An array of a measure on all runs and schedules, one row per value.

        Columns: run, net, data, optimizer, lr, momentum, schedule, iteration, epoch, index, value. Learning rate and
        momentum are those of the run at this scale; the index counts from 0 within a point.

        Args:
            measure: Name of the measure.
            array: An array with at most one dimension besides the points; None = ``eigenvalues``, or the one with the
                name of the measure.

        Raises:
            StoreError: If the measure was not taken, the array does not exist or has more dimensions, or a file is
                damaged.
            MissingPackageError: If pandas is not installed.
        """
        with needs_pipeline("to_frame"):
            import pandas as pd
        files = [
            self[run].read(reader_of(measure), schedule, measure)
            for run in self
            for schedule in self[run].schedules(measure)
        ]
        if not files:
            raise StoreError(f"{self.paths.folder} has no {measure}; it has {', '.join(self._measures()) or 'none'}")
        return pd.concat([pd.DataFrame(tidy_columns(file, array)) for file in files], ignore_index=True)

    def _measures(self) -> list[str]:
        return sorted({measure for run in self for measure in self[run].measures})

    def once(self, path: Path, read: Callable[[Path], _File], **expected: str) -> _File:
        """Read and check a file on the first call; later calls return the same object.

        Args:
            path: The file.
            read: The class that reads it.
            expected: Attribute values that the file must have besides its scale.

        Raises:
            StoreError: If the file is damaged, belongs to another run, schedule or scale, or was made from other files.
        """
        if path not in self._read:
            stored = read(path)
            check_record(path, stored.attributes, self.paths, **expected)
            self.made_from[self.paths.place(path)] = stored.digest
            self._read[path] = stored
        stored_before: _File = self._read[path]
        return stored_before

    def checked(self, path: Path) -> Path:
        """The path of a file other than HDF5, checked against the record beside it.

        Raises:
            StoreError: If the file is missing, has changed since it was written, or was made from other files.
        """
        self.made_from[self.paths.place(path)] = check_recorded(path, self.paths)
        return path

    def table(self, path: Path, **options: Any) -> pd.DataFrame:
        """A csv file, checked as by ``checked``; options are those of ``pandas.read_csv``."""
        if path not in self._read:
            import pandas as pd  # takes a third of a second

            self._read[path] = pd.read_csv(self.checked(path), **options)
        table: pd.DataFrame = self._read[path]
        return table


class RunResults:
    """One run. Each measure is a method: ``spectra("<schedule>")`` reads its values at the points of a schedule.

    Args:
        results: Results of the scale.
        run: Id of the run.
    """

    def __init__(self, results: Results, run: str) -> None:
        self._results, self.run = results, run

    @property
    def snapshots(self) -> Snapshots:
        """The states of the run.

        Raises:
            StoreError: If the run was not trained, or the file is damaged or belongs to another run.
        """
        self._check_trained()
        return self._results.once(self._results.paths.snapshots(self.run), Snapshots, run=self.run)

    @property
    def history(self) -> pd.DataFrame:
        """One row per epoch: iteration, epoch, lr, train_loss, train_accuracy, val_loss, val_accuracy.

        Raises:
            StoreError: If the run was not trained, or the file is missing or has changed since training wrote it.
            MissingPackageError: If pandas is not installed.
        """
        with needs_pipeline("history"):
            pass
        path = self._results.paths.history(self.run)
        if not path.exists():
            self._check_trained()
        return self._results.table(path, dtype=float)

    @property
    def measures(self) -> list[str]:
        """Names of the measures taken on the run."""
        return self._results.paths.measures(self.run)

    def schedules(self, measure: str) -> list[str]:
        """The schedules at whose points a measure was taken."""
        folder = self._results.paths.measured(measure, self.run, "").parent
        return sorted(path.stem for path in folder.glob("*.h5"))

    def read(self, reader: type[_Reader], schedule: str, measure: str | None = None) -> _Reader:
        """The values of a measure at the points of a schedule.

        Args:
            reader: The class that reads them.
            schedule: Name of the schedule.
            measure: Name of the measure, for a reader of several measures; None = the measure of the reader.

        Raises:
            StoreError: If the measure was not taken, or the file is damaged or belongs to another run or schedule.
        """
        measure = measure or reader.layout.name
        path = self._results.paths.measured(measure, self.run, schedule)
        if not path.exists():
            known = self.schedules(measure)
            if not known:
                self._check_trained()
            hint = f"{close} Or " if (close := meant(schedule, known)) else ""
            raise StoreError(
                f"{path}: does not exist; {self.run} has no {measure} of schedule {schedule!r} "
                f"(it has {', '.join(known) or 'none'}); {hint}make it with: snakemake --cores all {path}"
            )
        return self._results.once(path, reader, run=self.run, schedule=schedule)

    def __getattr__(self, measure: str) -> Callable[[str], Any]:
        spec = None if measure.startswith("_") else find_spec(f"sharpest.measures.{measure}")
        if spec is None or not spec.submodule_search_locations:  # a measure is a folder
            raise AttributeError(f"a run has snapshots, history and the measures of sharpest.measures, not {measure!r}")
        return lambda schedule: self.read(reader_of(measure), schedule, measure)

    def _check_trained(self) -> None:
        path = self._results.paths.snapshots(self.run)
        if not path.exists():
            # ids look alike: the closest one may not be the intended run
            hint = f"{close} Or " if (close := meant(self.run, self._results)) else ""
            raise StoreError(
                f"{self._results.paths.folder} has no run {self.run!r}; {hint}make it with: "
                f"snakemake --cores all {path}"
            )


def open_results(folder: str | Path, scale: str) -> Results:
    """Open the results of a scale.

    Args:
        folder: Folder with one folder per scale.
        scale: Name of the scale.

    Raises:
        StoreError: If the scale has no folder.
    """
    if not Paths.of(scale, folder).folder.is_dir():
        scales = sorted(path.name for path in Path(folder).glob("*/")) if Path(folder).is_dir() else []
        raise StoreError(f"{Path(folder) / scale} does not exist; {folder} has {', '.join(scales) or 'no scale'}")
    return Results(Paths.of(scale, folder).folder)
