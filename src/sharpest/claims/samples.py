"""Read the samples of each run for a claim."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpest.claims.quantity import Quantity, RunFiles, RunSource
from sharpest.claims.resampling import resampled, surrogates
from sharpest.claims.shapes import FEWEST_POINTS, Series, Statistic, UnmeasuredError, still_rising
from sharpest.claims.verdicts import Sample
from sharpest.results.runs import Results

Key = tuple[int, str]  # group of runs, facet
Rows = dict[Key, list[Sample]]
"""Group and facet -> samples, one per seed that all groups share."""
NO_RUN = RunSource(run="")  # placeholder for the runs of a claim that needs none


@dataclass(frozen=True)
class Reading:
    """What a claim reads of a run.

    Attributes:
        quantity: The quantity.
        statistic: Turns its curves into the number; None if the quantity is a number.
        by_shape: The shape of the curves is judged against surrogates.
    """

    quantity: Quantity
    statistic: Statistic | None
    by_shape: bool


@dataclass
class SampleReader:
    """Reads samples from the results of a scale, each only once."""

    results: Results
    _known: dict[tuple[Any, ...], Sample | UnmeasuredError] = field(default_factory=dict)

    def rows(
        self, reading: Reading, groups: Sequence[Sequence[str]], facets: Sequence[str], sources: Sequence[RunSource]
    ) -> tuple[Rows, dict[str, str]]:
        """Samples by group and facet, and for each run without one the reason.

        A seed missing in one group is left out of all: runs are compared by seed.
        """
        if not groups:
            return {(0, ""): [self.sample(reading, NO_RUN, "")]}, {}
        by_run = {source.run: source for source in sources}
        left_out: dict[str, str] = {}
        by_seed: dict[Key, dict[int, Sample]] = {}
        for (place, group), facet in product(enumerate(groups), facets):
            row = by_seed[place, facet] = {}
            for seed, run in enumerate(group):
                if run not in by_run:
                    continue  # the scale uses fewer seeds
                try:
                    row[seed] = self.sample(reading, by_run[run], facet)
                except UnmeasuredError as error:
                    left_out[run] = str(error)
        common = sorted(set.intersection(*map(set, by_seed.values())))
        return {key: [row[seed] for seed in common] for key, row in by_seed.items()}, left_out

    def sample(self, reading: Reading, source: RunSource, facet: str) -> Sample:
        """The sample of one run.

        Raises:
            UnmeasuredError: If the run does not have it.
        """
        key = (reading.quantity.name, reading.statistic, reading.by_shape, source.run, facet, repr(source.schedules))
        if key not in self._known:
            try:
                sample = _sample(reading, self.content(reading, source, facet), source.run)
                self._known[key] = replace(sample, run=source.run)
            except UnmeasuredError as error:
                self._known[key] = error
        known = self._known[key]
        if isinstance(known, UnmeasuredError):
            raise known
        return known

    def control(self, reading: Reading, source: RunSource, facet: str) -> Sample:
        """The sample of one run along a random direction.

        Raises:
            UnmeasuredError: If no random direction was measured.
        """
        assert reading.quantity.control is not None
        return _sample(reading, reading.quantity.control(RunFiles(source, self.results), facet), source.run)

    def chance(self, reading: Reading, source: RunSource, facet: str) -> NDArray[np.float64]:
        """The statistic of each surrogate of the curves (p,)."""
        series = self.content(reading, source, facet)
        assert isinstance(series, Series)
        assert reading.statistic is not None
        kind = reading.quantity.surrogates
        return np.array([reading.statistic(curve) for curve in surrogates(series, kind, source.run)])

    def content(self, reading: Reading, source: RunSource, facet: str) -> Series | Sample:
        """The number or the curves of one run.

        Raises:
            UnmeasuredError: If the run does not have them.
        """
        return reading.quantity.read(RunFiles(source, self.results), facet)


def _sample(reading: Reading, content: Series | Sample, run: str) -> Sample:
    """The number of curves, with its error."""
    if isinstance(content, Sample):
        return content
    if reading.by_shape and len(content.epoch) < FEWEST_POINTS:
        raise UnmeasuredError(f"only {len(content.epoch)} points")
    assert reading.statistic is not None  # curves that are judged have a rule, others a statistic
    sample = resampled(content, reading.statistic, run)
    open_above = reading.quantity.lower_bound and still_rising(content)
    return replace(sample, blocks=math.inf if reading.by_shape else sample.blocks, open_above=open_above)
