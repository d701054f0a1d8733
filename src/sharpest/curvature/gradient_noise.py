"""Noise and curvature estimated from the gradients of mini-batches.

Letters: m batches of S examples, j of these batches, p parameters, k directions. g_m and H_m are gradient and Hessian
of the mean loss on batch m; g and H are those on the full set. Inner products are computed in float64. With one batch,
errors and covariances are NaN; so is any ratio over a zero gradient. If every batch is the full set, the batch
sharpness, the ratio of means, GNI and the interaction-aware sharpness all equal g.Hg / |g|^2, which is at most the
largest eigenvalue of H, and all covariances are exactly 0.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sharpest.curvature.stochastic import Estimate

_COLUMNS = 2**16  # columns copied to float64 at once


def gram(vectors: Tensor, others: Tensor | None = None) -> Tensor:
    """Inner products of vectors with each other, or with other vectors.

    Args:
        vectors: (m, p), such as g_m.
        others: (n, p), such as H g_n.

    Returns:
        (m, n) float64.

    >>> import torch
    >>> from sharpest.curvature import gram
    >>> gram(torch.tensor([[3.0, 4.0], [1.0, 0.0]]))
    tensor([[25.,  3.],
            [ 3.,  1.]], dtype=torch.float64)
    """
    others = vectors if others is None else others
    parts = zip(vectors.split(_COLUMNS, dim=1), others.split(_COLUMNS, dim=1), strict=True)
    return torch.stack([left.double() @ right.double().T for left, right in parts]).sum(dim=0)


def batch_sharpness(curvature: Tensor, squares: Tensor) -> Estimate:
    """Batch sharpness, E[g_m.H_m g_m / |g_m|^2], in nats, and its standard error.

    SGD on a quadratic is stable as long as it is below 2/eta.

    Args:
        curvature: (m,), g_m.H_m g_m.
        squares: (m,), |g_m|^2.

    Source: Andreyev and Beneventano (2024), arXiv 2412.20553.

    >>> import torch
    >>> from sharpest.curvature import batch_sharpness
    >>> print(batch_sharpness(torch.tensor([2.0, 12.0]), torch.tensor([1.0, 4.0])))
    2.5 +- 0.5
    """
    ratios = curvature.double() / _nonzero(squares)
    return Estimate(_mean(ratios), _standard_error(ratios))


def ratio_of_means(curvature: Tensor, squares: Tensor) -> Estimate:
    """Ratio of the means of curvature and squared gradient, in nats, and its standard error by the delta method.

    With g_m.H_m g_m it is the other definition of batch sharpness, sum(g_m.H_m g_m) / sum |g_m|^2; with g_m.H g_m it is
    the interaction-aware sharpness.

    Args:
        curvature: (m,).
        squares: (m,), |g_m|^2.

    Source: Andreyev and Beneventano (2024), arXiv 2412.20553; Lee and Jang, ICLR 2023 (interaction-aware).

    >>> import torch
    >>> from sharpest.curvature import ratio_of_means
    >>> print(ratio_of_means(torch.tensor([2.0, 12.0]), torch.tensor([1.0, 4.0])))
    2.8 +- 0.32
    """
    scale = _mean(squares) or math.nan
    ratio = _mean(curvature) / scale
    return Estimate(ratio, _standard_error(curvature.double() - ratio * squares.double()) / scale)


def gradient_noise_interaction(full_curvature: Tensor, gradient_sq: float) -> Estimate:
    """Gradient-noise interaction, GNI = E[g_m.H g_m] / |g|^2, in nats, and its standard error.

    At 2/eta the loss on a quadratic neither falls nor rises on average; this is not a stability boundary.

    Args:
        full_curvature: (j,), g_m.H g_m.
        gradient_sq: |g|^2.

    Source: Andreyev and Beneventano (2024), arXiv 2412.20553.

    >>> import torch
    >>> from sharpest.curvature import gradient_noise_interaction
    >>> print(gradient_noise_interaction(torch.tensor([2.0, 4.0]), 1.5))
    2 +- 0.67
    """
    ratios = full_curvature.double() / (gradient_sq or math.nan)
    return Estimate(_mean(ratios), _standard_error(ratios))


def noise_trace(products: Tensor, batch_size: int) -> float:
    """Tr(A Sigma) from g_m.A g_n, where Sigma is the covariance of the gradient of one example.

    Sigma is S times the unbiased covariance of g_m over the batches. Batches drawn without replacement from n examples
    vary less than independent ones: Sigma is then (n - S)/(n - 1) times the covariance over the examples.

    Args:
        products: (m, m): for Tr Sigma, ``gram`` of the gradients; for Tr(H Sigma), their ``gram`` with H g_n, in nats.
        batch_size: S.

    Returns:
        The trace; NaN for one batch.

    >>> import torch
    >>> from sharpest.curvature import gram, noise_trace
    >>> noise_trace(gram(torch.tensor([[1.0, 0.0], [3.0, 0.0]])), batch_size=10)
    20.0
    """
    shifted, m = _about_first(products), len(products)
    return batch_size * float(shifted.trace() - shifted.sum() / m) / (m - 1) if m > 1 else math.nan


def noise_scale(products: Tensor, batch_size: int, gradient_term: float) -> float:
    """Noise scale in examples: the batch size at which noise and gradient are equally large.

    Args:
        products: (m, m), as for ``noise_trace``.
        batch_size: S.
        gradient_term: |g|^2 for B_simple = Tr Sigma / |g|^2; g.Hg for B_noise = Tr(H Sigma) / g.Hg, whose products
            are those with H.

    Source: McCandlish et al. (2018), arXiv 1812.06162.

    >>> import torch
    >>> from sharpest.curvature import gram, noise_scale
    >>> noise_scale(gram(torch.tensor([[1.0, 0.0], [3.0, 0.0]])), batch_size=10, gradient_term=4.0)
    5.0
    """
    return noise_trace(products, batch_size) / (gradient_term or math.nan)


def noise_curvature_alignment(products: Tensor, images: Tensor, lambda_1: float) -> float:
    """Tr(H Sigma) / (lambda_1 Tr Sigma), at most 1: how much of the gradient noise lies along the sharpest directions.

    The bound of 1 is the reason for this normalisation, which is ours. Wu, Wang and Su (2022), arXiv 2207.02628, relate
    noise and curvature through the Frobenius norm and the loss: do not compare this number with theirs.

    Args:
        products: (j, j), g_m.g_n.
        images: (j, j), g_m.H g_n.
        lambda_1: Largest eigenvalue of H, nats.

    Returns:
        The alignment; NaN if there is no noise.

    >>> import torch
    >>> from sharpest.curvature import gram, noise_curvature_alignment
    >>> gradients, h = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.diag(torch.tensor([4.0, 2.0]))
    >>> noise_curvature_alignment(gram(gradients), gram(gradients, gradients @ h), lambda_1=4.0)
    0.75
    """
    return noise_trace(images, 1) / (lambda_1 * noise_trace(products, 1) or math.nan)


def covariance_eigenvalues(products: Tensor) -> Tensor:
    """Eigenvalues of the covariance K = 1/m sum (g_m - mean)(g_m - mean)^T of mini-batch gradients.

    They are the eigenvalues of the centred Gram matrix over m; their sum is Tr K. If m is far below p, the largest one
    is too large on average, the more so the fewer batches there are.

    Args:
        products: (m, m), g_m.g_n.

    Returns:
        (m,) float64, largest first; the last one is 0. NaN for one batch, or if a product is not finite.

    Source: Jastrzebski et al. (2020), arXiv 2002.09572.

    >>> import torch
    >>> from sharpest.curvature import covariance_eigenvalues, gram
    >>> covariance_eigenvalues(gram(torch.tensor([[3.0, 0.0], [-3.0, 0.0], [0.0, 0.0]])))
    tensor([6., 0., 0.], dtype=torch.float64)
    """
    m = len(products)
    if m == 1 or not bool(products.isfinite().all()):
        return products.new_full((m,), math.nan)
    shifted = _about_first(products)
    centred = shifted - shifted.mean(dim=0) - shifted.mean(dim=1, keepdim=True) + shifted.mean()
    return torch.linalg.eigvalsh(centred / m).flip(0).clamp(min=0)


def conditioning(eigenvalues: Tensor) -> float:
    """Smallest non-zero eigenvalue over the largest; NaN if all are zero.

    Args:
        eigenvalues: (m,), from ``covariance_eigenvalues``. A value within rounding of zero counts as zero.

    Source: Jastrzebski et al. (2020), arXiv 2002.09572.

    >>> import torch
    >>> from sharpest.curvature import conditioning
    >>> conditioning(torch.tensor([8.0, 2.0, 0.0]))
    0.25
    """
    largest = eigenvalues.max()
    rounding = len(eigenvalues) * torch.finfo(torch.float32).eps ** 2 * largest  # of squared gradients
    nonzero = eigenvalues[eigenvalues > rounding]
    return float(nonzero.min() / largest) if len(nonzero) else math.nan


def half_sample_error(products: Tensor) -> float:
    """Sampling error of the first eigenvalue of K over m batches: half the difference between two halves of them.

    Args:
        products: (m, m), g_m.g_n.

    Returns:
        The error; NaN for fewer than 4 batches.

    >>> import torch
    >>> from sharpest.curvature import gram, half_sample_error
    >>> half_sample_error(gram(torch.tensor([[1.0], [-1.0], [3.0], [-3.0]])))  # 1 and 9 on the halves
    4.0
    """
    half = len(products) // 2
    if half < 2:
        return math.nan
    first, second = products[:half, :half], products[half : 2 * half, half : 2 * half]
    return abs(float(covariance_eigenvalues(first)[0] - covariance_eigenvalues(second)[0])) / 2


def dominant_share(projections: Tensor, squares: Tensor) -> Tensor:
    """chi_k = |P_k g| / |g|, the share of a gradient within k directions: a ratio of norms, not of their squares.

    Args:
        projections: (m, k), inner products with k orthonormal directions.
        squares: (m,), |g|^2.

    Returns:
        (m,) float64, between 0 and 1; NaN for a gradient of zero.

    Source: Song, Ahn and Yun (2024), arXiv 2405.16002.

    >>> import torch
    >>> from sharpest.curvature import dominant_share
    >>> dominant_share(torch.tensor([[3.0]]), torch.tensor([25.0]))
    tensor([0.6000], dtype=torch.float64)
    """
    return (projections.double().square().sum(dim=-1) / _nonzero(squares)).sqrt().clamp(max=1)


def _nonzero(values: Tensor) -> Tensor:
    """The values in float64, with NaN in place of 0."""
    return values.double().where(values != 0, math.nan)


def _about_first(products: Tensor) -> Tensor:
    """(g_m - g_1).A (g_n - g_1): gives the same covariances, and exactly 0 if all gradients are equal."""
    return products - products[:1] - products[:, :1] + products[0, 0]


def _mean(values: Tensor) -> float:
    """The mean; for equal values, exactly their common value."""
    return float(values[0].double() + (values - values[0]).double().mean())


def _standard_error(values: Tensor) -> float:
    """Standard error of the mean; NaN for one value, exactly 0 for equal values."""
    return float((values - values[0]).std()) / math.sqrt(len(values)) if len(values) > 1 else math.nan
