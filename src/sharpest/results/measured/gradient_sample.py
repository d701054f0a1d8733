"""Mini-batch gradients and their curvature along training."""

from sharpest.results.layout import Dataset, measured_layout


def _number(name: str, unit: str, meaning: str) -> Dataset:
    return Dataset(name, "f8", ("t",), unit, meaning)


GRADIENT_SAMPLE = measured_layout(
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
)
