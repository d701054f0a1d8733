"""The SGD step along the sharpest directions: gradients, scaled steps, loss profiles."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat, PositiveInt
from scipy.special import gammaln

from sharpest.config.measures import Cost, Measure, Planned, Taken
from sharpest.config.run import RunSettings
from sharpest.config.strict import Strict
from sharpest.errors import ConfigError
from sharpest.results.layout import Dataset, measured_layout
from sharpest.results.stored import Measured


class Settings(Strict):
    """Gradients, scaled steps and profiles along directions (inventory, Figs. 5 and 6)."""

    indices: tuple[Annotated[int, Field(ge=-1)], ...] = Field(min_length=1)
    """Eigenvectors, from 1; 0 = the full step, -1 = a random direction."""
    num_gradients: PositiveInt
    """Mini-batch gradients at each point."""
    loss_examples: PositiveInt
    """Training examples, not augmented, of the alpha study and the profiles."""
    alphas: tuple[PositiveFloat, ...] = ()
    """Multiples of the step at which the loss is computed."""
    alpha_every: PositiveInt = 1
    """Alpha study at every n-th point."""
    grid: tuple[float, ...] = ()
    """Points of a profile, in mean step lengths."""


def _cost(settings: Settings, point: Planned) -> Cost:
    losses = 1 + len(settings.indices) * len(settings.grid) if settings.grid else 0
    if settings.grid and 0 in settings.indices and point.place % settings.alpha_every == 0:
        losses += settings.num_gradients * len(settings.alphas)  # full steps do not lie on a common line
    return Cost(
        gradients=settings.num_gradients,
        forwards=losses * settings.loss_examples,
        held=2 * (settings.num_gradients + max(settings.indices)),
    )


def _check(settings: Settings, taken: Taken) -> None:
    largest, num_eigenpairs = max(settings.indices), taken.settings["spectra"].num_eigenpairs
    if largest > num_eigenpairs:
        raise ConfigError(
            f"indices: direction {largest} exceeds num_eigenpairs {num_eigenpairs} of spectra; raise num_eigenpairs"
        )
    if settings.grid and (0 not in settings.grid or list(settings.grid) != sorted(set(settings.grid))):
        raise ConfigError("grid should increase and contain 0")
    if settings.alphas and not settings.grid:
        raise ConfigError("alphas need a grid, because their losses are read from the profile; add grid")
    every, length = settings.alpha_every, taken.shard_points
    if length and length % every:
        raise ConfigError(
            f"alpha_every {every} does not divide shard_points {length}, but its count restarts in each shard; "
            f"use shard_points {length // every * every or every}"
        )


def _check_run(settings: Settings, run: RunSettings) -> None:
    if run.is_adaptive:
        raise ConfigError(
            f"it measures SGD's step, eta times a gradient, but {run.optimizer} takes another; measure critical, "
            "which uses the run's own step"
        )


MEASURE = Measure(
    title="steps along directions",
    settings=Settings,
    layout=measured_layout(
        "directions",
        5,
        Dataset("direction", "i8", ("d",), "", "1-based eigenvector; 0 = the full step, -1 = a random unit vector"),
        Dataset("projection", "f8", ("t", "m", "d"), "", "<g_m, e_i>; |g_m| for the full step"),
        Dataset("gradient_norm", "f8", ("t", "m"), "", "|g_m|"),
        Dataset("alphas", "f8", ("a",), "", "multiples of the SGD step"),
        Dataset("loss", "f8", ("t",), "nats", "L(theta) on clean training examples"),
        Dataset(
            "loss_change", "f8", ("t", "d", "a"), "nats",
            "mean over m of L(theta - alpha eta <g_m,e_i> e_i), minus L(theta); from a cubic spline through the "
            "profile and points added to it, except for the full step",
        ),
        Dataset(
            "loss_change_error", "f8", ("t", "d", "a"), "nats",
            "estimated error of loss_change by the spline: mean over m of its size; 0 for the full step",
        ),
        Dataset("grid", "f8", ("g",), "mean steps", "k"),
        Dataset("step_length", "f8", ("t", "d"), "", "eta times mean |<g_m, e_i>|"),
        Dataset(
            "profile", "f8", ("t", "d", "g"), "nats",
            "L(theta + k step_length e_i); along the mean gradient for the full step",
        ),
        Dataset("cosine", "f8", ("t", "d"), "", "mean over m of |cos(g_m, e_i)|"),
    ),
    cost=_cost,
    needs={"spectra": {"keep_vectors": True}},
    sizes=lambda settings, p: {"m": settings.num_gradients},
    constants=lambda settings: {
        "direction": np.array(settings.indices),
        "alphas": np.array(settings.alphas),
        "grid": np.array(settings.grid),
    },
    check=_check,
    check_run=_check_run,
)  # fmt: skip


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

    def __init__(self, directions: Directions, direction: int) -> None:
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
