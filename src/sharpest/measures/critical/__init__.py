"""How long the run's next step may be before it raises the loss, and the curvature along it."""

from pydantic import Field, PositiveInt

from sharpest.config.measure import Cost, Measure, Planned
from sharpest.config.strict import Strict
from sharpest.results.layout import Dataset, measured_layout

_OUTCOMES = (
    "0 = found, 1 = no step raises the loss, 2 = no step lowers it, 3 = all changes are within rounding, 4 = the loss "
    "is not finite"
)
_SEARCH = 8  # passes of a search, 7 to 9 of which were seen


class Settings(Strict):
    """Critical and directional sharpness."""

    num_batches: PositiveInt = 1
    """Updates at each point: that of the run's next mini-batch, then those of others."""
    tolerance: float = Field(default=1 / 16, gt=0, lt=1)
    """Largest 1 - low/high of the two steps between which eta_c lies."""


def _cost(settings: Settings, point: Planned) -> Cost:
    run, nudge = point.run, point.run.nudge
    solves = False
    if nudge is not None and not point.recorded(nudge.num_eigenpairs, with_vectors=True):
        every, start = (nudge.refresh_every, run.start) if nudge.refresh_every else (run.steps_per_epoch, 0)
        solves = (point.iteration - start) % every == 0
    return Cost(
        gradients=settings.num_batches * 5,  # the update; for D.HD a gradient with its graph, and a product
        eigenpairs=nudge.num_eigenpairs if nudge and solves else 0,
        forwards=settings.num_batches * _SEARCH * (run.batch_size + point.hessian.examples),
        held=8,
    )


MEASURE = Measure(
    title="critical and directional sharpness of the update",
    settings=Settings,
    layout=measured_layout(
        "critical",
        2,
        Dataset("critical_lr", "f8", ("t",), "", "eta_c, mean of batch_lr over the updates where it was found"),
        Dataset(
            "critical_lr_error", "f8", ("t",), "",
            "standard error over two updates or more; of one, half of the bracket",
        ),
        Dataset("critical_sharpness", "f8", ("t",), "nats", "2 / eta_c"),
        Dataset("critical_ratio", "f8", ("t",), "", "eta_c / eta: the multiple of the step that starts to raise L_B"),
        Dataset("directional_sharpness", "f8", ("t",), "nats", "mean of D.H_B D / D.g_B"),
        Dataset("critical_lr_full", "f8", ("t",), "", "as critical_lr, of the loss on the Hessian examples"),
        Dataset("critical_lr_full_error", "f8", ("t",), "", "as critical_lr_error"),
        Dataset("critical_ratio_full", "f8", ("t",), "", "critical_lr_full / eta"),
        Dataset("num_found", "i8", ("t",), "updates", "those where eta_c was found"),
        Dataset("num_found_full", "i8", ("t",), "updates", "the same on the Hessian examples"),
        Dataset("forwards", "i8", ("t",), "passes", "of the batches"),
        Dataset("forwards_full", "i8", ("t",), "passes", "of the Hessian examples"),
        Dataset("batch_lr", "f8", ("t", "m"), "", "min{eta > 0: L_B(theta - eta D) > L_B(theta)}, D the update / -lr"),
        Dataset("batch_outcome", "i8", ("t", "m"), "", _OUTCOMES),
        Dataset("batch_sharpness", "f8", ("t", "m"), "nats", "D.H_B D / D.g_B"),
        Dataset("full_lr", "f8", ("t", "m"), "", "as batch_lr, of the loss on the Hessian examples, with the same D"),
        Dataset("full_outcome", "i8", ("t", "m"), "", _OUTCOMES),
    ),
    cost=_cost,
    sizes=lambda settings, p: {"m": settings.num_batches},
)  # fmt: skip
