"""Curvature for adaptive optimizers: eigenvalues of the Hessian in the metric of the preconditioner."""

from pydantic import PositiveInt

from sharpest.config.measures import Cost, Measure
from sharpest.config.run import RunSettings
from sharpest.config.strict import Strict
from sharpest.errors import ConfigError
from sharpest.results.measured import PRECONDITIONED


class Settings(Strict):
    """Leading eigenvalues of P^-1/2 H P^-1/2, with the preconditioner P of Adam or RMSProp."""

    num_eigenpairs: PositiveInt = 1
    """k, eigenpairs of largest magnitude."""


def _check_run(settings: Settings, run: RunSettings) -> None:
    if not run.is_adaptive:
        raise ConfigError(
            f"its optimizer {run.optimizer} has no second moment for a preconditioner; measure spectra, or a run with "
            "adam, adamw or rmsprop"
        )


MEASURE = Measure(
    of_training=True,
    title="preconditioned sharpness",
    settings=Settings,
    layout=PRECONDITIONED,
    cost=lambda settings, point: Cost(eigenpairs=settings.num_eigenpairs),
    sizes=lambda settings, p: {"k": min(settings.num_eigenpairs, p)},
    check_run=_check_run,
)
