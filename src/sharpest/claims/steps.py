"""Change of the loss by scaled steps and along the sharpest directions, as claims judge it and figures state it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sharpest.claims.quantity import Quantity, RunFiles
from sharpest.claims.resampling import resampled
from sharpest.claims.shapes import FEWEST_POINTS, Series, UnmeasuredError, mean, peak, per_cent, share_of_second
from sharpest.claims.verdicts import Numbers
from sharpest.measures.directions import RANDOM, Directions, random_cosine
from sharpest.results.stored import common_points

_LAST_POINTS = 25  # points in the means that the paper quotes (inventory, section 8)


def step_change(measured: Directions, alpha: float, direction: int, paper_points: int | None) -> Series:
    """Change of the loss by the step times alpha along a direction, and the loss, in nats, at the last points.

    Args:
        measured: The directions of a run.
        alpha: Scale of the step.
        direction: 1-based eigenvector, or -1 for a random direction.
        paper_points: Points of the study at the paper's scale, as for ``last_points``; None = return all points.

    Raises:
        UnmeasuredError: If no point is finite.
    """
    series = finite_points(measured.epoch, measured.along(direction).at(alpha), measured.loss)
    return series if paper_points is None else last_points(series, paper_points)


def finite_points(epoch: NDArray[np.float64], *columns: NDArray[np.float64]) -> Series:
    """The points at which all columns (t,) are finite.

    Raises:
        UnmeasuredError: If there are none.
    """
    values = np.stack(columns, axis=1)
    finite = np.isfinite(values).all(axis=1)
    if not finite.any():
        raise UnmeasuredError("no finite measurement")
    return Series(epoch[finite], values[finite])


def last_points(series: Series, paper_points: int) -> Series:
    """The last 25 points; the same fraction, at least five, if there are fewer points than at the paper's scale."""
    count = round(_LAST_POINTS * len(series.epoch) / paper_points)
    return series.rows(slice(-min(max(count, FEWEST_POINTS), _LAST_POINTS), None))


def mean_change(series: Mapping[str, Series]) -> Numbers:
    """Sum of the changes over sum of the losses, in per cent: mean over seeds and 95 % interval, without bounds.

    Args:
        series: Run -> its ``step_change``; the runs differ only in their seed.
    """
    samples = [resampled(each, per_cent, run) for run, each in series.items()]
    return Numbers.of(samples, (-math.inf, math.inf))


_STEP_POINTS, _LATE_POINTS = 110, 40  # points of the alpha study at the paper's scale, early and over 200 epochs
_WALL = 5.0  # distance, in mean steps, at which the walls of the bowl are measured


def _directions(files: RunFiles) -> Directions:
    """The measured directions of a run that did not diverge."""
    if files.spectra.divergence:
        raise UnmeasuredError(files.spectra.divergence)
    return files.directions


def _alpha_change(files: RunFiles, facet: str, direction: int = 1, paper_points: int | None = _STEP_POINTS) -> Series:
    """Change of the loss, and loss, at the last points; at all points if ``paper_points`` is None."""
    return step_change(_directions(files), float(facet), direction, paper_points)


def _surface_rise(files: RunFiles, facet: str, direction: int | None = None) -> Series:
    """Rise of the loss to the lower wall along a direction, and loss, at the last points of the alpha study."""
    measured = _directions(files)
    rise, studied = _rise(measured, int(facet.removeprefix("e")) if direction is None else direction)
    series = finite_points(measured.epoch, rise, measured.loss, studied)
    return last_points(Series(series.epoch, series.values[:, :2]), _STEP_POINTS)


def _surface_rises(files: RunFiles, facet: str, direction: int | None = None) -> Series:
    """Rise of the loss to the lower wall along a direction and along e_1, at the last points of the alpha study."""
    measured = _directions(files)
    rise, studied = _rise(measured, int(facet.removeprefix("e")) if direction is None else direction)
    series = finite_points(measured.epoch, rise, _rise(measured, 1)[0], studied)
    return last_points(Series(series.epoch, series.values[:, :2]), _STEP_POINTS)


def _rise(measured: Directions, direction: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rise of the loss to the lower wall (t,), and a column (t,) that is finite at the points of the alpha study."""
    along, grid = measured.along(direction), measured.grid
    walls = [along.profile[:, int(np.argmin(np.abs(grid - wall)))] for wall in (-_WALL, _WALL)]
    return np.minimum(*walls) - measured.loss, along.loss_change[:, 0]


def _surface_curvature(files: RunFiles, facet: str) -> Series:
    spectra, measured = common_points(files.spectra, _directions(files))
    series = finite_points(measured.epoch, spectra.lambda_max, measured.along(1).loss_change[:, 0])
    return last_points(Series(series.epoch, series.values[:, :1]), _STEP_POINTS)


def _alignment(files: RunFiles, facet: str) -> Series:
    measured = _directions(files)
    return finite_points(measured.epoch, measured.alignment)


def _alignment_over_random(files: RunFiles, facet: str) -> Series:
    series = _alignment(files, facet)
    return Series(series.epoch, series.values / random_cosine(files.spectra.num_parameters))


def _crossing(files: RunFiles, facet: str, direction: int = 1) -> Series:
    """Fraction of the gradients (t,) whose step along a direction ends beyond the minimum of the loss along it."""
    measured = _directions(files)
    along = measured.along(direction)
    steps = -along.projection / np.abs(along.projection).mean(axis=1, keepdims=True)
    lowest = np.array([lowest_point(measured.grid, row) for row in along.profile])[:, None]
    crossed = np.where(np.isnan(lowest + steps), np.nan, steps * np.sign(lowest) > np.abs(lowest))
    return finite_points(measured.epoch, crossed.mean(axis=1))


def lowest_point(grid: NDArray[np.float64], profile: NDArray[np.float64]) -> float:
    """Location of the minimum of a curve, by the parabola through its lowest point and both neighbours.

    Args:
        grid: Locations (g,), increasing.
        profile: The curve (g,).

    Returns:
        The location in units of the grid; infinite if the lowest point is at an end, NaN if the curve is not finite.
    """
    if not np.isfinite(profile).all():
        return math.nan
    lowest = int(np.argmin(profile))
    if lowest in (0, len(grid) - 1):
        return math.copysign(math.inf, grid[lowest])
    around = slice(lowest - 1, lowest + 2)
    square, slope, _ = np.polyfit(grid[around], profile[around], 2)
    return float(grid[lowest] if square <= 0 else -slope / (2 * square))


def _randomly(read: Callable[..., Series]) -> Callable[[RunFiles, str], Series]:
    """A reader of the same series along a random direction."""

    def control(files: RunFiles, facet: str) -> Series:
        if RANDOM not in files.directions["direction"]:
            raise UnmeasuredError("no random direction was measured")
        return read(files, facet, direction=RANDOM)

    return control


_all_alpha_changes = partial(_alpha_change, paper_points=None)
_late_alpha_changes = partial(_alpha_change, paper_points=_LATE_POINTS)

_SECTION = "inventory, section 8"
_LAST_WORDS = "over the last 25 measured points; with fewer than 110 points, over the same fraction, at least five"
_ALPHA_WORDS = "Sum of the changes of the loss by a step of alpha along e_{}, over the sum of the losses, {}."
_BOTH = ("spectra", "directions")

STEPS: Sequence[Quantity] = (
    Quantity(
        "alpha_change_pct", "%", _ALPHA_WORDS.format(1, _LAST_WORDS), _SECTION, _BOTH, _alpha_change, per_cent,
        facet="alpha", study="fig06", control=_randomly(_alpha_change),
    ),
    Quantity(
        "alpha_change_pct_all", "%", _ALPHA_WORDS.format(1, "over all measured points"), _SECTION, _BOTH,
        _all_alpha_changes, per_cent, facet="alpha", study="fig06", control=_randomly(_all_alpha_changes),
    ),
    Quantity(
        "alpha_change_pct_e3", "%", _ALPHA_WORDS.format(3, _LAST_WORDS), _SECTION, _BOTH,
        partial(_alpha_change, direction=3), per_cent, facet="alpha", direction=3, study="fig06",
        control=_randomly(_alpha_change),
    ),
    Quantity(
        "alpha_change_pct_late", "%", _ALPHA_WORDS.format(1, "over the last 25 points of 200 epochs; with fewer than "
        "40 points, over the same fraction, at least five"), _SECTION, _BOTH, _late_alpha_changes, per_cent,
        facet="alpha", study="fig18", control=_randomly(_late_alpha_changes),
    ),
    Quantity(
        "surface_rise", "%", "Sum of the rises of the loss from k = 0 to the lower of k = -5 and k = 5, over the sum "
        f"of the losses, at the points of the alpha study; {_LAST_WORDS}.", _SECTION, _BOTH, _surface_rise, per_cent,
        facet="direction", direction=None, study="fig06", control=_randomly(_surface_rise),
    ),
    Quantity(
        "surface_rise_ratio", "", "Sum of these rises along a direction over their sum along e_1, at the same points; "
        "1 if the loss does not rise along e_1.", _SECTION, _BOTH, _surface_rises, share_of_second,
        facet="direction", study="fig06", control=_randomly(_surface_rises),
    ),
    Quantity(
        "surface_curvature", "nats", f"Mean of the largest eigenvalue at the points of the alpha study; {_LAST_WORDS}.",
        _SECTION, _BOTH, _surface_curvature, mean, study="fig06",
    ),
    Quantity(
        "mean_abs_cosine_over_random", "", "Absolute cosine of mini-batch gradients with e_1 to e_5, averaged over "
        "gradients, directions and the run, divided by that of two random vectors in p dimensions, "
        "Γ(p/2) / (√π Γ((p+1)/2)).", _SECTION, _BOTH, _alignment_over_random, mean, study="fig05",
    ),
    Quantity(
        "mean_abs_cosine_max", "", "Maximum over the run of the absolute cosine averaged over gradients and "
        "directions, smoothed over five points.", _SECTION, _BOTH, _alignment, peak, study="fig05",
    ),
    Quantity(
        "crossing_fraction", "", "Fraction of mini-batch steps along e_1, at the points of Fig. 6, that end beyond the "
        "minimum of the loss along it.", _SECTION, _BOTH, _crossing, mean, study="fig06", control=_randomly(_crossing),
    ),
)  # fmt: skip
