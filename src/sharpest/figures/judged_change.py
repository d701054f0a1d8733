"""The number of a legend of Figs. 6, 15-18 and 20: the change of the loss by a scaled step, as claims judge it."""

from collections.abc import Collection, Mapping

import numpy as np

from sharpest.claims.shapes import Series, UnmeasuredError, per_cent
from sharpest.claims.steps import mean_change, step_change
from sharpest.config.run_id import RunId
from sharpest.config.studies.base import mean_of
from sharpest.config.studies.step_surface import StepSurface
from sharpest.figures.canvas import Panel
from sharpest.measures.directions import Directions

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
    interval = {"low": change.low, "high": change.high} if np.isfinite(change.error) else {}
    if len(last) == 1:
        panel.record(series, *measured, x=x, y=change.value, **interval)
    else:
        values = {run: per_cent(each) for run, each in measured.items()}
        for run, value in values.items():
            panel.record(series, run, x=x, y=value)
        deviation = np.std(list(values.values()), ddof=1) if len(values) > 1 else np.nan
        name = np.array([mean_of(RunId.parse(run).seed for run in values)], dtype=object)
        panel.record(series, name, x=x, y=change.value, deviation=deviation, **interval)
    half = f"\n± {float(change.high - change.value):.2f}" if interval else ""
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
