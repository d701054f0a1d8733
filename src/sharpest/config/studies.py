"""Studies: which runs and schedules are behind each figure and table, and how it is drawn."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from sharpest.config.measurement import DirectionSettings, ScheduleSettings
from sharpest.config.strict import Strict
from sharpest.errors import ConfigError


class Curve(Strict):
    """One measured run in a figure."""

    run: str
    """A row of config/runs.tsv."""
    schedule: str
    """Name of one of the scale's schedules."""
    label: str
    """Its name in legends and titles."""


class Study(Strict):
    """What every study has."""

    caption: str
    """What is shown and what was used where paper and code differ."""

    def curves(self) -> list[Curve]:
        """The measured runs behind the study."""
        raise TypeError(f"{type(self).__name__} does not say which runs it needs")

    def runs(self) -> list[str]:
        """The ids of all runs behind the study."""
        return [curve.run for curve in self.curves()]

    def wants_directions(self) -> bool:
        """Whether the study reads directions files."""
        return False

    def check_schedule(self, name: str, schedule: ScheduleSettings) -> None:
        """Check that a schedule measures what is drawn.

        Raises:
            ConfigError: With the key to change.
        """


def _directions(name: str, schedule: ScheduleSettings) -> DirectionSettings:
    if schedule.directions is None:
        raise ConfigError(f"schedule {name} measures no directions; give it directions")
    return schedule.directions


def _check_accuracy(name: str, schedule: ScheduleSettings) -> None:
    if not schedule.accuracy_every:
        raise ConfigError(f"accuracy is drawn; give schedules.{name} an accuracy_every of at least 1")


class SpectrumEvolution(Study):
    """Eigenvalues along training, whole run and early window (Figs. 1, 2)."""

    kind: Literal["spectrum_evolution"]
    rows: tuple[Curve, ...] = Field(min_length=1)
    num_eigenvalues: PositiveInt
    """Eigenvalues drawn, the largest."""
    accuracy: bool = False
    """Add the accuracy panels of Fig. 2."""
    sketch: bool = False
    """Add the schematic bowl of Fig. 1."""

    def curves(self) -> list[Curve]:
        return list(self.rows)

    def check_schedule(self, name: str, schedule: ScheduleSettings) -> None:
        if self.num_eigenvalues > schedule.num_eigenpairs:
            raise ConfigError(
                f"num_eigenvalues {self.num_eigenvalues} exceeds num_eigenpairs {schedule.num_eigenpairs} of schedule "
                f"{name}; raise schedules.{name}.num_eigenpairs"
            )
        if schedule.window_epochs is None:
            raise ConfigError(f"the early window is drawn apart; give schedules.{name} window_epochs")
        if self.accuracy:
            _check_accuracy(name, schedule)


class AlignmentPanel(Strict):
    """One panel of Fig. 5: a model at several learning rates."""

    title: str
    """Written above the panel."""
    curves: tuple[Curve, ...] = Field(min_length=1)


class Alignment(Study):
    """Alignment of gradients with the top directions against training accuracy (Fig. 5)."""

    kind: Literal["alignment"]
    panels: tuple[AlignmentPanel, ...] = Field(min_length=1)
    smoothing: PositiveInt
    """Points averaged along training."""

    def curves(self) -> list[Curve]:
        return [curve for panel in self.panels for curve in panel.curves]

    def wants_directions(self) -> bool:
        return True

    def check_schedule(self, name: str, schedule: ScheduleSettings) -> None:
        _check_accuracy(name, schedule)
        if 1 not in _directions(name, schedule).indices:
            raise ConfigError(f"direction 1 is not in schedules.{name}.directions.indices; add it")


class StepCurve(Curve):
    """One measured run in a figure of the step."""

    change_limit: PositiveFloat
    """Y limit of the scatter panel, per cent."""


class StepSurface(Study):
    """Loss change for scaled steps, and loss along a direction, over training (Figs. 6, 15-18)."""

    kind: Literal["step_surface"]
    rows: tuple[StepCurve, ...] = Field(min_length=1)
    direction: Annotated[int, Field(ge=-1)]
    """As in the schedule's indices."""
    alphas: tuple[PositiveFloat, ...] = Field(min_length=1)
    """Scales drawn."""
    grid_limit: PositiveFloat
    """Largest |k| drawn."""
    layout: Literal["row", "rows"]
    """All panels in one row (Fig. 6), or one row a run (Fig. 17)."""

    def curves(self) -> list[Curve]:
        return list(self.rows)

    def wants_directions(self) -> bool:
        return True

    def check_schedule(self, name: str, schedule: ScheduleSettings) -> None:
        measured = _directions(name, schedule)
        if self.direction not in measured.indices:
            raise ConfigError(f"direction {self.direction} is not in schedules.{name}.directions.indices; add it")
        if missing := sorted(set(self.alphas) - set(measured.alphas)):
            raise ConfigError(f"alphas {missing} are not in schedules.{name}.directions.alphas; add them")
        if self.grid_limit > max(measured.grid):
            raise ConfigError(f"grid_limit {self.grid_limit:g} exceeds schedules.{name}.directions.grid; widen it")


class LearningCurves(Study):
    """Training and validation accuracy of measured runs (Fig. 14)."""

    kind: Literal["learning_curves"]
    panels: tuple[Curve, ...] = Field(min_length=1)

    def curves(self) -> list[Curve]:
        return list(self.panels)

    def check_schedule(self, name: str, schedule: ScheduleSettings) -> None:
        _check_accuracy(name, schedule)


class EndPointRow(Strict):
    """One row of a table: the runs behind it and what the paper prints."""

    label: str
    """First column."""
    runs: tuple[str, ...] = Field(min_length=1)
    """One run a seed."""
    paper: dict[str, float]
    """Printed values, by column."""


class EndPoints(Study):
    """End points of runs, mean and spread over seeds, beside the paper's (Table 1)."""

    kind: Literal["end_points"]
    rows: tuple[EndPointRow, ...] = Field(min_length=1)

    def curves(self) -> list[Curve]:
        return []

    def runs(self) -> list[str]:
        return [run for row in self.rows for run in row.runs]


AnyStudy = Annotated[
    SpectrumEvolution | Alignment | StepSurface | LearningCurves | EndPoints, Field(discriminator="kind")
]
