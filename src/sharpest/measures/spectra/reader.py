"""Read ``spectra`` by the field's terms."""

import numpy as np
from numpy.typing import NDArray

from sharpest.measures.spectra import MEASURE
from sharpest.results.stored import Measured


class Spectra(Measured):
    """Leading eigenpairs of the Hessian of a run at t points; k eigenvalues, p parameters."""

    layout = MEASURE.layout

    @property
    def eigenvalues(self) -> NDArray[np.float64]:
        """(t, k), the largest in magnitude; signed, largest first; nats."""
        return self["eigenvalues"]

    @property
    def lambda_max(self) -> NDArray[np.float64]:
        """(t,), the largest signed eigenvalue, nats."""
        return self["eigenvalues"][:, 0]

    @property
    def frobenius(self) -> NDArray[np.float64]:
        """(t,), Frobenius norm of the k eigenvalues, nats."""
        norms: NDArray[np.float64] = np.linalg.norm(self["eigenvalues"], axis=1)
        return norms

    @property
    def converged(self) -> NDArray[np.bool_]:
        """(t, k), whether the residual is within the tolerance and no eigenvalue of larger magnitude is missing."""
        return self["converged"]

    @property
    def num_parameters(self) -> int:
        """p, the number of parameters."""
        return self.shape("eigenvectors")[2]


Reader = Spectra
