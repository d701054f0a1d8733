"""Studies: which runs and schedules are behind each figure and table, and how it is drawn."""

from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, field_validator, model_validator

from sharpest.config.schedule import Schedule
from sharpest.config.strict import Strict
from sharpest.errors import ConfigError


class Input(NamedTuple):
    """A file that a study reads."""

    kind: str
    run: str
    schedule: str | None


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


class SeedRuns(Strict):
    """Runs that differ in their seed alone."""

    label: str
    """Their name in a legend, or in the first column of a table."""
    runs: tuple[str, ...] = Field(min_length=1)
    """One run a seed."""

    def first(self, count: int) -> Self:
        """The first ``count`` of them, or all."""
        return self.model_copy(update={"runs": self.runs[:count]})


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

    def inputs(self) -> list[Input]:
        """Every file that the study reads, once each."""
        curves, runs = [(curve.run, curve.schedule) for curve in self.curves()], self.runs()
        inputs = [Input("spectra", *curve) for curve in curves if self.wants_spectra()]
        inputs += [Input("directions", *curve) for curve in curves if self.wants_directions()]
        inputs += [Input("evaluations", run, "ends") for run in runs if self.wants_evaluations()]
        inputs += [Input("snapshots", run, None) for run in runs if self.wants_snapshots()]
        inputs += [Input("history", run, None) for run in runs if self.wants_histories()]
        return list(dict.fromkeys(inputs))

    def with_seeds(self, count: int) -> Self:
        """The same study with the first ``count`` seeds.

        Raises:
            ConfigError: If it has one seed only.
        """
        raise ConfigError(f"a study of kind {getattr(self, 'kind', '')} has one seed; remove it from the scale's seeds")

    def check(self, curve: Curve, schedule: Schedule) -> None:
        """Check that the schedule of a curve measures what is drawn.

        Raises:
            ConfigError: With the key to change.
        """


def _directions(schedule: Schedule) -> Any:
    if "directions" not in schedule.measures:
        raise ConfigError(f"schedule {schedule.name} takes no directions; add directions to its measures")
    return schedule.measures["directions"]


def _check_num_eigenvalues(num_eigenvalues: int, schedule: Schedule) -> None:
    num_eigenpairs = schedule.measures["spectra"].num_eigenpairs
    if num_eigenvalues > num_eigenpairs:
        raise ConfigError(
            f"num_eigenvalues {num_eigenvalues} exceeds num_eigenpairs {num_eigenpairs} of schedule "
            f"{schedule.name}; raise schedules.{schedule.name}.measures.spectra.num_eigenpairs"
        )


def _check_window(schedule: Schedule) -> None:
    if schedule.window is None:
        raise ConfigError(f"the early window is drawn apart; give schedules.{schedule.name} window_epochs")


def _check_accuracy(schedule: Schedule) -> None:
    if not schedule.measures["spectra"].accuracy_every:
        raise ConfigError(
            f"accuracy is drawn; give schedules.{schedule.name}.measures.spectra an accuracy_every of at least 1"
        )


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

    def check(self, curve: Curve, schedule: Schedule) -> None:
        _check_num_eigenvalues(self.num_eigenvalues, schedule)
        if self.early:
            _check_window(schedule)
        if self.accuracy:
            _check_accuracy(schedule)


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
    last_epoch: PositiveFloat | None = None
    """End of the x axis; none = that of the longest run."""

    def curves(self) -> list[Curve]:
        return [curve for row in self.rows for panel in row for curve in panel.curves]

    def check(self, curve: Curve, schedule: Schedule) -> None:
        _check_num_eigenvalues(self.num_eigenvalues, schedule)
        if self.composite:
            _check_window(schedule)


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

    def check(self, curve: Curve, schedule: Schedule) -> None:
        _check_accuracy(schedule)
        if 1 not in _directions(schedule).indices:
            raise ConfigError(f"direction 1 is not in schedules.{schedule.name}.measures.directions.indices; add it")


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

    def check(self, curve: Curve, schedule: Schedule) -> None:
        measured = _directions(schedule)
        if self.direction not in measured.indices:
            raise ConfigError(
                f"direction {self.direction} is not in schedules.{schedule.name}.measures.directions.indices; add it"
            )
        if missing := sorted(set(self.alphas) - set(measured.alphas)):
            raise ConfigError(
                f"alphas {missing} are not in schedules.{schedule.name}.measures.directions.alphas; add them"
            )
        if self.grid_limit > max(measured.grid):
            raise ConfigError(
                f"grid_limit {self.grid_limit:g} exceeds schedules.{schedule.name}.measures.directions.grid; widen it"
            )


class LearningCurves(Study):
    """Training and validation accuracy of measured runs (Fig. 14)."""

    kind: Literal["learning_curves"]
    panels: tuple[Curve, ...] = Field(min_length=1)

    def curves(self) -> list[Curve]:
        return list(self.panels)

    def check(self, curve: Curve, schedule: Schedule) -> None:
        _check_accuracy(schedule)


class NsgdLine(SeedRuns):
    """Lines of one colour, one a seed."""

    colour: Literal["black"] | None = None
    """None = by its place among those without one, from blue to red."""


class NsgdPanel(Strict):
    """One panel of curves over the epochs."""

    title: str
    """Written above the panel; each panel has its own."""
    quantity: Literal["accuracy", "lambda_max", "curvature"]
    """Validation accuracy, largest eigenvalue, or that and the Frobenius norm of the tracked eigenvalues."""
    lines: tuple[NsgdLine, ...] = Field(min_length=1)


class EndPointAt(SeedRuns):
    """Runs whose end points are drawn at one place of the x axis."""

    x: float
    """The place."""


class EndPointPanel(Strict):
    """The panel of test accuracy and Frobenius norm at the best validation, means over seeds."""

    title: str
    """Written above the panel."""
    xlabel: str
    """What x is."""
    points: tuple[EndPointAt, ...] = Field(min_length=1)
    baseline: SeedRuns
    """Runs whose values are drawn as horizontal lines."""


class NsgdCurves(Study):
    """Validation accuracy and curvature along training of NSGD and SGD, and their end points (Figs. 8, 19, 22)."""

    kind: Literal["nsgd_curves"]
    schedule: str
    """Name of the schedule at which all runs are measured."""
    panels: tuple[NsgdPanel, ...] = Field(min_length=1)
    smoothing: PositiveInt = 1
    """Epochs over which accuracies are averaged."""
    accuracy_from: NonNegativeFloat = 0
    """First epoch of the accuracies drawn; where runs are short, a quarter of the longest."""
    last_epoch: PositiveFloat | None = None
    """End of the x axis; none = that of the longest run."""
    end_points: EndPointPanel | None = None
    """Add a panel of end points."""

    def curves(self) -> list[Curve]:
        named = {run: line.label for panel in self.panels for line in panel.lines for run in line.runs}
        return [Curve(run=run, label=label, schedule=self.schedule) for run, label in named.items()]

    def runs(self) -> list[str]:
        evaluated = (*self.end_points.points, self.end_points.baseline) if self.end_points else ()
        runs = [*(curve.run for curve in self.curves()), *(run for group in evaluated for run in group.runs)]
        return list(dict.fromkeys(runs))

    def with_seeds(self, count: int) -> Self:
        panels = [
            panel.model_copy(update={"lines": tuple(line.first(count) for line in panel.lines)})
            for panel in self.panels
        ]
        changes: dict[str, object] = {"panels": tuple(panels)}
        if (ends := self.end_points) is not None:
            points = tuple(point.first(count) for point in ends.points)
            changes["end_points"] = ends.model_copy(update={"points": points, "baseline": ends.baseline.first(count)})
        return self.model_copy(update=changes)

    def wants_histories(self) -> bool:
        return any(panel.quantity == "accuracy" for panel in self.panels)

    def wants_evaluations(self) -> bool:
        return self.end_points is not None


class EndPointRow(SeedRuns):
    """One row of a table: the runs behind it and what the paper prints."""

    paper: dict[str, float]
    """Printed values, by column of the csv file."""

    @field_validator("paper")
    @classmethod
    def _in_one_order(cls, paper: dict[str, float]) -> dict[str, float]:
        return dict(sorted(paper.items()))  # another order makes nothing stale


_BEST_FINAL = ("best", "final")
END_POINT_COLUMNS: dict[str, tuple[str, ...]] = {
    **{norm: tuple(f"{norm}_{at}" for at in _BEST_FINAL) for norm in ("spectral_norm", "frobenius", "frobenius_probe")},
    **{name: (name,) for name in ("test_acc", "val_acc_early", "loss_final", "dist")},
}
"""Printed column of a table of end points -> columns of its csv file."""


class EndPoints(Study):
    """End points of runs, mean and spread over seeds, beside the paper's (Tables 1-7)."""

    kind: Literal["end_points"]
    columns: tuple[
        Literal["spectral_norm", "frobenius", "frobenius_probe", "test_acc", "val_acc_early", "loss_final", "dist"], ...
    ] = ("frobenius", "frobenius_probe", "test_acc", "val_acc_early", "loss_final", "dist")
    """Printed from left to right; norms at best validation and at the end."""
    rows: tuple[EndPointRow, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_paper(self) -> Self:
        known = [name for column in self.columns for name in END_POINT_COLUMNS[column]]
        for row in self.rows:
            if unknown := set(row.paper) - set(known):
                raise ValueError(f"row {row.label}: paper should have keys among {known}, not {sorted(unknown)}")
        return self

    def curves(self) -> list[Curve]:
        return []

    def runs(self) -> list[str]:
        return [run for row in self.rows for run in row.runs]

    def with_seeds(self, count: int) -> Self:
        return self.model_copy(update={"rows": tuple(row.first(count) for row in self.rows)})

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
    | NsgdCurves
    | EndPoints,
    Field(discriminator="kind"),
]
