"""The measures: what each declares, before torch is imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import numpy as np

from sharpest.config.run import HessianSettings, RunSettings
from sharpest.config.strict import Strict
from sharpest.errors import ConfigError, meant
from sharpest.results.layout import Layout


@dataclass(frozen=True)
class Planned:
    """A point of a schedule, as a forecast sees it.

    Attributes:
        run: The run.
        hessian: Settings of the Hessian measured on the run.
        iteration: Completed updates.
        place: Index of the point within its segment, from 0.
    """

    run: RunSettings
    hessian: HessianSettings
    iteration: int
    place: int

    def recorded(self, num_eigenpairs: int, with_vectors: bool) -> bool:
        """Whether training itself computes these eigenpairs at this point, so that a measurement reuses them."""
        nudge = self.run.nudge
        if nudge is None or nudge.hessian != self.hessian or nudge.num_eigenpairs < num_eigenpairs:
            return False
        every, start = (nudge.refresh_every, self.run.start) if nudge.refresh_every else (self.run.steps_per_epoch, 0)
        return (self.iteration - start) % every == 0 and (nudge.keep_vectors or not with_vectors)


@dataclass(frozen=True)
class Cost:
    """The cost of a measure at one point, besides the replay of the state.

    Attributes:
        gradients: Mini-batch gradients of the run's own batch size.
        eigenpairs: Eigenpairs computed by the eigensolver; 0 = none.
        products: Further Hessian-vector products.
        examples: N of the products and the eigensolver; None = N of the run's Hessian.
        forwards: Examples passed forward through the net.
        vectors: Vectors of p parameters written to disk.
        held: Vectors of p parameters in memory at once, besides those of the eigensolver.
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
    """A schedule on one run, as a measure's own check sees it.

    Attributes:
        settings: Settings of each measure that the schedule takes, by name.
        shard_points: Points that one job measures; None = all.
    """

    settings: Mapping[str, Any]
    shard_points: int | None


_MANY = 2**31  # number of parameters, above any dimension that it bounds


def _nothing(*_: Any) -> dict[str, Any]:
    return {}


def _no_check(settings: Any, of: Any) -> None:
    pass


@dataclass(frozen=True)
class Measure:
    """The declaration of a measure, ``MEASURE`` of ``sharpest.measures.<name>``.

    Its module ``measure`` has the function ``measure(point, settings)``, which returns the values at one point by the
    names of the layout. Values that a point lacks are NaN. A class ``Reader`` beside the declaration may add
    the names under which other code asks for the values.

    Attributes:
        title: What is measured, for readers.
        settings: Class of its settings; keys that end in ``examples`` may not exceed the training examples.
        layout: Layout of its files, made by ``sharpest.results.layout.measured_layout``.
        cost: Maps settings and a planned point to the cost of the point.
        needs: Measures that must be taken at the same points, each with the settings that this measure needs.
        sizes: Maps settings and p to the lengths of dimensions by their letters, besides t, v, p and x.
        constants: Maps settings to the arrays that are the same at all points.
        check: Raises ``ConfigError`` if settings do not agree with those of other measures; the message begins with
            the key.
        check_run: Raises ``ConfigError`` if a run cannot be measured with the settings.
        of_training: Whether it needs updates, moments or predictions of training itself, which an imported run lacks.
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
        """Name of the measure and of its folder."""
        return self.layout.name

    def lengths(self, settings: Any) -> dict[str, int]:
        """Lengths of dimensions by letter, as far as the settings determine them.

        Args:
            settings: Settings of the measure.
        """
        lengths, constants = dict(self.sizes(settings, _MANY)), self.constants(settings)
        for dataset in self.layout.datasets:
            if dataset.name in constants:
                lengths |= zip(dataset.dims, np.shape(constants[dataset.name]), strict=True)
        return lengths


_PACKAGE = "sharpest.measures"


@cache
def measure_names() -> tuple[str, ...]:
    """Names of all measures, in alphabetical order."""
    package = import_module(_PACKAGE)
    return tuple(sorted(module.name for module in iter_modules(package.__path__) if module.ispkg))


@cache
def declared(name: str) -> Measure:
    """The declaration of a measure. The code that measures is imported only by the job that runs it.

    Raises:
        ConfigError: If there is no such measure, or its declaration cannot be imported.
    """
    if name not in measure_names():
        hint = meant(name, measure_names(), f"known: {', '.join(measure_names())}")
        raise ConfigError(f"unknown measure {name!r}; {hint}")
    try:
        measure: Measure = import_module(f"{_PACKAGE}.{name}").MEASURE
    except Exception as error:  # a user's module may raise anything
        place = f"src/{_PACKAGE.replace('.', '/')}/{name}/__init__.py"
        raise ConfigError(f"measure {name}: {error}; correct {place}") from error
    if measure.name != name:
        raise ConfigError(f"measure {name}: its layout is named {measure.name!r}; give it the name of the folder")
    return measure


def measuring_module(name: str) -> str:
    """The module that holds the function ``measure``."""
    return f"{_PACKAGE}.{name}.measure"


def declaring_module(name: str) -> str:
    """The module that declares a measure and reads its files."""
    return f"{_PACKAGE}.{name}"
