"""The files of one run behind a claim."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sharpest.config.run_id import RunId
from sharpest.config.strict import Strict
from sharpest.measures.directions.reader import Directions
from sharpest.measures.evaluations.reader import Evaluations
from sharpest.measures.spectra.reader import Spectra
from sharpest.results.paths import Paths
from sharpest.results.readers import reader_of
from sharpest.results.runs import Results, RunResults
from sharpest.results.states import Snapshots
from sharpest.results.stored import Measured

OF_SPECTRA = frozenset({"accuracy", "window", "parent"})
"""Needs that are parts of the spectra: their accuracies, the early window of their schedule, the spectra of the parent.

The other needs are the names of measures, ``snapshots`` and ``history``."""


class RunSource(Strict):
    """One run behind a claim, and the parts of it that are read."""

    run: str
    """Id of the run."""
    schedules: Mapping[str, str] = {}
    """Measure -> schedule whose points are read."""
    window: float | None = None
    """Early window of the schedule of the spectra, in epochs."""
    parent: str | None = None
    """The run it branched from, if that is read too."""

    def of_run(self, run: str) -> "RunSource":
        """The same for a run that differs only in its seed."""
        return self.model_copy(update={"run": run, "parent": self.parent and RunId.parse(run).parent})

    def path(self, need: str, paths: Paths) -> Path:
        """The file that holds a need."""
        match need:
            case "snapshots":
                return paths.snapshots(self.run)
            case "history":
                return paths.history(self.run)
            case "parent":
                return paths.measured("spectra", str(self.parent), self.schedules["spectra"])
            case "accuracy" | "window":
                return paths.measured("spectra", self.run, self.schedules["spectra"])
            case _:
                return paths.measured(need, self.run, self.schedules[need])


@dataclass(frozen=True)
class RunFiles:
    """The files of one run behind a claim."""

    source: RunSource
    results: Results

    @property
    def _run(self) -> RunResults:
        return self.results[self.source.run]

    @property
    def spectra(self) -> Spectra:
        return self._run.read(Spectra, self.source.schedules["spectra"])

    @property
    def parent_spectra(self) -> Spectra:
        return self.results[str(self.source.parent)].read(Spectra, self.source.schedules["spectra"])

    @property
    def directions(self) -> Directions:
        return self._run.read(Directions, self.source.schedules["directions"])

    @property
    def evaluations(self) -> Evaluations:
        return self._run.read(Evaluations, self.source.schedules["evaluations"])

    @property
    def snapshots(self) -> Snapshots:
        return self._run.snapshots

    @property
    def history(self) -> pd.DataFrame:
        return self._run.history

    def measured(self, measure: str) -> Measured:
        """The results of a measure, by its name."""
        return self._run.read(reader_of(measure), self.source.schedules[measure])
