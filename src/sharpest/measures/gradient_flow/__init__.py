"""Distance of gradient descent from the gradient flow with the same start."""

from pydantic import Field

from sharpest.config.measures import Cost, Measure, Planned
from sharpest.config.run import RunSettings
from sharpest.config.strict import Strict
from sharpest.errors import ConfigError
from sharpest.results.layout import Dataset, measured_layout

_FLOAT64 = 3  # cost of a gradient in float64, relative to float32
_PER_UPDATE = 33  # gradients of the flow per update of full_batch_edge at quick; docs/curvature.md


class Settings(Strict):
    """The gradient flow of the training loss, for comparison with the run."""

    tolerance: float = Field(default=1e-5, gt=0, lt=0.01)
    """Error of each step of the flow, relative to the norm of theta; docs/curvature.md has the error of the path."""


def _cost(settings: Settings, point: Planned) -> Cost:
    """An estimate: one epoch of the flow per point, and at the first point of a segment all updates since the start."""
    updates = point.iteration - point.run.start if point.place == 0 else point.run.steps_per_epoch
    return Cost(gradients=2 + updates * _PER_UPDATE * _FLOAT64, held=20)


def _check_run(settings: Settings, run: RunSettings) -> None:
    plain = run.full_batch and not (run.is_adaptive or run.momentum or run.nudge or run.clip_norm)
    plain = plain and run.rule == "const"
    if not plain:
        raise ConfigError(
            "a gradient flow is compared with plain gradient descent: full batch, constant rate, SGD, no momentum, "
            "nudge or clipping; measure it for a run with -fb, in a separate schedule"
        )


MEASURE = Measure(
    of_training=True,
    title="distance to the gradient flow",
    settings=Settings,
    layout=measured_layout(
        "gradient_flow",
        2,
        Dataset("loss", "f8", ("t",), "nats", "training loss of the run, with L2"),
        Dataset("flow_loss", "f8", ("t",), "nats", "the same of the flow, at the same time"),
        Dataset("distance", "f8", ("t",), "", "|theta - theta_flow|"),
        Dataset("flow_time", "f8", ("t",), "", "eta times the updates since the start"),
        Dataset("gradients", "i8", ("t",), "", "of the full batch in float64, since the point before"),
    ),
    cost=_cost,
    check_run=_check_run,
)
