"""Layouts written both by the pipeline and by the monitor of a user's training loop."""

from __future__ import annotations

from sharpest.results.layout import Dataset, measured_layout

SPECTRA = measured_layout(
    "spectra",
    4,
    Dataset("eigenvalues", "f8", ("t", "k"), "nats", "the k largest in magnitude; signed, largest first"),
    Dataset("residuals", "f8", ("t", "k"), "", "|Hv - lambda v| / |lambda_1|"),
    Dataset("converged", "?", ("t", "k"), "", "residual within the tolerance and no larger one missing"),
    Dataset("hvps", "i8", ("t",), "", "Hessian-vector products"),
    Dataset("seconds", "f8", ("t",), "s", "time of the eigensolve"),
    Dataset("train_loss", "f8", ("t",), "nats", "on clean training examples"),
    Dataset("train_accuracy", "f8", ("t",), "fraction", "on clean training examples"),
    Dataset("val_loss", "f8", ("t",), "nats", "on the validation examples"),
    Dataset("val_accuracy", "f8", ("t",), "fraction", "on the validation examples"),
    Dataset("vector_index", "i8", ("v",), "rows of t", "measurements whose vectors are kept"),
    Dataset("eigenvectors", "f4", ("v", "k", "p"), "", "unit rows"),
)


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


_OUTCOMES = (
    "0 = found, 1 = no step raises the loss, 2 = no step lowers it, 3 = all changes are within rounding, 4 = the loss "
    "is not finite"
)

CRITICAL = measured_layout(
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
)  # fmt: skip


FLOOR = 10  # eps; a root of v below this many is at the floor

PRECONDITIONED = measured_layout(
    "preconditioned",
    1,
    Dataset("preconditioned_sharpness", "f8", ("t",), "", "largest signed eigenvalue of P^-1/2 H P^-1/2"),
    Dataset("eigenvalues", "f8", ("t", "k"), "", "of P^-1/2 H P^-1/2, the k largest in magnitude; largest first"),
    Dataset("residuals", "f8", ("t", "k"), "", "|Av - lambda v| / |lambda_1|, with A = P^-1/2 H P^-1/2"),
    Dataset("converged", "?", ("t", "k"), "", "residual within the tolerance and no larger one missing"),
    Dataset("products", "i8", ("t",), "", "Hessian-vector products"),
    Dataset(
        "floor_share", "f8", ("t",), "",
        f"share of |e_1|^2 where the root of v without bias is below {FLOOR} eps: there eps decides the eigenvalue",
    ),
)  # fmt: skip


TRACE = measured_layout(
    "trace",
    2,
    Dataset("trace", "f8", ("t",), "nats", "sum of all eigenvalues"),
    Dataset("trace_error", "f8", ("t",), "nats", "its standard error"),
)
