"""Training continued from a point with changed settings: does the loss spike after the change?"""

from pydantic import Field, PositiveInt

from sharpest.config.measures import Cost, Measure, Planned, Taken
from sharpest.config.run import RunSettings
from sharpest.config.strict import Strict
from sharpest.config.variants import intervened
from sharpest.errors import ConfigError
from sharpest.results.layout import Dataset, measured_layout

UNCHANGED = "sgd"


class Settings(Strict):
    """The edge test: training continues unchanged, and with each change."""

    arms: tuple[str, ...] = (UNCHANGED, "lr1.5", "S0.5", "m0.95")
    """First sgd, the unchanged run, then the changes: lr<f> and S<f> multiply learning rate and batch size, m<m> sets
    the momentum."""
    updates: PositiveInt = 200
    """Updates of each arm."""
    factor: float = Field(default=5, gt=1)
    """An arm catapults if its largest loss is above this many times the largest loss of the unchanged arm."""


def _cost(settings: Settings, point: Planned) -> Cost:
    sizes = [changed(point.run, arm).batch_size for arm in settings.arms]
    return Cost(
        gradients=settings.updates * sum(sizes) / point.run.batch_size,
        forwards=(settings.updates + 1) * len(sizes) * point.hessian.examples,
        held=4,
    )


def _check(settings: Settings, taken: Taken) -> None:
    first, *changes = settings.arms or ("",)
    if first != UNCHANGED or not changes or len({*settings.arms}) < len(settings.arms):
        raise ConfigError(
            f"arms {', '.join(settings.arms) or 'none'} should be {UNCHANGED}, the unchanged run, followed by one or "
            f"more changes, each once; write [{UNCHANGED}, lr1.5]"
        )


def _check_run(settings: Settings, run: RunSettings) -> None:
    for arm in settings.arms:
        try:
            changed(run, arm)
        except ConfigError as error:
            raise ConfigError(f"arms: {str(error).removeprefix(f'run {run.run}: ')}") from None


def changed(run: RunSettings, arm: str) -> RunSettings:
    """The settings of a run under an arm.

    Raises:
        ConfigError: If the arm is unknown, changes nothing, or does not apply to this run.
    """
    return run if arm == UNCHANGED else intervened(run, arm)


def _number(name: str, meaning: str) -> Dataset:
    return Dataset(name, "f8", ("t", "a"), "", meaning)


MEASURE = Measure(
    of_training=True,
    title="loss of training that goes on under changed settings",
    settings=Settings,
    layout=measured_layout(
        "interventions",
        1,
        Dataset("loss", "f8", ("t", "a", "s"), "nats", "on the Hessian examples, after 0, 1, ... updates of each arm"),
        Dataset("diverged", "i8", ("t", "a"), "updates", "to a loss that is not finite, and NaN from there; -1 = none"),
        _number(
            "spike", "largest loss, over that of the unchanged arm; inf = the arm diverged, NaN = the unchanged did"
        ),
        _number("catapult", "1 = spike is above the factor, 0 = it is not, NaN = spike is NaN"),
        _number("lasting", "as spike, of the mean loss over the last quarter of the updates"),
        _number("remaining", "that mean over the largest loss of the same arm; NaN = it diverged"),
    ),
    cost=_cost,
    sizes=lambda settings, p: {"a": len(settings.arms), "s": settings.updates + 1},
    check=_check,
    check_run=_check_run,
)
