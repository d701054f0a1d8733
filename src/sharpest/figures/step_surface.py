"""Change of the loss for scaled steps along a direction, and the loss profile along it (Figs. 6, 15-18, 20)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from sharpest.claims.shapes import Series, UnmeasuredError, per_cent
from sharpest.claims.steps import mean_change, step_change
from sharpest.config.run_id import RunId
from sharpest.config.studies import StepCurve, StepSurface, mean_of
from sharpest.figures.canvas import (
    BLUE,
    DASHES,
    GREEN,
    OTHERS,
    PANEL_HEIGHT,
    RED,
    Canvas,
    FigureInputs,
    Panel,
    drawing,
    ordered_colours,
)
from sharpest.figures.seeds import OfSeed, mean_over_seeds, name_diverged
from sharpest.measures.directions import Directions
from sharpest.measures.spectra import Spectra
from sharpest.results.stored import common_points

JUDGED = (
    "Numbers in legends: sum of the changes of the loss over sum of the losses, as the claims judge it; for several "
    "seeds the mean of their numbers. The 95 % interval is Student's t over seeds. For one seed it comes from a block "
    "bootstrap within the run; it is missing if the points are too few."
)
"""The note on these numbers."""

ByAlpha = Mapping[float, Series]
"""Alpha -> change of the loss and loss, nats, at the last points."""


def last_points(study: StepSurface, directions: Directions) -> ByAlpha:
    """The points behind the numbers of a run; empty if none is finite."""
    along = study.direction, study.paper_points
    try:
        return {alpha: step_change(directions, alpha, *along) for alpha in study.alphas}
    except UnmeasuredError:
        return {}


def legend_value(panel: Panel, alpha: float, last: Mapping[str, ByAlpha]) -> str:
    """The number for one alpha, such as ``-4.76 %`` above ``± 3.43``; a dash if there is none.

    Args:
        panel: Records the number and the ends of its interval, and the numbers of several seeds.
        alpha: Scale of the step.
        last: Run -> its last points; the runs differ only in their seed.
    """
    series, measured = f"alpha {alpha:g}, last points", {run: of[alpha] for run, of in last.items() if alpha in of}
    if not measured:
        return "–"
    x, change = max(each.epoch[-1] for each in measured.values()), mean_change(measured)
    (low, high), known = change.interval, np.isfinite(change.error)
    interval = {"low": low, "high": high} if known else {}
    if len(last) == 1:
        panel.record(series, *measured, x=x, y=change.value, **interval)
    else:
        values = {run: per_cent(each) for run, each in measured.items()}
        for run, value in values.items():
            panel.record(series, run, x=x, y=value)
        deviation = np.std(list(values.values()), ddof=1) if len(values) > 1 else np.nan
        name = np.array([mean_of(RunId.parse(run).seed for run in values)], dtype=object)
        panel.record(series, name, x=x, y=change.value, deviation=deviation, **interval)
    half = f"\n± {float(high - change.value):.2f}" if interval else ""
    return f"{float(change.value):+.2f} %{half}".replace("-", "−")


def legend_title(last: Mapping[str, ByAlpha], window: float, values: Collection[str]) -> str:
    """Which points the numbers are from, and what follows them; empty if there are none.

    Args:
        last: Run -> its last points.
        window: Last epoch that is drawn.
        values: The numbers, as of ``legend_value``.
    """
    series = [each for of_run in last.values() for each in of_run.values()]
    if not series:
        return ""
    end = max(each.epoch[-1] for each in series)
    beyond = f"\nup to epoch {end:.3g}, beyond the axis" if end > window else ""
    interval = ", ± 95 % interval" if any("±" in value for value in values) else ""
    return f"last {max(len(each.epoch) for each in series)} points{interval}{beyond}"


_COLOURS = (BLUE, GREEN, RED, *OTHERS)  # as in the authors' code, for increasing alpha (inventory, Figure 6b)
_MARKERS = "osD*p"  # triangles are points outside the axis
# if more than the first fraction of the points lies outside, or a mean over seeds does, the axis is widened to contain
# the second fraction and the means
_TOLERATED_OUTSIDE, _HELD_INSIDE = 0.25, 0.95
_HEIGHT = 3.3 / PANEL_HEIGHT
_EDGE = 0.96  # fraction of the limit at which points outside are drawn
_READING = (
    "Triangles: points outside the axis. Loss along the direction: one line per measurement, dark to light by rank of "
    "the largest eigenvalue, with the higher end at k > 0, cut off at the largest loss of the run."
)
_DIRECTION_NAMES = {0: "the full step", -1: "a random direction"}


@dataclass(frozen=True)
class _Measured:
    """One run along one direction, with t measurements in order of time."""

    run: str | NDArray[Any]  # (t,) for a mean
    epoch: NDArray[np.float64]  # (t,)
    changes: Mapping[float, NDArray[np.float64]]  # alpha -> (t,), per cent of the loss; NaN where not measured
    last: Mapping[float, Series]  # alpha -> change of the loss and loss, nats, at the last points; none if diverged
    grid: NDArray[np.float64]  # (g,), k within the drawn limit
    profile: NDArray[np.float64]  # (t, g), nats
    lambda_max: NDArray[np.float64]  # (t,), nats
    largest_loss: float  # nats, at k = 0 over the whole run
    diverged: str

    def changed(self, alpha: float, end: float) -> OfSeed:
        """The finite changes for one alpha up to an epoch."""
        change = self.changes[alpha]
        rows = np.isfinite(change) & (self.epoch <= end)
        return OfSeed(self.run, self.epoch[rows], change[rows], self.diverged)

    def until(self, end: float) -> _Measured:
        """The points with a profile up to an epoch; the changes stay those of the whole run."""
        rows = ~np.isnan(self.profile).any(axis=1) & (self.epoch <= end)
        parts = {name: getattr(self, name)[rows] for name in ("epoch", "profile", "lambda_max")}
        return replace(self, **parts)

    def lines(self) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """k and loss of each profile, cut off at the largest loss, with the higher end at k > 0."""
        for profile in self.profile:
            k, loss = _below(self.grid, profile, self.largest_loss)
            yield (-k[::-1], loss[::-1]) if profile[0] > profile[-1] else (k, loss)

    @property
    def is_mirrored(self) -> NDArray[np.bool_]:
        """Which points of the grid have a mirror image on the other side (g,)."""
        return np.isin(self.grid, -self.grid)

    def turned(self) -> NDArray[np.float64]:
        """The uncut profiles (t, ...) at the mirrored points, with the higher end at k > 0."""
        profile = self.profile[:, self.is_mirrored]
        return np.where(self.profile[:, :1] > self.profile[:, -1:], profile[:, ::-1], profile)


@drawing
def draw(canvas: Canvas, study: StepSurface, inputs: FigureInputs) -> None:
    """Draw a scatter panel and a 3-D panel for each run, up to the end of its early window if it has one.

    Points outside the scatter's axis are drawn as triangles at its edge; the recorded points keep their values. z is
    NaN for the scatter panels. The series ``alpha <alpha>, last points`` hold the numbers of the legend, with low and
    high, the ends of their interval.

    Source: Figs. 6, 15-18, 20; inventory, Figures 6 and 20.
    """
    canvas.columns = ("x", "y", "z", "low", "high")
    num_runs, in_a_row = len(study.rows), study.layout == "row"
    rows, columns = (1, 2 * num_runs) if in_a_row else (num_runs, 2)
    canvas.lay_out(rows, columns, 1 if in_a_row else 1.25, _HEIGHT)
    for index, curve in enumerate(study.rows):
        seeds, window = [_read(study, each, inputs) for each in curve.by_seed()], inputs.window(curve)
        canvas.diverged[curve.label] = name_diverged({str(each.run): each.diverged for each in seeds})
        at = (canvas.grid[0, index], canvas.grid[0, num_runs + index]) if in_a_row else (None, None)
        limit = np.inf if window is None else window
        _scatter_panel(canvas.panel(f"{curve.label}: change of the loss", at[0]), curve, seeds, limit)
        surface = canvas.panel(f"{curve.label}: loss along the direction", at[1], projection="3d")
        _surface_panel(surface, study, seeds, limit)
    canvas.note(_READING, JUDGED)
    canvas.of_seeds(study.rows, means="Lines, and loss along the direction", rest="small and faint: single seeds")


def _read(study: StepSurface, curve: StepCurve, inputs: FigureInputs) -> _Measured:
    spectra, directions = common_points(inputs.read(Spectra, curve), inputs.read(Directions, curve))
    last = {} if spectra.divergence else last_points(study, directions)
    along, loss = directions.along(study.direction), directions.loss
    drawn = np.abs(directions.grid) <= study.grid_limit
    return _Measured(
        run=curve.run,
        epoch=directions.epoch,
        changes={alpha: 100 * along.at(alpha) / loss for alpha in study.alphas},
        last=last,
        grid=directions.grid[drawn],
        profile=along.profile[:, drawn],
        lambda_max=spectra.lambda_max,
        largest_loss=float(np.max(loss[np.isfinite(loss)], initial=-np.inf)),
        diverged=spectra.divergence,
    )


def _scatter_panel(panel: Panel, curve: StepCurve, seeds: Sequence[_Measured], window: float) -> None:
    axes = panel.axes
    axes.set(xlabel="epoch", ylabel="change of the loss (%)")
    alphas = list(seeds[0].changes)
    chosen = {alpha: [each.changed(alpha, window) for each in seeds] for alpha in alphas}
    drawn = np.abs(np.concatenate([each.y for of_alpha in chosen.values() for each in of_alpha]))
    if not drawn.size:
        return
    limit = curve.change_limit
    lines = [mean_over_seeds(of_alpha).y for of_alpha in chosen.values()] if len(seeds) > 1 else []
    highest = max((np.abs(line).max(initial=0) for line in lines), default=0)
    if np.mean(drawn > limit) > _TOLERATED_OUTSIDE or highest > limit:
        limit = max(float(np.quantile(drawn, _HELD_INSIDE, method="higher")), highest)
        axes.set_ylabel("change of the loss (%)\naxis widened")
    axes.axhline(0, color="black", linestyle="--", linewidth=0.7)
    last = {str(each.run): each.last for each in seeds}
    values = {alpha: legend_value(panel, alpha, last) for alpha in alphas}
    for (alpha, of_alpha), *look in zip(chosen.items(), cycle(_COLOURS), cycle(_MARKERS), cycle(DASHES)):
        label = f"α = {alpha:g}\n{values[alpha]}"
        _clouds(panel, f"alpha {alpha:g}", label, of_alpha, limit, look)
    axes.set_ylim(-limit, limit)
    title = legend_title(last, window, values.values())
    panel.legend(title=title, ncols=3, handletextpad=0.2, columnspacing=1.5)


def _clouds(panel: Panel, series: str, label: str, seeds: Sequence[OfSeed], limit: float, look: Sequence[Any]) -> None:
    """Draw the points of one alpha, with triangles at the edge for those outside; means of several seeds as a line."""
    axes = panel.axes
    (colour, marker, dashes), several = look, len(seeds) > 1
    size, edge_size, alpha = (3, 5, 0.35) if several else (8, 12, 0.85)
    for each in seeds:
        x, y = each.x, each.y
        inside = np.abs(y) <= limit
        name = None if several else label
        axes.scatter(x[inside], y[inside], s=size, marker=marker, color=colour, linewidths=0, alpha=alpha, label=name)
        for triangle, outside in (("^", y > limit), ("v", y < -limit)):
            edge = _EDGE * limit * np.sign(y[outside])
            faint = alpha if several else None
            axes.scatter(x[outside], edge, s=edge_size, marker=triangle, color=colour, linewidths=0, alpha=faint)
        panel.record(series, each.run, x=x, y=y)
    if several:
        mean = mean_over_seeds(seeds)
        axes.plot(mean.x, mean.y, linestyle=dashes, color=colour)
        axes.plot([], [], linestyle=dashes, marker=marker, markersize=3, color=colour, label=label)
        panel.record(series, mean.runs, x=mean.x, y=mean.y, deviation=mean.deviation)


def _below(
    grid: NDArray[np.float64], profile: NDArray[np.float64], limit: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The part of a profile around its lowest point that is below a limit, with one point at the limit on each side."""
    above = np.flatnonzero(profile > limit)
    lowest = int(np.argmin(profile))
    first = above[above < lowest].max(initial=0)
    last = above[above > lowest].min(initial=len(grid) - 1)
    return grid[first : last + 1], np.minimum(profile[first : last + 1], limit)


def _surface_panel(panel: Panel, study: StepSurface, seeds: Sequence[_Measured], window: float) -> None:
    axes = panel.axes
    direction = _DIRECTION_NAMES.get(study.direction, f"$e_{study.direction}$")
    axes.set_xlabel(f"k, mean steps along {direction}", labelpad=-7)
    axes.set_ylabel("epoch", labelpad=-7)
    axes.set_zlabel("loss (nats)", labelpad=-6)
    axes.tick_params(pad=-2, labelsize=6.5)
    each_seed = [each.until(window) for each in seeds]
    shown, deviation = _mean_of(each_seed) if len(seeds) > 1 else (each_seed[0], None)
    if not len(shown.epoch):
        return
    ranks, colours = np.argsort(np.argsort(shown.lambda_max)), ordered_colours(len(shown.epoch))
    for epoch, (k, loss), rank in zip(shown.epoch, shown.lines(), ranks, strict=True):
        axes.plot(k, np.full(len(k), epoch), loss, color=colours[rank], linewidth=0.7)
    for each in each_seed if len(seeds) > 1 else ():
        _keep_lines(panel, each)
    _keep_lines(panel, shown, deviation)
    axes.set(xlim=(-study.grid_limit, study.grid_limit), zlim=(None, shown.largest_loss))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.view_init(elev=22, azim=-68)
    axes.set_box_aspect((4, 4, 3.4), zoom=1.0)


def _mean_of(seeds: Sequence[_Measured]) -> tuple[_Measured, NDArray[np.float64]]:
    """The mean over seeds, and the standard deviation of its profiles (t, g), each turned before averaging."""
    profiles = mean_over_seeds([OfSeed(each.run, each.epoch, each.turned(), each.diverged) for each in seeds])
    lambda_max = mean_over_seeds([OfSeed(each.run, each.epoch, each.lambda_max, each.diverged) for each in seeds])
    largest = [each.largest_loss for each in seeds if not each.diverged]
    mean = replace(
        seeds[0],
        run=profiles.runs,
        epoch=profiles.x,
        grid=seeds[0].grid[seeds[0].is_mirrored],
        profile=profiles.y,
        lambda_max=lambda_max.y,
        largest_loss=float(np.mean(largest)) if largest else np.nan,
    )
    return mean, profiles.deviation


def _keep_lines(panel: Panel, measured: _Measured, deviation: NDArray[np.float64] | None = None) -> None:
    runs = np.broadcast_to(measured.run, len(measured.epoch))
    for row, (epoch, (k, loss)) in enumerate(zip(measured.epoch, measured.lines(), strict=True)):
        own = {} if deviation is None else {"deviation": deviation[row, np.isin(measured.grid, k)]}
        panel.record(f"epoch {epoch:g}", runs[row], x=k, y=epoch, z=loss, **own)
