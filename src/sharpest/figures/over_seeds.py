"""Runs that differ in their seed: their mean as a line, one standard deviation as a band, single seeds thin behind.

The rule, for every figure: a mean is over the seeds whose run did not diverge. Where not all of these have a point, as
one stopped early, it is over those that have it, as long as they are more than half; elsewhere there is none. A seed
that diverged is drawn thin, and named in the legend or at the foot. One seed alone is drawn as a plain line.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from sharpest.config.run_id import RunId
from sharpest.config.studies.base import mean_of
from sharpest.figures.style import PlottedPoints, mark_missed

_BAND = 0.16  # opacity
_ERROR_BAND = 0.25  # that of a measured error
_THIN: Mapping[str, Any] = {"linewidth": 0.35, "alpha": 0.4, "zorder": 1.8}  # single seeds, below the means
_OF_SHAPE = ("linestyle", "drawstyle")  # what a thin line shares with the mean, beside the colour


@dataclass(frozen=True, eq=False)
class OfSeed:
    """The n points of one seed, each finite.

    Attributes:
        run: Id of the run, or (n,), one id a point where the run left another one.
        x: (n,); what the points of different seeds have in common.
        y: (n,); means can be taken of (n, ...) as well.
        diverged: What to add to the name of the run; empty where it did not diverge.
        missed: (n,), above the solver's tolerance; None where that is not asked.
        error: (n,), measured with y, NaN where it was not; None where there is none to draw.
    """

    run: str | NDArray[Any]
    x: NDArray[Any]
    y: NDArray[np.float64]
    diverged: str = ""
    missed: NDArray[np.bool_] | None = None
    error: NDArray[np.float64] | None = None

    @property
    def seed(self) -> int:
        """Of the run."""
        return RunId.parse(str(np.atleast_1d(self.run)[0])).seed

    def at(self, rows: NDArray[Any]) -> "OfSeed":
        """Some of the points."""
        return replace(
            self,
            run=self.run if isinstance(self.run, str) else self.run[rows],
            x=self.x[rows],
            y=self.y[rows],
            missed=None if self.missed is None else self.missed[rows],
            error=None if self.error is None else self.error[rows],
        )


@dataclass(frozen=True, eq=False)
class Mean:
    """Means over seeds at n points.

    Attributes:
        runs: (n,), what stands for a run in the csv of a figure: ``mean of 1001, 1002``, the seeds behind the mean.
        counts: (n,), how many they are.
        x: (n,), increasing.
        y: (n, ...).
        deviation: (n, ...), sample standard deviation; NaN where the mean is of one seed.
    """

    runs: NDArray[Any]
    counts: NDArray[np.int64]
    x: NDArray[Any]
    y: NDArray[np.float64]
    deviation: NDArray[np.float64]


def mean_over_seeds(seeds: Sequence[OfSeed]) -> Mean:
    """Mean and deviation of several seeds, by the rule that stands above."""
    steady = [each for each in seeds if not each.diverged]
    x = np.unique(np.concatenate([each.x for each in steady or seeds[:1]]))
    has = np.array([np.isin(x, each.x) for each in steady], dtype=bool).reshape(len(steady), len(x))
    kept = 2 * has.sum(axis=0) > len(steady)
    x, has = x[kept], has[:, kept]
    values = np.full((*has.shape, *seeds[0].y.shape[1:]), np.nan)
    for of_seed, own, each in zip(values, has, steady, strict=True):
        places, first = np.unique(each.x, return_index=True)
        of_seed[own] = each.y[first][np.isin(places, x)]
    counts, there = has.sum(axis=0), has.reshape(*has.shape, *[1] * (values.ndim - 2))
    deviation = np.full(values.shape[1:], np.nan)
    several = counts > 1
    if several.any():  # NumPy warns of means and deviations of too few
        deviation[several] = values[:, several].std(axis=0, ddof=1, where=there[:, several])
    names = [each.seed if len(each.x) else 0 for each in steady]
    runs = [mean_of(seed for seed, own in zip(names, column, strict=True) if own) for column in has.T]
    return Mean(np.array(runs, dtype=object), counts, x, values.mean(axis=0, where=there), deviation)


def joined(runs: Iterable[Sequence[OfSeed]]) -> list[OfSeed]:
    """One curve through several runs, such as one point of each, seed by seed in the order of x.

    Args:
        runs: The seeds of each run; all have an error, or none has.
    """
    lines = []
    for seeds in zip_longest(*runs):
        parts = [each for each in seeds if each is not None]
        x = np.concatenate([each.x for each in parts])
        errors = [each.error for each in parts if each.error is not None]
        missed = [each.missed for each in parts if each.missed is not None]
        whole = OfSeed(
            np.array([each.run for each in parts for _ in each.x], dtype=object),
            x,
            np.concatenate([each.y for each in parts]),
            missed=np.concatenate(missed) if missed else None,
            error=np.concatenate(errors) if errors else None,
        )
        lines.append(whole.at(np.argsort(x, kind="stable")))
    return lines


def draw_over_seeds(
    axes: Axes,
    panel: str,
    series: str,
    seeds: Sequence[OfSeed],
    points: PlottedPoints,
    mean_only: bool = False,
    **line: Any,
) -> Line2D:
    """Draw one curve, with circles where a seed missed the tolerance, and keep its points.

    What is not above zero is left out on a logarithmic axis, and the band ends there at the lowest value of a seed.

    Args:
        axes: The panel, whose axis has its scale.
        panel, series: Names of the panel and the curve.
        seeds: One or several; a single one is drawn with its error as the band.
        points: Take those of each seed and of the mean.
        mean_only: Leave out band and single seeds, not their points.
        line: As of ``Axes.plot``, for the mean or the only seed.

    Returns:
        The line of the mean or of the only seed.
    """
    log = axes.get_yscale() == "log"
    shown = [each.at(each.y > 0) if log else each for each in seeds]
    if len(seeds) == 1:
        _keep(points, panel, series, shown[0])
        return _draw_only(axes, shown[0], line)
    shape = {name: line[name] for name in ("color", *_OF_SHAPE) if name in line}
    for each in shown:
        if not mean_only:
            axes.plot(each.x, each.y, **shape, **_THIN)
        _keep(points, panel, series, each)
    mean = mean_over_seeds(seeds)
    rows = mean.y > 0 if log else np.ones(len(mean.y), dtype=bool)
    runs, x, y, deviation = mean.runs[rows], mean.x[rows], mean.y[rows], mean.deviation[rows]
    if not mean_only:
        lowest = min((each.y.min(initial=np.inf) for each in shown), default=np.inf) if log else -np.inf
        _band(axes, x, y, deviation, _BAND, line, lowest)
    (drawn,) = axes.plot(x, y, **line)
    points.add(panel, series, runs, x=x, y=y, deviation=deviation)
    missed = [each.x[each.missed] for each in seeds if each.missed is not None]
    if missed:
        circled = np.isin(x, np.concatenate(missed))
        mark_missed(axes, x[circled], y[circled])
    return drawn


def _draw_only(axes: Axes, only: OfSeed, line: Mapping[str, Any]) -> Line2D:
    """One seed: its line, its error as the band, and circles."""
    (drawn,) = axes.plot(only.x, only.y, **line)
    if only.error is not None:
        _band(axes, only.x, only.y, only.error, _ERROR_BAND, line)
    if only.missed is not None:
        mark_missed(axes, only.x[only.missed], only.y[only.missed])
    return drawn


def _band(
    axes: Axes,
    x: NDArray[Any],
    y: NDArray[np.float64],
    half: NDArray[np.float64],
    alpha: float,
    line: Mapping[str, Any],
    lowest: float = -np.inf,
) -> None:
    if not np.isfinite(half).any():
        return
    lower = np.where(y - half > 0, y - half, lowest) if np.isfinite(lowest) else y - half
    step = line["drawstyle"].removeprefix("steps-") if "drawstyle" in line else None
    axes.fill_between(x, lower, y + half, color=line["color"], alpha=alpha, linewidth=0, step=step)


def _keep(points: PlottedPoints, panel: str, series: str, seed: OfSeed) -> None:
    error = {} if seed.error is None else {"error": seed.error}
    points.add(panel, series, seed.run, x=seed.x, y=seed.y, **error)


def name_diverged(diverged: Mapping[str, str]) -> str:
    """Which runs of a curve diverged, and when: ``seeds 1001, 1003 diverged at epochs 2, 3.5``.

    Args:
        diverged: Run -> what to add to its name, empty where it did not diverge. The seed of a single run is not named.
    """
    if len(diverged) == 1:
        return next(iter(diverged.values()))
    found = {RunId.parse(run).seed: text.rpartition(" ") for run, text in diverged.items() if text}
    if not found:
        return ""
    plural, (what, _, _) = "s" if len(found) > 1 else "", next(iter(found.values()))
    times = ", ".join(time for _, _, time in found.values())
    return f"seed{plural} {', '.join(map(str, found))} {what}{plural} {times}"


def seeds_line(
    counts: Iterable[int], means: str = "Lines", rest: str = "bands: one standard deviation; thin: single seeds"
) -> str:
    """The foot line that says what is drawn of several seeds; empty where all curves have one.

    Args:
        counts: How many seeds the curves have.
        means: What the means are drawn as.
        rest: How deviation and single seeds are.
    """
    several = [str(count) for count in sorted(set(counts)) if count > 1]
    return f"{means}: means over {' or '.join(several)} seeds; {rest}." if several else ""
