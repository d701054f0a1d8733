"""The base of all studies: their runs, and the files that they read."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, ClassVar, NamedTuple, Protocol, Self, TypeVar

from pydantic import Field

from sharpest.config.run_id import RunId
from sharpest.config.strict import NewSeeds, Strict
from sharpest.errors import ConfigError

_Part = TypeVar("_Part", bound=Strict)

RUN_FILES = ("snapshots", "history")
"""The files of a run itself that a study may read; anything else that it reads is a measure, taken by a schedule."""


class NamedRun(Strict):
    """One run in a figure."""

    run: str
    """A row of config/runs.tsv."""
    label: str
    """Its name in legends and titles."""
    replicates: tuple[str, ...] = ()
    """The same run with other seeds; filled by `seeds` of the study."""

    def by_seed(self) -> list[Self]:
        """The run and its replicates, each as a single run."""
        return [self.model_copy(update={"run": run, "replicates": ()}) for run in (self.run, *self.replicates)]

    def of_seeds(self, seeds: Sequence[int]) -> Self:
        """The same with these seeds instead of its own."""
        run, *replicates = with_seeds(self.run, seeds)
        return self.model_copy(update={"run": run, "replicates": tuple(replicates)})


class Curve(NamedRun):
    """One measured run in a figure."""

    schedule: str
    """Name of one of the scale's schedules."""


class Panel(Strict):
    """One panel of curves."""

    title: str
    """Written above the panel; each panel has its own."""
    curves: tuple[Curve, ...] = Field(min_length=1)


class SeedRuns(Strict):
    """Runs that differ only in their seed."""

    label: str
    """Their name in a legend, or in the first column of a table."""
    runs: tuple[str, ...] = Field(min_length=1)
    """One run per seed."""

    def first(self, count: int) -> Self:
        """The same with only the first ``count`` runs, or all."""
        return self.model_copy(update={"runs": self.runs[:count]})

    def of_seeds(self, seeds: Sequence[int]) -> Self:
        """The same with these seeds instead of its own."""
        return self.model_copy(update={"runs": with_seeds(self.runs[0], seeds)})


def with_seeds(run: str, seeds: Iterable[int]) -> tuple[str, ...]:
    """The ids of a run with other seeds."""
    return tuple(str(RunId.parse(run).of_seed(seed)) for seed in seeds)


def mean_of(seeds: Iterable[int]) -> str:
    """The name of a mean over seeds in place of a run, in files of points or numbers."""
    return f"mean of {', '.join(map(str, seeds)) or 'none'}"


class Input(NamedTuple):
    """One file that a study reads.

    Attributes:
        kind: A measure, or one of ``RUN_FILES``.
        run: Id of the run.
        schedule: Schedule of the measure; None for the run's own files.
    """

    kind: str
    run: str
    schedule: str | None


class Schedule(Protocol):
    """The properties of a schedule on a run that a study uses."""

    @property
    def name(self) -> str:
        """Its key among the schedules of a scale."""

    @property
    def points(self) -> Sequence[int | str]:
        """Iterations, or ``best`` and ``last``."""

    @property
    def window(self) -> float | None:
        """Early window in epochs, which figures draw separately."""

    @property
    def measures(self) -> Mapping[str, Any]:
        """Settings of each measure that the schedule takes, by name."""


class Study(Strict):
    """Base of all studies."""

    is_table: ClassVar[bool] = False
    """Whether the study is printed as a table instead of drawn."""
    always_reads: ClassVar[tuple[str, ...]] = ("spectra",)
    """What every study of the kind reads, as in ``reads``."""

    caption: str
    """What is shown, and what was used where paper and code differ."""
    kind: str
    seeds: NewSeeds | None = None
    """New seeds per run, from 1001 on, instead of the paper's; 0 = the paper's; none = as the scale says."""

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the measures, and of the runs' own files (``RUN_FILES``), that the study reads."""
        return self.always_reads

    def curves(self) -> list[Curve]:
        """Runs that are measured along training, each with its schedule."""
        return list(dict.fromkeys(_found(self, Curve)))

    def groups(self) -> list[tuple[str, Sequence[Curve]]]:
        """The curves panel by panel, each with its title; one group without a title if there are no such panels."""
        return [(panel.title, panel.curves) for panel in _found(self, Panel)] or [("", self.curves())]

    def runs(self) -> list[str]:
        """The ids of all runs behind the study."""
        named = [each.run for part in _found(self, NamedRun) for each in part.by_seed()]
        return list(dict.fromkeys([*named, *(run for part in _found(self, SeedRuns) for run in part.runs)]))

    def curves_by_seed(self) -> list[Curve]:
        """``curves()``, one per run."""
        return [each for curve in self.curves() for each in curve.by_seed()]

    def inputs(self) -> list[Input]:
        """The files that the study reads, each once."""
        return list(dict.fromkeys(file for kind in self.reads for file in self.files(kind)))

    def files(self, kind: str) -> Iterable[Input]:
        """The files of one of its ``reads``: by default one per run, or one per curve."""
        if kind in RUN_FILES:
            return (Input(kind, run, None) for run in self.runs())
        return (Input(kind, curve.run, curve.schedule) for curve in self.curves_by_seed())

    def with_first_seeds(self, count: int) -> Self:
        """The same study with the first ``count`` of the paper's seeds.

        Raises:
            ConfigError: If the study has only one seed.
        """
        shortened: list[SeedRuns] = []

        def first(runs: SeedRuns) -> SeedRuns:
            shortened.append(runs)
            return runs.first(count)

        study: Self = _changed(self, SeedRuns, first)
        if not shortened:
            raise ConfigError(f"a study of kind {self.kind} has one seed; remove it from the scale's paper_seeds")
        return study

    def of_seeds(self, seeds: Sequence[int]) -> Self:
        """The same study, of runs with these seeds."""
        study: Self = _changed(self, NamedRun | SeedRuns, lambda runs: runs.of_seeds(seeds))
        return study

    def check(self, curve: Curve | Input, schedule: Schedule) -> None:
        """Check that a schedule measures what is drawn of a run.

        Args:
            curve: One of ``curves()``, or of the measured ``inputs()``.
            schedule: The schedule of the curve on its run.

        Raises:
            ConfigError: With the key to change.
        """
        for file in self.inputs():
            if (file.run, file.schedule) == (curve.run, curve.schedule):
                settings_of(file.kind, schedule)


def _found(part: Any, kind: type[_Part]) -> Iterator[_Part]:
    """The parts of a given class, in the order of the keys."""
    if isinstance(part, kind):
        yield part
    elif isinstance(part, tuple):
        for each in part:
            yield from _found(each, kind)
    elif isinstance(part, Strict):
        for _, value in part:
            yield from _found(value, kind)


def _changed(part: Any, kind: Any, change: Callable[[Any], Any]) -> Any:
    """The same settings with each part of a given class changed, wherever it occurs."""
    if isinstance(part, kind):
        return change(part)
    if isinstance(part, tuple):
        return tuple(_changed(each, kind, change) for each in part)
    if isinstance(part, Strict):
        return part.model_copy(update={name: _changed(value, kind, change) for name, value in part})
    return part


def settings_of(measure: str, schedule: Schedule) -> Any:
    """The settings of a measure on a schedule.

    Raises:
        ConfigError: If the schedule does not take the measure.
    """
    if measure not in schedule.measures:
        raise ConfigError(f"schedules.{schedule.name} does not take {measure}; add {measure} to its measures")
    return schedule.measures[measure]


def check_num_eigenvalues(num_eigenvalues: int, schedule: Schedule) -> None:
    """Refuse to draw more eigenvalues than are measured."""
    measured = settings_of("spectra", schedule).num_eigenpairs
    if num_eigenvalues > measured:
        raise ConfigError(
            f"num_eigenvalues {num_eigenvalues} exceeds num_eigenpairs {measured}; raise "
            f"schedules.{schedule.name}.measures.spectra.num_eigenpairs"
        )


def check_window(schedule: Schedule) -> None:
    """Refuse to draw an early window if the schedule has none."""
    if schedule.window is None:
        raise ConfigError(f"the early window is drawn separately; set schedules.{schedule.name}.window_epochs")


def check_accuracy(schedule: Schedule) -> None:
    """Refuse to draw accuracies that are not measured."""
    if not settings_of("spectra", schedule).accuracy_every:
        raise ConfigError(
            f"accuracy is drawn; set schedules.{schedule.name}.measures.spectra.accuracy_every to at least 1"
        )


def check_ends(schedule: Schedule) -> None:
    """Refuse to read end points from a schedule with other points."""
    if list(schedule.points) != ["best", "last"]:
        raise ConfigError(f"end points are read from schedules.{schedule.name}; set its points to 'best and last'")


def study_module(kind: str) -> str:
    """The module that holds a kind of study.

    It is imported on demand, which keeps the keys of a kind out of the fingerprints of the others.
    """
    return f"sharpest.config.studies.{kind}"


def study_class(kind: str) -> type[Study]:
    """The class of a kind of study; only the module of this kind is imported."""
    study: type[Study] = import_module(study_module(kind)).STUDY
    return study
