"""Mini-batch gradients and their curvature: the sharpness that SGD feels, the noise of its gradients, noise scales."""

from pydantic import Field, PositiveInt

from sharpest.config.measure import Cost, Measure, Planned, Taken
from sharpest.config.strict import Strict
from sharpest.errors import ConfigError
from sharpest.results.layout import Dataset, measured_layout


class Settings(Strict):
    """Mini-batch gradients g_m of the run's batch size, and the curvature along them."""

    num_batches: PositiveInt = 64
    """M, mini-batches at each point; one has no error and no covariance."""
    full_curvature_batches: int = Field(default=0, ge=0)
    """Those, at most M, along which the full Hessian is taken, for GNI and B_noise; 0 = none."""
    num_directions: PositiveInt = 1
    """k, leading eigenvectors of ``spectra`` to project on; for the dominant subspace, as many as classes."""
    num_eigenvalues: PositiveInt = 10
    """Of the covariance of the gradients, stored."""


def _cost(settings: Settings, point: Planned) -> Cost:
    m, j, held = settings.num_batches, settings.full_curvature_batches, settings.num_batches + settings.num_directions
    if point.run.full_batch:  # all batches are the same one
        return Cost(products=4 if j else 2, held=held)
    # the product and the graph that it needs take two gradients; the full gradient and its graph, a product
    return Cost(gradients=3 * m, products=2 + j if j else 1, held=held)


def _check(settings: Settings, taken: Taken) -> None:
    asked, stored = settings.num_directions, taken.settings["spectra"].num_eigenpairs
    if asked > stored:
        raise ConfigError(f"num_directions {asked} exceeds num_eigenpairs {stored} of spectra; raise num_eigenpairs")


def _number(name: str, unit: str, meaning: str) -> Dataset:
    return Dataset(name, "f8", ("t",), unit, meaning)


MEASURE = Measure(
    title="mini-batch gradients and their curvature",
    settings=Settings,
    layout=measured_layout(
        "gradient_sample",
        2,
        _number("batch_sharpness", "nats", "mean of g_m.H_m g_m / |g_m|^2"),
        _number("batch_sharpness_error", "nats", "its standard error"),
        _number("ratio_of_means", "nats", "sum of g_m.H_m g_m over sum of |g_m|^2"),
        _number("ratio_of_means_error", "nats", "its standard error"),
        _number("gni", "nats", "gradient-noise interaction: mean of g_m.H g_m, over |g|^2"),
        _number("gni_error", "nats", "its standard error"),
        _number("interaction_sharpness", "nats", "interaction-aware: sum of g_m.H g_m over sum of their |g_m|^2"),
        _number("directional_sharpness", "nats", "g.H g / |g|^2"),
        _number("noise_scale", "examples", "B_simple = Tr Sigma / |g|^2, with Sigma = S times the covariance of g_m"),
        _number("curvature_noise_scale", "examples", "B_noise = Tr(H Sigma) / g.H g"),
        _number("covariance_trace", "", "Tr K, with K = 1/M sum (g_m - mean)(g_m - mean)^T"),
        Dataset("covariance_eigenvalues", "f8", ("t", "c"), "", "of K, largest first"),
        _number("covariance_conditioning", "", "smallest non-zero eigenvalue of K over the largest"),
        _number("covariance_error", "", "half the difference of the first eigenvalue between halves of the batches"),
        _number("alignment", "", "of noise and curvature: Tr(H Sigma) / (lambda_1 Tr Sigma)"),
        _number("chi_full", "", "|P_k g| / |g|, with P_k on the k leading eigenvectors"),
        _number("chi_batch", "", "mean of |P_k g_m| / |g_m|"),
        Dataset("gram", "f8", ("t", "m", "n"), "", "g_m.g_n"),
        Dataset("batch_curvature", "f8", ("t", "m"), "nats", "g_m.H_m g_m"),
        Dataset("full_curvature", "f8", ("t", "j"), "nats", "g_m.H g_m of the first j batches"),
        Dataset("g_dot", "f8", ("t", "m"), "", "g_m.g"),
        _number("full_gradient_sq", "", "|g|^2"),
        Dataset("projection", "f8", ("t", "m", "k"), "", "<g_m, e_i>"),
        Dataset("full_projection", "f8", ("t", "k"), "", "<g, e_i>"),
    ),
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
