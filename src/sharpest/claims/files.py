"""The files of one run, read once for all claims."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from numpy.typing import NDArray

from sharpest.config.strict import Strict
from sharpest.measures.directions import DIRECTIONS
from sharpest.measures.evaluations import EVALUATION
from sharpest.measures.spectra import SPECTRUM
from sharpest.results.file import open_stored
from sharpest.results.layout import Layout
from sharpest.results.snapshots import SNAPSHOTS

Need = Literal["spectrum", "accuracy", "window", "directions", "parent", "snapshots", "history", "evaluation"]
"""What a quantity reads: a file, or of a spectrum its accuracies, its schedule's window, or that of the trunk."""

_LARGE = ("theta", "buffers", "velocity", "solver_start", "directions", "progress", "eigenvectors")


class RunSource(Strict):
    """One run behind a claim, and what of it is read."""

    run: str
    """Its id."""
    schedule: str | None = None
    """Whose measurements are read."""
    window: float | None = None
    """Early window of that schedule, in epochs."""
    parent: str | None = None
    """The run that it branched from, where that is read too."""

    def path(self, need: Need) -> str:
        """Where it is read, below the folder of the scale."""
        match need:
            case "spectrum" | "accuracy" | "window":
                return f"spectra/{self.run}/{self.schedule}.h5"
            case "directions":
                return f"directions/{self.run}/{self.schedule}.h5"
            case "parent":
                return f"spectra/{self.parent}/{self.schedule}.h5"
            case "snapshots":
                return f"runs/{self.run}/snapshots.h5"
            case "history":
                return f"runs/{self.run}/history.csv"
            case "evaluation":
                return f"evaluations/{self.run}.h5"


@dataclass(frozen=True)
class Stored:
    """What is read of an HDF5 file: its small arrays, its attributes, and the shape of every array."""

    arrays: Mapping[str, NDArray[Any]]
    attributes: Mapping[str, Any]
    shapes: Mapping[str, tuple[int, ...]]

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.arrays[name]


class Results:
    """The files of a scale, each read once.

    Args:
        folder: ``results/<scale>``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, Stored] = {}

    def stored(self, path: str, layout: Layout) -> Stored:
        """A file without its large arrays.

        Raises:
            StoreError: If it is missing, truncated, foreign, or of another version.
        """
        if path not in self._read:
            with open_stored(self._folder / path, layout) as file:
                names = [dataset.name for dataset in layout.datasets]
                arrays = {name: file[name] for name in names if name not in _LARGE}
                self._read[path] = Stored(arrays, file.attributes, {name: file.shape(name) for name in names})
        return self._read[path]

    def table(self, path: str) -> pd.DataFrame:
        """A csv file."""
        return pd.read_csv(self._folder / path, dtype=float)


@dataclass(frozen=True)
class RunFiles:
    """The files of one run behind a claim."""

    source: RunSource
    results: Results

    def _stored(self, need: Need, layout: Layout) -> Stored:
        return self.results.stored(self.source.path(need), layout)

    @property
    def spectrum(self) -> Stored:
        return self._stored("spectrum", SPECTRUM)

    @property
    def parent_spectrum(self) -> Stored:
        return self._stored("parent", SPECTRUM)

    @property
    def directions(self) -> Stored:
        return self._stored("directions", DIRECTIONS)

    @property
    def snapshots(self) -> Stored:
        return self._stored("snapshots", SNAPSHOTS)

    @property
    def evaluation(self) -> Stored:
        return self._stored("evaluation", EVALUATION)

    @property
    def history(self) -> pd.DataFrame:
        return self.results.table(self.source.path("history"))
