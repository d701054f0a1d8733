"""Draw runs that differ only in their seed: the mean as a line, one standard deviation as a band, thin single seeds.

The rules, for every figure: a mean is over the seeds whose run did not diverge. At points that some of these lack, for
example because a run stopped early, the mean is over those that have the point, if they are more than half; otherwise
there is no mean. A diverged seed is drawn thin and named in the legend or the notes. A single seed is drawn as a plain
line.
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

_BAND = 0.16  # opacity of a standard deviation
_ERROR_BAND = 0.25  # opacity of a measured error
_THIN: Mapping[str, Any] = {"linewidth": 0.35, "alpha": 0.4, "zorder": 1.8}  # single seeds, below the means
_OF_SHAPE = ("linestyle", "drawstyle")  # options that thin lines share with the mean, besides the colour


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

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return RunId.parse(str(np.atleast_1d(self.run)[0])).seed

    def at(self, rows: NDArray[Any]) -> "OfSeed":
        """The points in these rows."""
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
    """Mean and standard deviation of several seeds, by the rules of this module."""
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
        runs: The seeds of each run; either all have errors or none has.
    """
    lines = []
    for seeds in zip_longest(*runs):
        parts = [each for each in seeds if each is not None]
        x = np.concatenate([each.x for each in parts])
        errors = [each.error for each in parts if each.error is not None]
        missed = [each.missed for each in parts if each.missed is not None]
        line = OfSeed(
            np.array([each.run for each in parts for _ in each.x], dtype=object),
            x,
            np.concatenate([each.y for each in parts]),
            missed=np.concatenate(missed) if missed else None,
            error=np.concatenate(errors) if errors else None,
        )
        lines.append(line.at(np.argsort(x, kind="stable")))
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
    """Draw one curve, with circles where a seed missed the tolerance, and record its points.

    On a logarithmic axis, values at or below zero are left out, and a band that would reach them ends at the lowest
    value of any seed.

    Args:
        axes: The panel, with its scale already set.
        panel, series: Names of the panel and the curve.
        seeds: One or several seeds; a single seed is drawn with its error as the band.
        points: Records the points of each seed and of the mean.
        mean_only: Draw neither band nor single seeds; their points are still recorded.
        line: Options of ``Axes.plot`` for the mean or the only seed.

    Returns:
        The line of the mean or of the only seed.
    """
    log = axes.get_yscale() == "log"
    shown = [each.at(each.y > 0) if log else each for each in seeds]
    lowest = min((each.y.min(initial=np.inf) for each in shown), default=np.inf) if log else -np.inf
    if len(seeds) == 1:
        _keep(points, panel, series, shown[0])
        return _draw_only(axes, shown[0], lowest, line)
    shape = {name: line[name] for name in ("color", *_OF_SHAPE) if name in line}
    for each in shown:
        if not mean_only:
            axes.plot(each.x, each.y, **shape, **_THIN)
        _keep(points, panel, series, each)
    mean = mean_over_seeds(seeds)
    rows = mean.y > 0 if log else np.ones(len(mean.y), dtype=bool)
    runs, x, y, deviation = mean.runs[rows], mean.x[rows], mean.y[rows], mean.deviation[rows]
    if not mean_only:
        _band(axes, x, y, deviation, _BAND, line, lowest)
    (drawn,) = axes.plot(x, y, **line)
    points.add(panel, series, runs, x=x, y=y, deviation=deviation)
    missed = [each.x[each.missed] for each in seeds if each.missed is not None]
    if missed:
        circled = np.isin(x, np.concatenate(missed))
        mark_missed(axes, x[circled], y[circled])
    return drawn


def _draw_only(axes: Axes, only: OfSeed, lowest: float, line: Mapping[str, Any]) -> Line2D:
    """Draw a single seed: its line, its error as the band, and circles."""
    (drawn,) = axes.plot(only.x, only.y, **line)
    if only.error is not None:
        _band(axes, only.x, only.y, only.error, _ERROR_BAND, line, lowest)
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
    lowest: float,
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
