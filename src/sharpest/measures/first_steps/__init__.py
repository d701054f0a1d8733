"""The first steps of gradient descent at large learning rates: where they catapult, and where they diverge."""

import math

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt

from sharpest.config.measures import Cost, Measure, Planned, Taken
from sharpest.config.strict import Strict
from sharpest.errors import ConfigError
from sharpest.results.layout import Dataset, measured_layout

_PRODUCTS = 6  # Hessian-vector products of a warm-started solve for one eigenpair, to 1e-3


class Settings(Strict):
    """Full-batch gradient descent on the Hessian examples, over a geometric grid of c = eta lambda_0."""

    num_steps: PositiveInt = 10
    """Steps of each descent."""
    lowest: PositiveFloat = 1
    """Smallest c."""
    highest: PositiveFloat = 32
    """Upper limit of c."""
    per_octave: PositiveInt = 10
    """Values of c per doubling."""
    divergence: float = Field(default=1e5, gt=1)
    """A descent diverges when its loss is this many times the loss at the point, or not finite."""


def _factors(settings: Settings) -> np.ndarray:
    octaves = math.log2(settings.highest / settings.lowest)
    count = int(octaves * settings.per_octave + 1e-9) + 1
    return settings.lowest * 2 ** (np.arange(max(count, 0)) / settings.per_octave)


def _cost(settings: Settings, point: Planned) -> Cost:
    states = len(_factors(settings)) * settings.num_steps
    examples = point.hessian.examples
    return Cost(gradients=states * examples / point.run.batch_size, eigenpairs=1, products=states * _PRODUCTS, held=4)


def _check(settings: Settings, taken: Taken) -> None:
    if settings.highest <= settings.lowest:
        raise ConfigError(f"highest {settings.highest:g} is not above lowest {settings.lowest:g}; raise highest")


MEASURE = Measure(
    title="first steps at large learning rates",
    settings=Settings,
    layout=measured_layout(
        "first_steps",
        2,
        Dataset("factor", "f8", ("c",), "", "c, learning rate in parts of 1 / lambda_0"),
        Dataset("lambda_0", "f8", ("t",), "nats", "largest eigenvalue at the point"),
        Dataset("loss", "f8", ("t", "c", "s"), "nats", "after 0, 1, ... steps; NaN behind one that diverged"),
        Dataset("sharpness", "f8", ("t", "c", "s"), "nats", "largest eigenvalue; NaN where the loss has diverged"),
        Dataset("c_loss", "f8", ("t",), "", "smallest c that raises the loss above its start; NaN: none"),
        Dataset("c_sharp", "f8", ("t",), "", "smallest c that raises the sharpness above its start; NaN: none"),
        Dataset(
            "c_max", "f8", ("t",), "", "last c before the smallest that diverges; NaN: none diverges, or the first"
        ),
        Dataset("num_missed", "i8", ("t",), "", "eigenvalues above the solver's tolerance"),
        Dataset("hvps", "i8", ("t",), "", "Hessian-vector products"),
    ),
    cost=_cost,
    sizes=lambda settings, p: {"s": settings.num_steps + 1},
    constants=lambda settings: {"factor": _factors(settings)},
    check=_check,
)
