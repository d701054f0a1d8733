"""Leading eigenpairs of the Hessian at one point; losses and accuracies if the settings request them."""

from __future__ import annotations

from typing import Any

from sharpest.measures.point import Point
from sharpest.measures.spectra import Settings

_WARM = "sum of eigenvectors"


def measure(point: Point, settings: Settings) -> dict[str, Any]:
    """The eigenpairs that training itself computed at this point; if it computed none, those of a new solve.

    The first solve of a segment starts cold, each later one from the eigenvectors of the previous solve.

    Raises:
        NotDeterministicError: If the loss takes different values at the same parameters.
    """
    num_eigenpairs = min(settings.num_eigenpairs, point.num_parameters)
    pairs = point.recorded(num_eigenpairs, settings.keep_vectors)
    if pairs is None:
        pairs = point.eigenpairs(num_eigenpairs, point.carried.get(_WARM))
        point.carried[_WARM] = pairs.eigenvectors.sum(dim=0)
    values = {
        "eigenvalues": pairs.eigenvalues,
        "residuals": pairs.residuals,
        "converged": pairs.converged,
        "hvps": pairs.num_products,
        "seconds": pairs.seconds,
    }
    if settings.keep_vectors:
        values["eigenvectors"] = pairs.eigenvectors
    if settings.accuracy_every and point.place % settings.accuracy_every == 0:
        train = point.data.train.first(settings.accuracy_examples)
        values["train_loss"], values["train_accuracy"] = point.evaluate(train)
        values["val_loss"], values["val_accuracy"] = point.evaluate(point.data.val)
    return values
