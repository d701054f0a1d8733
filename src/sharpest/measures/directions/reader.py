"""Read ``directions``, by direction and by scale of the step."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from sharpest.measures.directions import MEASURE
from sharpest.results.stored import Measured

RANDOM = -1
"""Index of the random direction; eigenvectors are numbered from 1."""


class Along:
    """One direction; t points, m gradients, a alphas, g grid points.

    Args:
        directions: The file.
        direction: 1-based eigenvector; 0 = the full step, -1 = a random direction.

    Raises:
        KeyError: If the file does not hold the direction.

    Attributes:
        cosine: (t,), mean |cos(g_m, e_i)|.
        projection: (t, m), <g_m, e_i>.
        step_length: (t,), eta times mean |<g_m, e_i>|.
        profile: (t, g), loss at multiples of the mean step, nats.
        loss_change: (t, a), mean over m of L(theta - alpha eta <g_m, e_i> e_i) - L(theta), nats; NaN: not measured.
            Read from a spline through the profile, except for the full step.
        loss_change_error: (t, a), its estimated error by the spline, nats.
    """

    def __init__(self, directions: "Directions", direction: int) -> None:
        columns = np.flatnonzero(directions["direction"] == direction)
        if not len(columns):
            raise KeyError(
                f"{directions.path} holds the directions {directions['direction'].tolist()}, not {direction}"
            )
        column = int(columns[0])
        self._alphas = directions["alphas"]
        self.cosine: NDArray[np.float64] = directions["cosine"][:, column]
        self.projection: NDArray[np.float64] = directions["projection"][:, :, column]
        self.step_length: NDArray[np.float64] = directions["step_length"][:, column]
        self.profile: NDArray[np.float64] = directions["profile"][:, column]
        self.loss_change: NDArray[np.float64] = directions["loss_change"][:, column]
        self.loss_change_error: NDArray[np.float64] = directions["loss_change_error"][:, column]

    def at(self, alpha: float) -> NDArray[np.float64]:
        """(t,), change of the loss by the step times alpha, nats; for the nearest measured alpha.

        Raises:
            KeyError: If no alpha was measured.
        """
        if not len(self._alphas):
            raise KeyError("no change of the loss by scaled steps was measured; give the measure alphas")
        return self.loss_change[:, int(np.argmin(np.abs(self._alphas - alpha)))]


class Directions(Measured):
    """Gradients, scaled steps and loss profiles along directions at t points."""

    layout = MEASURE.layout

    def along(self, direction: int) -> Along:
        """One direction: 1-based eigenvector; 0 = the full step, -1 = a random one."""
        return Along(self, direction)

    @property
    def loss(self) -> NDArray[np.float64]:
        """(t,), loss at k = 0 on training examples, not augmented, nats."""
        return self["loss"]

    @property
    def alphas(self) -> NDArray[np.float64]:
        """(a,), multiples of the SGD step."""
        return self["alphas"]

    @property
    def grid(self) -> NDArray[np.float64]:
        """(g,), k in units of the mean step."""
        return self["grid"]

    @property
    def alignment(self) -> NDArray[np.float64]:
        """(t,), mean |cos| over gradients and all measured eigenvectors."""
        mean: NDArray[np.float64] = self["cosine"][:, self["direction"] >= 1].mean(axis=1)
        return mean


def random_cosine(num_parameters: int) -> float:
    """Mean absolute cosine of two random directions in p dimensions: Γ(p/2) / (√π Γ((p+1)/2)).

    Source: Fig. 5; inventory, Figure 5 (0.00135 for p = 350,000).
    """
    return float(np.exp(gammaln(num_parameters / 2) - gammaln((num_parameters + 1) / 2)) / np.sqrt(np.pi))


Reader = Directions
