"""Studies: which runs and schedules are behind each figure and table, and how it is drawn."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from sharpest.config.measurement import DirectionSettings, ScheduleSettings
from sharpest.config.strict import Strict
from sharpest.errors import ConfigError


class NamedRun(Strict):
    """One run in a figure."""

    run: str
    """A row of config/runs.tsv."""
    label: str
    """Its name in legends and titles."""


class Curve(NamedRun):
    """One measured run in a figure."""

    schedule: str
    """Name of one of the scale's schedules."""


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

    def wants_spectra(self) -> bool:
        """Whether the study reads the spectrum file of each of its curves."""
        return True

    def wants_directions(self) -> bool:
        """Whether the study reads the directions file of each of its curves."""
        return False

    def wants_snapshots(self) -> bool:
        """Whether the study reads the snapshots of each of its runs."""
        return False

    def wants_histories(self) -> bool:
        """Whether the study reads the history of each of its runs."""
        return False

    def wants_evaluations(self) -> bool:
        """Whether the study reads the evaluation of each of its runs."""
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


def _check_num_eigenvalues(num_eigenvalues: int, name: str, schedule: ScheduleSettings) -> None:
    if num_eigenvalues > schedule.num_eigenpairs:
        raise ConfigError(
            f"num_eigenvalues {num_eigenvalues} exceeds num_eigenpairs {schedule.num_eigenpairs} of schedule "
            f"{name}; raise schedules.{name}.num_eigenpairs"
        )


def _check_window(name: str, schedule: ScheduleSettings) -> None:
    if schedule.window_epochs is None:
        raise ConfigError(f"the early window is drawn apart; give schedules.{name} window_epochs")


def _check_accuracy(name: str, schedule: ScheduleSettings) -> None:
    if not schedule.accuracy_every:
        raise ConfigError(f"accuracy is drawn; give schedules.{name} an accuracy_every of at least 1")


class SpectrumEvolution(Study):
    """Eigenvalues along training, whole run and early window (Figs. 1, 2, 3, 9)."""

    kind: Literal["spectrum_evolution"]
    rows: tuple[Curve, ...] = Field(min_length=1)
    num_eigenvalues: PositiveInt
    """Eigenvalues drawn, the largest."""
    accuracy: bool = False
    """Add accuracy panels."""
    sketch: bool = False
    """Add the schematic bowl of Fig. 1."""
    early: bool = True
    """Add panels of the early window."""
    layout: Literal["row", "rows"] = "rows"
    """All panels in one row (Fig. 3), or one row a run (Fig. 2)."""
    steps_axis: bool = False
    """Add a second x axis, in iterations."""

    def curves(self) -> list[Curve]:
        return list(self.rows)

    def check_schedule(self, name: str, schedule: ScheduleSettings) -> None:
        _check_num_eigenvalues(self.num_eigenvalues, name, schedule)
        if self.early:
            _check_window(name, schedule)
        if self.accuracy:
            _check_accuracy(name, schedule)


class EigenvalueCurve(Curve):
    """One measured run in a panel of eigenvalues."""

    colour: Literal["red", "green", "blue"] | None = None
    """None = by its place in the panel: red, green, blue."""


class EigenvaluePanel(Strict):
    """One panel of Fig. 4: runs that differ in one setting."""

    title: str
    """Written above the panel; each panel has its own."""
    curves: tuple[EigenvalueCurve, ...] = Field(min_length=1)


class LargestEigenvalues(Study):
    """The one or two largest eigenvalues of runs that differ in one setting (Figs. 4, 10, 11, 13, 21)."""

    kind: Literal["largest_eigenvalues"]
    rows: tuple[tuple[EigenvaluePanel, ...], ...] = Field(min_length=1)
    """The panels, row by row."""
    num_eigenvalues: Literal[1, 2]
    """Eigenvalues drawn, the largest."""
    scale: Literal["log", "linear"]
    """Of the y axis."""
    composite: bool
    """Two halves: the early window, and the whole run."""

    def curves(self) -> list[Curve]:
        return [curve for row in self.rows for panel in row for curve in panel.curves]

    def check_schedule(self, name: str, schedule: ScheduleSettings) -> None:
        _check_num_eigenvalues(self.num_eigenvalues, name, schedule)
        if self.composite:
            _check_window(name, schedule)


class FirstStage(Study):
    """Runs that leave one run at different times, when the learning rate drops (Fig. 12)."""

    kind: Literal["first_stage"]
    trunk: Curve
    """The run that all branches leave."""
    branches: tuple[Curve, ...] = Field(min_length=1)
    """The earliest first."""
    smoothing: PositiveInt
    """Epochs over which accuracies are averaged."""

    def curves(self) -> list[Curve]:
        return [self.trunk, *self.branches]

    def wants_histories(self) -> bool:
        return True


class RestrictedPanel(Strict):
    """Two panels of Fig. 7, largest eigenvalue and loss of the same runs."""

    title: str
    """Begins the titles of both."""
    curves: tuple[NamedRun, ...] = Field(min_length=1)
    graded: bool = False
    """Colours from blue to red, for runs that differ in one number."""


class RestrictedSteps(Study):
    """Branches whose steps are restricted to, or deprived of, the top direction (Fig. 7)."""

    kind: Literal["restricted_steps"]
    panels: tuple[RestrictedPanel, ...] = Field(min_length=1)

    def curves(self) -> list[Curve]:
        return []

    def runs(self) -> list[str]:
        # a run may be in several panels
        return list(dict.fromkeys(curve.run for panel in self.panels for curve in panel.curves))

    def wants_spectra(self) -> bool:
        return False

    def wants_snapshots(self) -> bool:
        return True


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
    """Loss change for scaled steps, and loss along a direction, over training (Figs. 6, 15-18, 20)."""

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

    def wants_spectra(self) -> bool:
        return False

    def wants_evaluations(self) -> bool:
        return True


AnyStudy = Annotated[
    SpectrumEvolution
    | LargestEigenvalues
    | Alignment
    | StepSurface
    | RestrictedSteps
    | FirstStage
    | LearningCurves
    | EndPoints,
    Field(discriminator="kind"),
]
