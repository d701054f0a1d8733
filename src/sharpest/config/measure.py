"""What a measure says of itself before it runs: settings, layout, needs, cost. Free of torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sharpest.config.run import HessianSettings, RunSettings
from sharpest.config.strict import Strict
from sharpest.results.layout import Layout


@dataclass(frozen=True)
class Planned:
    """A point of a schedule, as a forecast knows it.

    Attributes:
        run: The run.
        hessian: The Hessian that is measured on it.
        iteration: Completed updates.
        place: Number of the point within its segment, from 0.
    """

    run: RunSettings
    hessian: HessianSettings
    iteration: int
    place: int

    def recorded(self, num_eigenpairs: int, with_vectors: bool) -> bool:
        """Whether training itself computes these eigenpairs here, so that a measurement takes them as they are."""
        nudge = self.run.nudge
        if nudge is None or nudge.hessian != self.hessian or nudge.num_eigenpairs < num_eigenpairs:
            return False
        every, start = (nudge.refresh_every, self.run.start) if nudge.refresh_every else (self.run.steps_per_epoch, 0)
        return (self.iteration - start) % every == 0 and (nudge.keep_vectors or not with_vectors)


@dataclass(frozen=True)
class Cost:
    """What a measure takes at one point, beside the replay of its state.

    Attributes:
        gradients: Mini-batch gradients of the run's own batch size.
        eigenpairs: Computed by the eigensolver; 0 = none.
        products: Further Hessian-vector products.
        examples: N of the products and the eigensolver; None = that of the run's Hessian.
        forwards: Examples that pass forward through the net.
        vectors: Vectors of p parameters that are written to disk.
        held: Vectors of p parameters that are in memory at once, beside those of the eigensolver.
    """

    gradients: float = 0
    eigenpairs: int = 0
    products: float = 0
    examples: int | None = None
    forwards: float = 0
    vectors: float = 0
    held: float = 0


@dataclass(frozen=True)
class Taken:
    """A schedule on one run: what a measure's own check may look at.

    Attributes:
        settings: Of each measure that the schedule takes, by name.
        shard_points: Points that one job measures; None = all.
    """

    settings: Mapping[str, Any]
    shard_points: int | None


_MANY = 2**31  # parameters; more than any dimension that they bound


def _nothing(*_: Any) -> dict[str, Any]:
    return {}


def _no_check(settings: Any, of: Any) -> None:
    pass


@dataclass(frozen=True)
class Measure:
    """The declaration of a measure, ``MEASURE`` of ``sharpest.measures.<name>``.

    Its module ``measure`` has the function ``measure(point, settings)``, which gives the values at one point by the
    names of the layout. What a point lacks is NaN. A module ``reader`` may have a class ``Reader`` of the names under
    which others ask for them.

    Attributes:
        title: What is measured, for readers.
        settings: Class of its settings; a key that ends in ``examples`` may not exceed the training examples.
        layout: Of its files, by :func:`sharpest.results.layout.measured_layout`.
        cost: Settings and a planned point to what the point takes.
        needs: Measures that have to be taken at the same points, each with the settings that it needs of them.
        sizes: Settings and p to the lengths of dimensions by their letters, beside t, v, p and x.
        constants: Settings to the arrays that are the same at all points.
        check: Raises :class:`~sharpest.errors.ConfigError` where settings are at odds with those of other measures;
            the message begins with the key.
        check_run: The same where a run cannot be measured so.
        of_training: Whether it needs updates, moments or answers of training itself, which an imported run lacks.
    """

    title: str
    settings: type[Strict]
    layout: Layout
    cost: Callable[[Any, Planned], Cost]
    needs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sizes: Callable[[Any, int], Mapping[str, int]] = _nothing
    constants: Callable[[Any], Mapping[str, Any]] = _nothing
    check: Callable[[Any, Taken], None] = _no_check
    check_run: Callable[[Any, RunSettings], None] = _no_check
    of_training: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.needs, Mapping):
            raise TypeError(
                f"needs is {self.needs!r}; write a mapping from the measure to the settings that it must have, such as "
                '{"spectra": {"keep_vectors": True}}'
            )

    @property
    def name(self) -> str:
        """That of its folder."""
        return self.layout.name

    def lengths(self, settings: Any) -> dict[str, int]:
        """Lengths of dimensions by letter, as far as the settings say them.

        Args:
            settings: Of the measure.
        """
        lengths, constants = dict(self.sizes(settings, _MANY)), self.constants(settings)
        for dataset in self.layout.datasets:
            if dataset.name in constants:
                lengths |= zip(dataset.dims, np.shape(constants[dataset.name]), strict=True)
        return lengths
