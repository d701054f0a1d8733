"""The definition of a quantity that a claim judges, and the files of one run that it reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from sharpest.claims.shapes import Series, Statistic
from sharpest.claims.verdicts import Sample
from sharpest.config.run_id import RunId
from sharpest.config.strict import Strict
from sharpest.config.studies import Input
from sharpest.measures.directions import Directions
from sharpest.measures.evaluations import Evaluations
from sharpest.measures.spectra import Spectra
from sharpest.results.runs import Results, RunResults
from sharpest.results.stored import Measured, Snapshots, reader_of

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

    def of_run(self, run: str) -> RunSource:
        """The same for a run that differs only in its seed."""
        return self.model_copy(update={"run": run, "parent": self.parent and RunId.parse(run).parent})

    def input(self, need: str) -> Input:
        """The file that holds a need."""
        match need:
            case "snapshots" | "history":
                return Input(need, self.run, None)
            case "parent":
                return Input("spectra", str(self.parent), self.schedules["spectra"])
            case "accuracy" | "window":
                return Input("spectra", self.run, self.schedules["spectra"])
            case _:
                return Input(need, self.run, self.schedules[need])


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


@dataclass(frozen=True)
class Quantity:
    """A number, or curves, read from the files of a run.

    Attributes:
        name: Name in the ledger.
        unit: Unit of the number; empty if dimensionless.
        definition: Definition in words, for docs and results.
        source: Where the paper or the inventory defines it.
        needs: What is read: measures, ``snapshots``, ``history``, or names in ``OF_SPECTRA``.
        read: Maps files and facet to the number, or to the curves over the window that counts. Raises
            ``sharpest.claims.shapes.UnmeasuredError`` if the run does not have it.
        statistic: Turns the curves into the number; None if ``read`` returns the number or the curves are judged.
        is_curve: Whether the shape of a curve is judged instead of a number.
        facet: The facet that the claim must name: the scale of the step, or the direction.
        direction: A direction that must be measured besides that of the facet, from 1; None = no other.
        compare: How the numbers of two groups of runs become one: first minus second, or first over second.
        study: The study whose schedule measures it; None = that of the claim's own figure.
        sudden: A fall counts even if the curve recovers.
        lower_bound: The number is a lower bound if the smoothed curve is highest at its end.
        surrogates: Surrogate curves for the test against chance. ``blocks`` shuffles blocks of points, for shapes
            along training; ``shifts`` shifts the first curve circularly against the others, for curves that move
            together.
        control: Reads the same along a random direction, as a negative control.
        full_batch: Needs full-batch runs.
        place: For a stored column of two dimensions, the letter of the second dimension and the index in it, from 0.
    """

    name: str
    unit: str
    definition: str
    source: str
    needs: tuple[str, ...]
    read: Callable[[RunFiles, str], Series | Sample]
    statistic: Statistic | None = None
    is_curve: bool = False
    facet: Literal["alpha", "direction"] | None = None
    direction: int | None = 1
    compare: Literal["difference", "ratio"] | None = None
    study: str | None = None
    sudden: bool = False
    lower_bound: bool = False
    surrogates: Literal["blocks", "shifts"] = "blocks"
    control: Callable[[RunFiles, str], Series | Sample] | None = None
    full_batch: bool = False
    place: tuple[str, int] | None = None
