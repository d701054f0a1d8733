"""The largest step along the run's next update that does not raise the loss, and the curvature along it."""

from pydantic import Field, PositiveInt

from sharpest.config.measures import Cost, Measure, Planned
from sharpest.config.strict import Strict
from sharpest.results.measured import CRITICAL

_SEARCH = 8  # passes per search; 7 to 9 were observed


class Settings(Strict):
    """Critical and directional sharpness."""

    num_batches: PositiveInt = 1
    """Updates at each point: the first on the run's next mini-batch, the others on other mini-batches."""
    tolerance: float = Field(default=1 / 16, gt=0, lt=1)
    """Largest 1 - low/high of the two step sizes that bracket eta_c."""


def _cost(settings: Settings, point: Planned) -> Cost:
    run, nudge = point.run, point.run.nudge
    solves = False
    if nudge is not None and not point.recorded(nudge.num_eigenpairs, with_vectors=True):
        every, start = (nudge.refresh_every, run.start) if nudge.refresh_every else (run.steps_per_epoch, 0)
        solves = (point.iteration - start) % every == 0
    return Cost(
        gradients=settings.num_batches * 5,  # the update, and for D.HD a gradient with its graph and a product
        eigenpairs=nudge.num_eigenpairs if nudge and solves else 0,
        forwards=settings.num_batches * _SEARCH * (run.batch_size + point.hessian.examples),
        held=8,
    )


MEASURE = Measure(
    of_training=True,
    title="critical and directional sharpness of the update",
    settings=Settings,
    layout=CRITICAL,
    cost=_cost,
    sizes=lambda settings, p: {"m": settings.num_batches},
)
