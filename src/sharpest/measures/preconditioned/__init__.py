"""Curvature as an adaptive optimizer feels it: eigenvalues of the Hessian in the metric of its preconditioner."""

from pydantic import PositiveInt

from sharpest.config.measure import Cost, Measure
from sharpest.config.run import RunSettings
from sharpest.config.strict import Strict
from sharpest.errors import ConfigError
from sharpest.results.layout import Dataset, measured_layout

FLOOR = 10  # a root of v below so many eps is at the floor


class Settings(Strict):
    """Leading eigenvalues of P^-1/2 H P^-1/2, with Adam's or RMSProp's P."""

    num_eigenpairs: PositiveInt = 1
    """k, eigenpairs of largest magnitude."""


def _check_run(settings: Settings, run: RunSettings) -> None:
    if not run.is_adaptive:
        raise ConfigError(
            f"its optimizer {run.optimizer} has no second moment to precondition with; measure spectra, or a run of "
            "adam, adamw or rmsprop"
        )


MEASURE = Measure(
    title="preconditioned sharpness",
    settings=Settings,
    layout=measured_layout(
        "preconditioned",
        1,
        Dataset("preconditioned_sharpness", "f8", ("t",), "", "largest signed eigenvalue of P^-1/2 H P^-1/2"),
        Dataset("eigenvalues", "f8", ("t", "k"), "", "of P^-1/2 H P^-1/2, the k largest in magnitude; largest first"),
        Dataset("residuals", "f8", ("t", "k"), "", "|Av - lambda v| / |lambda_1|, with A = P^-1/2 H P^-1/2"),
        Dataset("converged", "?", ("t", "k"), "", "residual within the tolerance"),
        Dataset("products", "i8", ("t",), "", "Hessian-vector products"),
        Dataset(
            "floor_share", "f8", ("t",), "",
            f"share of |e_1|^2 where the root of v without bias is below {FLOOR} eps: there eps decides the eigenvalue",
        ),
    ),
    cost=lambda settings, point: Cost(eigenpairs=settings.num_eigenpairs),
    sizes=lambda settings, p: {"k": min(settings.num_eigenpairs, p)},
    check_run=_check_run,
)  # fmt: skip
