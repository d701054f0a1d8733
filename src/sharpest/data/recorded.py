"""The sources that the data files of a results folder were made from."""

from collections.abc import Mapping
from pathlib import Path

import h5py

from sharpest.errors import DataError
from sharpest.results.paths import Paths


def check_recorded(datasets: Mapping[str, str], paths: Paths) -> None:
    """Refuse to mix sources: within a results folder, each data set comes from one source.

    Args:
        datasets: Data set -> its configured source.
        paths: Paths of the scale.

    Raises:
        DataError: If a data file was made from another source; names both sources and the remedies.
    """
    for name, source in datasets.items():
        path = paths.data(name)
        recorded = _recorded_source(path)
        if recorded is not None and recorded != source:
            raise DataError(
                f"{path}: holds {recorded}, but the configuration says {source}; a results folder cannot mix the two: "
                "use the --configfile or datasets that the folder was made with, give snakemake another --directory, "
                "or delete it, and whatever was made from it is made again"
            )


def _recorded_source(path: Path) -> str | None:
    """The source of a data file; None if it is missing, or damaged, which the jobs that read it report."""
    try:
        with h5py.File(path) as file:
            return str(file.attrs["dataset"])
    except (OSError, RuntimeError, KeyError):
        return None
