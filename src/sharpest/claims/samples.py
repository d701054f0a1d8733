"""Read the samples of each run for a claim."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpest.claims.quantity import Quantity, RunFiles, RunSource
from sharpest.claims.resampling import NUM_REPLICATES, generator, resampled, surrogates
from sharpest.claims.shapes import FEWEST_POINTS, Number, Series, Statistic, UnmeasuredError, still_rising
from sharpest.claims.verdicts import Sample
from sharpest.results.runs import Results

Key = tuple[int, str]  # group of runs, facet
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


@dataclass(frozen=True)
class Samples:
    """Samples of the seeds that all groups of runs share.

    Attributes:
        by_key: Group and facet -> samples, one per seed.
        runs: Group and facet -> the runs behind the samples.
        left_out: Run without a sample -> the reason.
    """

    by_key: Mapping[Key, list[Sample]]
    runs: Mapping[Key, list[str]]
    left_out: Mapping[str, str]

    @property
    def num_seeds(self) -> int:
        return min(map(len, self.by_key.values()))


@dataclass
class SampleReader:
    """Reads samples from the results of a scale, each only once."""

    results: Results
    _known: dict[tuple[Any, ...], Sample | UnmeasuredError] = field(default_factory=dict)

    def samples(
        self,
        reading: Reading,
        groups: Sequence[Sequence[str]],
        facets: Sequence[str],
        sources: Sequence[RunSource],
    ) -> Samples:
        """Samples by group and facet. A seed missing in one group is left out of all: runs are compared by seed."""
        if not groups:
            return Samples({(0, ""): [self.sample(reading, NO_RUN, "")]}, {(0, ""): []}, {})
        by_run = {source.run: source for source in sources}
        left_out: dict[str, str] = {}
        by_seed: dict[Key, dict[int, tuple[str, Sample]]] = {}
        for place, group in enumerate(groups):
            for facet in facets:
                row = by_seed[place, facet] = {}
                for seed, run in enumerate(group):
                    if run not in by_run:
                        continue  # the scale uses fewer seeds
                    try:
                        row[seed] = run, self.sample(reading, by_run[run], facet)
                    except UnmeasuredError as error:
                        left_out[run] = str(error)
        common = sorted(set.intersection(*(set(row) for row in by_seed.values())))
        return Samples(
            {key: [row[seed][1] for seed in common] for key, row in by_seed.items()},
            {key: [row[seed][0] for seed in common] for key, row in by_seed.items()},
            left_out,
        )

    def sample(self, reading: Reading, source: RunSource, facet: str) -> Sample:
        """The sample of one run.

        Raises:
            UnmeasuredError: If the run does not have it.
        """
        key = (reading.quantity.name, reading.statistic, reading.by_shape, source.run, facet, repr(source.schedules))
        if key not in self._known:
            try:
                self._known[key] = self._of(reading, self.content(reading, source, facet), source.run)
            except UnmeasuredError as error:
                self._known[key] = error
        sample = self._known[key]
        if isinstance(sample, UnmeasuredError):
            raise sample
        return sample

    def control(self, reading: Reading, source: RunSource, facet: str) -> Sample:
        """The sample of one run along a random direction.

        Raises:
            UnmeasuredError: If no random direction was measured.
        """
        assert reading.quantity.control is not None
        return self._of(reading, reading.quantity.control(RunFiles(source, self.results), facet), source.run)

    def chance(self, reading: Reading, source: RunSource, facet: str) -> NDArray[np.float64]:
        """The statistic of each surrogate of the curves (p,)."""
        series = self.content(reading, source, facet)
        assert isinstance(series, Series)
        assert reading.statistic is not None
        kind = reading.quantity.surrogates
        return np.array([reading.statistic(curve) for curve in surrogates(series, kind, source.run)])

    def content(self, reading: Reading, source: RunSource, facet: str) -> Series | Number:
        """The number or the curves of one run.

        Raises:
            UnmeasuredError: If the run does not have them.
        """
        return reading.quantity.read(RunFiles(source, self.results), facet)

    def _of(self, reading: Reading, content: Series | Number, run: str) -> Sample:
        if isinstance(content, Number):
            draws = generator(run).standard_normal(NUM_REPLICATES if content.error else 0)
            return Sample(
                content.value,
                content.value + content.error * draws,
                math.inf if content.error else math.nan,
                answers=content.answers,
                examples=content.examples,
            )
        if reading.by_shape and len(content.epoch) < FEWEST_POINTS:
            raise UnmeasuredError(f"only {len(content.epoch)} points")
        assert reading.statistic is not None  # curves that are judged have a rule, others a statistic
        replicates = resampled(content, reading.statistic, run)
        return Sample(
            reading.statistic(content),
            replicates.values,
            math.inf if reading.by_shape else replicates.blocks,
            open_above=reading.quantity.lower_bound and still_rising(content),
        )
