"""The points of one seed of a curve, and means over seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpest.config.run_id import RunId
from sharpest.config.studies import mean_of
from sharpest.results.stored import Measured


def running_mean(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Moving average along the last axis, (..., t) to (..., t - window + 1); one mean if t < window."""
    window = min(window, values.shape[-1])
    if window < 2:
        return values
    return np.lib.stride_tricks.sliding_window_view(values, window, axis=-1).mean(axis=-1)


@dataclass(frozen=True, eq=False)
class OfSeed:
    """The n finite points of one seed.

    Attributes:
        run: Id of the run; or one id per point (n,), as for a branch and its trunk.
        x: Abscissae (n,); points of different seeds are matched by x.
        y: Values (n,); a mean also accepts (n, ...).
        diverged: When the run diverged, as text after its name; empty if it did not.
        missed: Whether a point is above the solver's tolerance (n,); None if not applicable.
        error: Measured errors of y (n,), NaN where not measured; None if there are none to draw.
    """

    run: str | NDArray[Any]
    x: NDArray[Any]
    y: NDArray[np.float64]
    diverged: str = ""
    missed: NDArray[np.bool_] | None = None
    error: NDArray[np.float64] | None = None

    @classmethod
    def along(
        cls, measured: Measured, y: NDArray[Any], missed: NDArray[np.bool_] | None = None, last: float = np.inf
    ) -> OfSeed:
        """The finite values (t,) of a measurement by epoch, up to a last one."""
        points = cls(measured.run, measured.epoch, y, measured.divergence, missed)
        return points.at(np.isfinite(y) & (measured.epoch <= last))

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return RunId.parse(str(np.atleast_1d(self.run)[0])).seed

    def at(self, rows: NDArray[Any] | slice) -> OfSeed:
        """The points in these rows."""
        return replace(
            self,
            run=self.run if isinstance(self.run, str) else self.run[rows],
            x=self.x[rows],
            y=self.y[rows],
            missed=None if self.missed is None else self.missed[rows],
            error=None if self.error is None else self.error[rows],
        )

    def smoothed(self, window: int) -> OfSeed:
        """Moving averages of the values (n,), with the run and the x of the central point."""
        x, y = running_mean(np.stack([self.x, self.y]), window)
        first = (len(self.x) - len(x)) // 2
        return replace(self.at(slice(first, first + len(x))), x=x, y=y)


@dataclass(frozen=True, eq=False)
class Mean:
    """Means over seeds at n points.

    Attributes:
        runs: Names for the run column of the csv of a figure (n,), such as ``mean of 1001, 1002``.
        counts: Numbers of seeds in the means (n,).
        x: Abscissae (n,), increasing.
        y: Means (n, ...).
        deviation: Sample standard deviations (n, ...); NaN where the mean has only one seed.
    """

    runs: NDArray[Any]
    counts: NDArray[np.int64]
    x: NDArray[Any]
    y: NDArray[np.float64]
    deviation: NDArray[np.float64]


def mean_over_seeds(seeds: Sequence[OfSeed]) -> Mean:
    """Mean and standard deviation at each x that more than half of the seeds have; without diverged seeds."""
    averaged = [each for each in seeds if not each.diverged]
    x = np.unique(np.concatenate([each.x for each in averaged or seeds[:1]]))
    has_point = np.array([np.isin(x, each.x) for each in averaged], dtype=bool).reshape(len(averaged), len(x))
    kept = 2 * has_point.sum(axis=0) > len(averaged)
    x, has_point = x[kept], has_point[:, kept]
    values = np.full((*has_point.shape, *seeds[0].y.shape[1:]), np.nan)
    for of_seed, own, each in zip(values, has_point, averaged, strict=True):
        unique, first = np.unique(each.x, return_index=True)
        of_seed[own] = each.y[first][np.isin(unique, x)]
    counts, where = has_point.sum(axis=0), has_point.reshape(*has_point.shape, *[1] * (values.ndim - 2))
    deviation = np.full(values.shape[1:], np.nan)
    several = counts > 1
    if several.any():  # NumPy warns about deviations of too few values
        deviation[several] = values[:, several].std(axis=0, ddof=1, where=where[:, several])
    numbers = [each.seed if len(each.x) else 0 for each in averaged]
    runs = [mean_of(seed for seed, own in zip(numbers, column, strict=True) if own) for column in has_point.T]
    return Mean(np.array(runs, dtype=object), counts, x, values.mean(axis=0, where=where), deviation)


def joined(runs: Iterable[Sequence[OfSeed]]) -> list[OfSeed]:
    """Join several runs, such as one point of each, into one curve per seed, in the order of x.

    Args:
        runs: The seeds of each run; either all have errors or none has. The last run says when the seed diverged.
    """
    lines = []
    for seeds in zip_longest(*runs):
        parts = [each for each in seeds if each is not None]
        x = np.concatenate([each.x for each in parts])
        errors = [each.error for each in parts if each.error is not None]
        missed = [each.missed for each in parts if each.missed is not None]
        line = OfSeed(
            np.concatenate([np.broadcast_to(np.array(each.run, dtype=object), len(each.x)) for each in parts]),
            x,
            np.concatenate([each.y for each in parts]),
            parts[-1].diverged,
            missed=np.concatenate(missed) if missed else None,
            error=np.concatenate(errors) if errors else None,
        )
        lines.append(line.at(np.argsort(x, kind="stable")))
    return lines


def name_diverged(diverged: Mapping[str, str]) -> str:
    """Which runs of a curve diverged, and when, such as ``seeds 1001, 1003 diverged at epochs 2, 3.5``.

    Args:
        diverged: Run -> when it diverged, as text after its name; empty if it did not. With a single run, the seed is
            not named.
    """
    if len(diverged) == 1:
        return next(iter(diverged.values()))
    by_seed = {RunId.parse(run).seed: text.rpartition(" ") for run, text in diverged.items() if text}
    if not by_seed:
        return ""
    plural, (what, _, _) = "s" if len(by_seed) > 1 else "", next(iter(by_seed.values()))
    times = ", ".join(time for _, _, time in by_seed.values())
    return f"seed{plural} {', '.join(map(str, by_seed))} {what}{plural} {times}"


def seeds_line(
    counts: Iterable[int], means: str = "Lines", rest: str = "bands: one standard deviation; thin: single seeds"
) -> str:
    """The note on how several seeds are drawn; empty if all curves have only one.

    Args:
        counts: Number of seeds of each curve.
        means: How the means are drawn.
        rest: How deviations and single seeds are drawn.
    """
    several = [str(count) for count in sorted(set(counts)) if count > 1]
    return f"{means}: means over {' or '.join(several)} seeds; {rest}." if several else ""
