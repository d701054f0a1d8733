"""Mini-batch gradients and their curvature: batch sharpness, gradient noise, noise scales."""

from pydantic import Field, PositiveInt

from sharpest.config.measures import Cost, Measure, Planned, Taken
from sharpest.config.strict import Strict
from sharpest.errors import ConfigError
from sharpest.results.measured import GRADIENT_SAMPLE


class Settings(Strict):
    """Mini-batch gradients g_m of the run's batch size, and the curvature along them."""

    num_batches: PositiveInt = 64
    """M, mini-batches at each point; with only one there are no errors and no covariance."""
    full_curvature_batches: int = Field(default=0, ge=0)
    """Mini-batches, at most M, along whose gradients the full Hessian is applied, for GNI and B_noise; 0 = none."""
    num_directions: PositiveInt = 1
    """k, leading eigenvectors of ``spectra`` to project on; for the dominant subspace, as many as classes."""
    num_eigenvalues: PositiveInt = 10
    """Stored eigenvalues of the gradients' covariance."""


def _cost(settings: Settings, point: Planned) -> Cost:
    m, j, held = settings.num_batches, settings.full_curvature_batches, settings.num_batches + settings.num_directions
    if point.run.full_batch:  # all batches are the same
        return Cost(products=4 if j else 2, held=held)
    # a batch product with its graph costs two gradients; the full gradient with its graph costs a product
    return Cost(gradients=3 * m, products=2 + j if j else 1, held=held)


def _check(settings: Settings, taken: Taken) -> None:
    asked, stored = settings.num_directions, taken.settings["spectra"].num_eigenpairs
    if asked > stored:
        raise ConfigError(f"num_directions {asked} exceeds num_eigenpairs {stored} of spectra; raise num_eigenpairs")


MEASURE = Measure(
    title="mini-batch gradients and their curvature",
    settings=Settings,
    layout=GRADIENT_SAMPLE,
    cost=_cost,
    needs={"spectra": {"keep_vectors": True}},
    sizes=lambda settings, p: {
        **dict.fromkeys("mn", settings.num_batches),
        "j": min(settings.full_curvature_batches, settings.num_batches),
        "c": min(settings.num_eigenvalues, settings.num_batches),
        "k": min(settings.num_directions, p),
    },
    check=_check,
)
