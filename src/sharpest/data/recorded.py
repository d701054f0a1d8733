"""From which sources the data files of a results folder were made."""

from collections.abc import Mapping
from pathlib import Path

import h5py

from sharpest.errors import DataError
from sharpest.results.paths import Paths


def check_recorded(datasets: Mapping[str, str], paths: Paths) -> None:
    """Refuse to mix sources: what a results folder holds of a data set, it holds from one source.

    Args:
        datasets: Data sets and the sources they are configured to come from.
        paths: Of the scale.

    Raises:
        DataError: If one of them was made from another source; names both, and the ways out.
    """
    for name, source in datasets.items():
        path = paths.data(name)
        recorded = _recorded_source(path)
        if recorded is not None and recorded != source:
            raise DataError(
                f"{path}: holds {recorded}, the configuration says {source}, and one results folder does not mix them; "
                f"go on with the --configfile or datasets that it was begun with, give snakemake another --directory, "
                f"or delete {paths.folder}"
            )


def _recorded_source(path: Path) -> str | None:
    """None where there is no such file, or a damaged one, which the jobs that read it refuse."""
    try:
        with h5py.File(path) as file:
            return str(file.attrs["dataset"])
    except (OSError, RuntimeError, KeyError):
        return None
