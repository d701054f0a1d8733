"""The studies: the runs behind each figure and table, and how they are drawn."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self, get_args

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from sharpest.config.measures import Measure, declared
from sharpest.config.run_id import RunId
from sharpest.config.schedule import Schedule
from sharpest.config.strict import NewSeeds, Strict
from sharpest.errors import ConfigError, meant, refuse
from sharpest.results.layout import Dataset

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


class Study(Strict):
    """Base of all studies."""

    is_table: ClassVar[bool] = False
    """Whether the study is printed as a table instead of drawn."""
    made_by: ClassVar[str]
    """The function that draws a figure, or the module that builds and prints a table, below ``sharpest``."""
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


def _found(part: Any, kind: Any) -> Iterator[Any]:
    """The parts of a given class, in the order of the keys."""
    if isinstance(part, kind):
        yield part
    elif isinstance(part, tuple):
        for each in part:
            yield from _found(each, kind)
    elif isinstance(part, Strict):
        for _, value in part:
            yield from _found(value, kind)


def first_runs(part: Any) -> Iterator[str]:
    """The first run of each curve, line or row of a part, in the order of the keys."""
    return (each.run if isinstance(each, NamedRun) else each.runs[0] for each in _found(part, NamedRun | SeedRuns))


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


def check_number(key: str, number: int, schedule: Schedule) -> None:
    """Refuse to draw more eigenpairs than are measured; ``key`` is the study's."""
    measured = settings_of("spectra", schedule).num_eigenpairs
    where = f"schedules.{schedule.name}.measures.spectra.num_eigenpairs"
    refuse("", (number > measured, f"{key} {number} exceeds num_eigenpairs {measured}; raise {where}"))


def check_window(schedule: Schedule) -> None:
    """Refuse to draw an early window if the schedule has none."""
    key = f"schedules.{schedule.name}.window_epochs"
    refuse("", (schedule.window is None, f"the early window is drawn separately; set {key}"))


def check_accuracy(schedule: Schedule) -> None:
    """Refuse to draw accuracies that are not measured."""
    key = f"schedules.{schedule.name}.measures.spectra.accuracy_every"
    refuse("", (not settings_of("spectra", schedule).accuracy_every, f"accuracy is drawn; set {key} to at least 1"))


def check_direction(number: int, schedule: Schedule) -> None:
    """Refuse to draw a direction that is not measured."""
    key = f"schedules.{schedule.name}.measures.directions.indices"
    is_measured = number in settings_of("directions", schedule).indices
    refuse("", (not is_measured, f"direction {number} is not in {key}; add it"))


def check_ends(schedule: Schedule) -> None:
    """Refuse to read end points from a schedule with other points."""
    place = f"end points are read from schedules.{schedule.name}"
    refuse("", (list(schedule.points) != ["best", "last"], f"{place}; set its points to 'best and last'"))


class Alignment(Study):
    """Alignment of gradients with the top directions against training accuracy (Fig. 5)."""

    always_reads: ClassVar[tuple[str, ...]] = ("spectra", "directions")
    made_by: ClassVar[str] = "figures.alignment:draw"
    kind: Literal["alignment"]
    panels: tuple[Panel, ...] = Field(min_length=1)
    smoothing: PositiveInt
    """Number of points averaged along training."""

    def check(self, curve: Curve | Input, schedule: Schedule) -> None:
        super().check(curve, schedule)
        check_accuracy(schedule)
        check_direction(1, schedule)


class EdgeTestStudy(Study):
    """The edge test: spikes of the loss after a change of settings, compared with measurements before the change."""

    always_reads: ClassVar[tuple[str, ...]] = ("interventions", "spectra", "gradient_sample", "critical")
    made_by: ClassVar[str] = "figures.edge_test:draw"
    kind: Literal["edge_test"]
    rows: tuple[Curve, ...] = Field(min_length=1)
    """Runs, each with a schedule that takes all candidates at the points of its interventions."""

    def groups(self) -> list[tuple[str, Sequence[Curve]]]:
        return [(row.label, [row]) for row in self.rows]

    def check(self, curve: Curve | Input, schedule: Schedule) -> None:
        super().check(curve, schedule)
        key = f"schedules.{schedule.name}.measures.gradient_sample.full_curvature_batches"
        has_gni = settings_of("gradient_sample", schedule).full_curvature_batches
        refuse("", (not has_gni, f"gradient-noise interaction is a candidate; set {key} to at least 1"))


Moment = Literal["start", "peak", "end"] | Annotated[float, Field(ge=0, le=1)]
"""The first or last measured point, the point of the largest eigenvalue, or the one nearest to a share of the run."""


def moment_name(moment: Moment) -> str:
    """The name of a moment in a legend, such as ``start`` or ``33 %``."""
    return moment if isinstance(moment, str) else f"{100 * moment:.3g} %"


class EigenvectorDrift(Study):
    """How fast the leading eigenvectors turn, and where in the net they lie: one row of panels per run."""

    always_reads: ClassVar[tuple[str, ...]] = ("spectra", "snapshots")
    made_by: ClassVar[str] = "figures.moments:eigenvector_drift"
    kind: Literal["eigenvector_drift"]
    rows: tuple[Curve, ...] = Field(min_length=1)
    num_eigenvectors: PositiveInt
    """Number of leading eigenvectors drawn; they span the subspace whose overlap is computed."""
    moments: tuple[Moment, ...] = Field(default=("start", "peak", "end"), min_length=1)
    """When the shares of the layers are drawn: start, peak (of the largest eigenvalue), end, or shares of the run."""

    def check(self, curve: Curve | Input, schedule: Schedule) -> None:
        super().check(curve, schedule)
        check_number("num_eigenvectors", self.num_eigenvectors, schedule)
        key = f"schedules.{schedule.name}.measures.spectra.keep_vectors"
        refuse("", (not settings_of("spectra", schedule).keep_vectors, f"eigenvectors are drawn; set {key} to true"))


_BEST_FINAL = ("best", "final")
END_POINT_COLUMNS: dict[str, tuple[str, ...]] = {
    **{norm: tuple(f"{norm}_{at}" for at in _BEST_FINAL) for norm in ("spectral_norm", "frobenius", "frobenius_probe")},
    **{name: (name,) for name in ("test_acc", "val_acc_early", "loss_final", "dist")},
}
"""Printed column of a table of end points -> columns of its csv file."""


class EndPointRow(SeedRuns):
    """One row of a table: its runs, and the values that the paper prints."""

    paper: dict[str, float]
    """Values that the paper prints, by column of the csv file."""

    @field_validator("paper")
    @classmethod
    def _in_one_order(cls, paper: dict[str, float]) -> dict[str, float]:
        return dict(sorted(paper.items()))  # the order of keys makes nothing stale


class EndPoints(Study):
    """End points of runs, mean and spread over seeds, next to the paper's (Tables 1-7)."""

    is_table: ClassVar[bool] = True
    always_reads: ClassVar[tuple[str, ...]] = ("evaluations", "history", "snapshots")
    made_by: ClassVar[str] = "tables.end_points"
    kind: Literal["end_points"]
    ends: str = "ends"
    """Name of the schedule that measures end points."""
    columns: tuple[
        Literal["spectral_norm", "frobenius", "frobenius_probe", "test_acc", "val_acc_early", "loss_final", "dist"], ...
    ] = ("frobenius", "frobenius_probe", "test_acc", "val_acc_early", "loss_final", "dist")
    """Columns from left to right; norms at best validation and at the end."""
    rows: tuple[EndPointRow, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_paper(self) -> Self:
        known = [name for column in self.columns for name in END_POINT_COLUMNS[column]]
        for row in self.rows:
            if unknown := set(row.paper) - set(known):
                raise ValueError(f"row {row.label}: paper should have keys among {known}, not {sorted(unknown)}")
        return self

    def files(self, kind: str) -> Iterable[Input]:
        if kind == "evaluations":
            return (Input(kind, run, self.ends) for run in self.runs())
        return super().files(kind)

    def check(self, curve: Curve | Input, schedule: Schedule) -> None:
        super().check(curve, schedule)
        check_ends(schedule)


class FirstStage(Study):
    """Runs that branch off one run at different times, where the learning rate drops (Fig. 12)."""

    always_reads: ClassVar[tuple[str, ...]] = ("spectra", "history")
    made_by: ClassVar[str] = "figures.lines:first_stage"
    kind: Literal["first_stage"]
    trunk: Curve
    """The run that all branches leave."""
    branches: tuple[Curve, ...] = Field(min_length=1)
    """The branches, earliest first."""
    smoothing: PositiveInt
    """Epochs over which accuracies are averaged."""


FLOW = "gradient_flow"
"""The measure of the distance to the gradient flow."""


class EdgeLine(Curve):
    """One full-batch run, whose spectra are measured by its schedule."""

    flow: str | None = None
    """Schedule of its distance to the gradient flow; none = not drawn, as for a run with momentum, which has none."""


class FullBatchEdge(Study):
    """Full-batch training at the edge of stability: loss, curvature over its edge, distance to the gradient flow."""

    made_by: ClassVar[str] = "figures.lines:full_batch_edge"
    kind: Literal["full_batch_edge"]
    lines: tuple[EdgeLine, ...] = Field(min_length=1)
    x: Literal["iteration", "iteration x lr"] = "iteration x lr"
    """The x axis of all panels."""

    @property
    def reads(self) -> tuple[str, ...]:
        return ("spectra", "snapshots", *[FLOW] * any(line.flow for line in self.lines))

    def curves(self) -> list[Curve]:
        flows = [line.model_copy(update={"schedule": line.flow}) for line in self.lines if line.flow]
        return [*self.lines, *flows]

    def groups(self) -> list[tuple[str, Sequence[Curve]]]:
        return [("", self.lines)]

    def files(self, kind: str) -> Iterable[Input]:
        if kind == "snapshots":
            return super().files(kind)
        each = (
            (single, line.flow if kind == FLOW else line.schedule) for line in self.lines for single in line.by_seed()
        )
        return (Input(kind, single.run, schedule) for single, schedule in each if schedule)

    def check(self, curve: Curve | Input, schedule: Schedule) -> None:
        super().check(curve, schedule)
        run = RunId.parse(curve.run)
        refuse(
            f"run {curve.run!r}",
            (run.is_adaptive, ": its edge applies to preconditioned curvature; name an SGD run"),
            (run.rule != "fb", " is not a full-batch run; name one with -fb in its id"),
        )


class EigenvalueCurve(Curve):
    """One measured run in a panel of eigenvalues."""

    colour: Literal["red", "green", "blue"] | None = None
    """The first, second or third of three colours from dark to light, by the paper's name; none = by its place."""


class EigenvaluePanel(Panel):
    """One panel of Fig. 4: runs that differ in one setting."""

    curves: tuple[EigenvalueCurve, ...] = Field(min_length=1)


class LargestEigenvalues(Study):
    """The one or two largest eigenvalues of runs that differ in one setting (Figs. 4, 10, 11, 13, 21)."""

    made_by: ClassVar[str] = "figures.lines:largest_eigenvalues"
    kind: Literal["largest_eigenvalues"]
    rows: tuple[tuple[EigenvaluePanel, ...], ...] = Field(min_length=1)
    """The panels, row by row."""
    num_eigenvalues: Literal[1, 2]
    """Number of largest eigenvalues drawn."""
    scale: Literal["log", "linear"]
    """Scale of the y axis."""
    composite: bool
    """Whether panels have two halves: the early window, and the whole run."""
    last_epoch: PositiveFloat | None = None
    """End of the x axis; none = end of the longest run."""

    def check(self, curve: Curve | Input, schedule: Schedule) -> None:
        super().check(curve, schedule)
        check_number("num_eigenvalues", self.num_eigenvalues, schedule)
        if self.composite:
            check_window(schedule)


class LearningCurves(Study):
    """Training and validation accuracy of measured runs (Fig. 14)."""

    made_by: ClassVar[str] = "figures.lines:learning_curves"
    kind: Literal["learning_curves"]
    panels: tuple[Curve, ...] = Field(min_length=1)

    def check(self, curve: Curve | Input, schedule: Schedule) -> None:
        super().check(curve, schedule)
        check_accuracy(schedule)


_REFERENCE = re.compile(r"(?P<number>-?\d+(\.\d+)?([eE][+-]?\d+)?)(?P<over_lr>/lr)?")


def reference_value(text: str, lr: float) -> float:
    """The height of a reference line.

    Args:
        text: A number, or a number over the learning rate, such as ``2/lr``.
        lr: The learning rate.

    Raises:
        ValueError: If the text is neither.
    """
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise ValueError(f"reference {text!r} should be a number or a number over lr, such as 2/lr")
    number = float(match["number"])
    return number / lr if match["over_lr"] else number


def over_lr(text: str) -> bool:
    """Whether a reference depends on the learning rate."""
    return text.endswith("/lr")


class MeasuredCurve(Curve):
    """One measured run in a panel, with its own column if that differs from the panel's."""

    measure: str | None = None
    """Name of the measure; none = the panel's."""
    column: str | None = None
    """One of its arrays that have a value for each point, see docs/files.md; none = the panel's."""
    index: tuple[NonNegativeInt, ...] | None = None
    """Index in each dimension of the array after the points, from 0; none = the panel's, for the panel's column."""
    error: str | None = None
    """An array of the same dimensions, drawn as a band around the curve; none = the panel's, for the panel's column."""


@dataclass(frozen=True)
class Drawn:
    """What is drawn of a measure: a column, and its error if there is a band."""

    measure: str
    column: str
    index: tuple[int, ...]
    error: str | None

    def marks_missed(self) -> bool:
        """Whether the measure records, for each value drawn, if it is within the solver's tolerance."""
        arrays = {dataset.name: dataset.dims for dataset in declared(self.measure).layout.datasets}
        return "converged" in arrays and arrays["converged"] == arrays[self.column]

    def unit(self) -> str:
        """Unit of the column; empty if it has none."""
        return _column(declared(self.measure), self.column).unit

    def check(self, schedule: Schedule) -> None:
        """Check that the measure has what is drawn.

        Raises:
            ConfigError: With the key to change.
        """
        measure = declared(self.measure)
        column = _column(measure, self.column)
        name, further = f"{self.column} of {self.measure}", column.dims[1:]
        has = f"{name} has dimensions ({', '.join(column.dims)})"
        places = f"{len(further)} {'place' if len(further) == 1 else 'places'}"
        refuse(
            "",
            (column.dims[0] != "t", f"{has}, so no value for each point; name an array that has t first"),
            (len(self.index) != len(further), f"{has}; give index {places}, not {len(self.index)}"),
        )
        lengths = measure.lengths(settings_of(self.measure, schedule))
        for place, letter in zip(self.index, further, strict=True):
            end = lengths.get(letter, place + 1) - 1
            where = f"{name} in schedules.{schedule.name}, whose {letter} ends at {end}"
            refuse("", (place > end, f"index {place} exceeds {where}; lower it"))
        if self.error is not None:
            dims = _column(measure, self.error).dims
            refuse(
                f"error {self.error} has dimensions ({', '.join(dims)}), {has.replace('dimensions ', '')}; ",
                (dims != column.dims, "name an array of the same dimensions"),
            )


class MeasuredPanel(Strict):
    """One panel: a column of a measure on several runs, or a column of its own for each curve."""

    title: str
    """Written above the panel; each panel has its own."""
    measure: str | None = None
    """Name of the measure; none = each curve names its own."""
    column: str | None = None
    """One of its arrays that have a value for each point, see docs/files.md; none = each curve names its own."""
    index: tuple[NonNegativeInt, ...] = ()
    """Index in each dimension of the array after the points, from 0."""
    error: str | None = None
    """An array of the same dimensions, drawn as a band around the curve; none = no band."""
    factor: Literal["1", "lr", "lr/2", "1/edge"] = "1"
    """Multiplies what is drawn, including the band; lr is the learning rate of each run, edge that of its optimizer."""
    x: Literal["epoch", "iteration", "iteration x lr", "batch size"] = "epoch"
    """The x axis. Over batch sizes a run is one point, the mean over the last half of its points; its band is their
    standard deviation, or that between seeds; a line joins the runs of one label."""
    scale: Literal["log", "linear"] = "linear"
    """Scale of the y axis."""
    ylabel: str | None = None
    """Label of the y axis; none = the name of the column, with its unit."""
    references: tuple[str, ...] = ()
    """Heights of horizontal lines: numbers, or numbers over the learning rate of each run, such as 2/lr."""
    curves: tuple[MeasuredCurve, ...] = Field(min_length=1)

    @field_validator("references")
    @classmethod
    def _are_numbers(cls, references: tuple[str, ...]) -> tuple[str, ...]:
        for text in references:
            reference_value(text, lr=1)
        return references

    @model_validator(mode="after")
    def _fit_the_axis(self) -> Self:
        if self.scale == "log" and any(reference_value(text, lr=1) <= 0 for text in self.references):
            raise ValueError("references should be above 0 on a logarithmic axis")
        return self

    @model_validator(mode="after")
    def _say_what_is_drawn(self) -> Self:
        for curve in self.curves:
            for key in ("measure", "column"):
                if getattr(curve, key) is None and getattr(self, key) is None:
                    raise ValueError(f"curve {curve.label!r} or its panel {self.title!r} should have a {key}")
            if self.x == "batch size" and self.drawn(curve).error is not None:
                raise ValueError(
                    f"panel {self.title!r} should have no error: over batch sizes the band is a standard deviation"
                )
        return self

    def drawn(self, curve: MeasuredCurve) -> Drawn:
        """What is drawn of a curve."""
        own = curve.column is not None
        measure, column = curve.measure or self.measure, curve.column or self.column
        assert measure is not None  # checked when it was read
        assert column is not None
        index = curve.index if curve.index is not None else () if own else self.index
        return Drawn(measure, column, index, curve.error or (None if own else self.error))

    def runs_once(self) -> list[Curve]:
        """One curve for each run at a schedule; if it has several, one that draws an eigenvalue, if any."""
        once: dict[tuple[str, str], Curve] = {}
        for curve in sorted(self.curves, key=lambda curve: self.drawn(curve).measure != "spectra"):
            once.setdefault((curve.run, curve.schedule), curve)
        return list(once.values())


def _column(measure: Measure, name: str) -> Dataset:
    arrays = {dataset.name: dataset for dataset in measure.layout.datasets}
    if name not in arrays:
        hint = meant(name, arrays, f"it has {', '.join(arrays)}")
        raise ConfigError(f"{measure.name} has no column {name!r}; {hint}")
    return arrays[name]


class MeasuredCurves(Study):
    """Any stored column of any measure along training."""

    made_by: ClassVar[str] = "figures.measured:draw"
    kind: Literal["measured"]
    panels: tuple[MeasuredPanel, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _have_titles_of_their_own(self) -> Self:
        # the same placeholder stands for another value in a panel of other runs
        titles = [(panel.title, [curve.run for curve in panel.curves] * ("{" in panel.title)) for panel in self.panels]
        if repeated := [title for title in titles if titles.count(title) > 1]:
            raise ValueError(f"each panel should have its own title; {repeated[0][0]!r} is repeated")
        return self

    @property
    def reads(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(panel.drawn(curve).measure for panel in self.panels for curve in panel.curves))

    def groups(self) -> list[tuple[str, Sequence[Curve]]]:
        return [(panel.title, panel.runs_once()) for panel in self.panels]

    def files(self, kind: str) -> Iterable[Input]:
        drawn = (curve for panel in self.panels for curve in panel.curves if panel.drawn(curve).measure == kind)
        return (Input(kind, each.run, each.schedule) for curve in drawn for each in curve.by_seed())

    def check(self, curve: Curve | Input, schedule: Schedule) -> None:
        place = curve.run, curve.schedule
        for panel in self.panels:
            for drawn in panel.curves:
                if place in [(each.run, each.schedule) for each in drawn.by_seed()]:
                    panel.drawn(drawn).check(schedule)


class NsgdLine(SeedRuns):
    """Lines of one colour, one per seed."""

    colour: Literal["black"] | None = None
    """Colour of the lines; none = by their place among the lines without a colour, from dark to light."""


class NsgdPanel(Strict):
    """One panel of curves over the epochs."""

    title: str
    """Written above the panel; each panel has its own."""
    quantity: Literal["accuracy", "lambda_max", "curvature"]
    """Validation accuracy, largest eigenvalue, or the latter and the Frobenius norm of the tracked eigenvalues."""
    lines: tuple[NsgdLine, ...] = Field(min_length=1)


class EndPointAt(SeedRuns):
    """Runs whose end points are drawn at one position on the x axis."""

    x: float
    """Position on the x axis."""


class EndPointPanel(Strict):
    """The panel of test accuracy and Frobenius norm at the best validation, means over seeds."""

    title: str
    """Written above the panel."""
    xlabel: str
    """Label of the x axis."""
    points: tuple[EndPointAt, ...] = Field(min_length=1)
    baseline: SeedRuns
    """Runs whose values are drawn as horizontal lines."""


class NsgdCurves(Study):
    """Validation accuracy and curvature along training of NSGD and SGD, and their end points (Figs. 8, 19, 22)."""

    made_by: ClassVar[str] = "figures.lines:nsgd_curves"
    kind: Literal["nsgd_curves"]
    schedule: str
    """Name of the schedule that measures all runs."""
    ends: str = "ends"
    """Name of the schedule that measures end points."""
    panels: tuple[NsgdPanel, ...] = Field(min_length=1)
    smoothing: PositiveInt = 1
    """Epochs over which accuracies are averaged."""
    accuracy_from: NonNegativeFloat = 0
    """First epoch of the accuracies drawn; for short runs, a quarter of the longest run."""
    last_epoch: PositiveFloat | None = None
    """End of the x axis; none = end of the longest run."""
    end_points: EndPointPanel | None = None
    """Adds a panel of end points."""

    @property
    def reads(self) -> tuple[str, ...]:
        accuracy = any(panel.quantity == "accuracy" for panel in self.panels)
        return ("spectra", *["history"] * accuracy, *["evaluations"] * (self.end_points is not None))

    def curves(self) -> list[Curve]:
        named = {run: line.label for panel in self.panels for line in panel.lines for run in line.runs}
        return [Curve(run=run, label=label, schedule=self.schedule) for run, label in named.items()]

    def ended(self) -> list[str]:
        """The ids of the runs whose end points are drawn."""
        if self.end_points is None:
            return []
        return [run for group in (*self.end_points.points, self.end_points.baseline) for run in group.runs]

    def files(self, kind: str) -> Iterable[Input]:
        if kind == "evaluations":
            return (Input(kind, run, self.ends) for run in self.ended())
        if kind == "history":
            accuracies = [panel for panel in self.panels if panel.quantity == "accuracy"]
            return (Input(kind, run, None) for panel in accuracies for line in panel.lines for run in line.runs)
        return super().files(kind)

    def check(self, curve: Curve | Input, schedule: Schedule) -> None:
        super().check(curve, schedule)
        if Input("evaluations", curve.run, curve.schedule) in self.inputs():
            check_ends(schedule)


FIRST_STEPS = "first_steps"
"""The measure that the study reads."""


class PhaseDiagram(Study):
    """The first steps of gradient descent over learning rates and widths: catapult and divergence."""

    always_reads: ClassVar[tuple[str, ...]] = (FIRST_STEPS,)
    made_by: ClassVar[str] = "figures.phase_diagram:draw"
    kind: Literal["phase_diagram"]
    lines: tuple[Curve, ...] = Field(min_length=1)
    """Runs of fully connected nets of several widths, at whose first point the first steps are measured."""


class RestrictedPanel(Strict):
    """Two panels of Fig. 7: largest eigenvalue and loss of the same runs."""

    title: str
    """Beginning of both titles."""
    curves: tuple[NamedRun, ...] = Field(min_length=1)
    graded: bool = False
    """Colours from dark to light, for runs that differ in one number."""


class RestrictedSteps(Study):
    """Branches whose steps are restricted to the top direction, or exclude it (Fig. 7)."""

    always_reads: ClassVar[tuple[str, ...]] = ("snapshots",)
    made_by: ClassVar[str] = "figures.lines:restricted_steps"
    kind: Literal["restricted_steps"]
    panels: tuple[RestrictedPanel, ...] = Field(min_length=1)


class SpectralDensity(Study):
    """Density of all eigenvalues at chosen moments of training, one panel per run."""

    always_reads: ClassVar[tuple[str, ...]] = ("density", "spectra")
    made_by: ClassVar[str] = "figures.moments:spectral_density"
    kind: Literal["spectral_density"]
    panels: tuple[Curve, ...] = Field(min_length=1)
    moments: tuple[Moment, ...] = Field(default=("start", 1 / 3, "end"), min_length=1)
    """When the density is drawn: start, peak (of the largest eigenvalue), end, or shares of the run from 0 to 1."""
    width: PositiveFloat = 0.004
    """Width of the Gaussian that smears each node, in units of 2/lr."""


class SpectrumEvolution(Study):
    """Eigenvalues along training, whole run and early window (Figs. 1, 2, 3, 9)."""

    made_by: ClassVar[str] = "figures.lines:spectrum_evolution"
    kind: Literal["spectrum_evolution"]
    rows: tuple[Curve, ...] = Field(min_length=1)
    num_eigenvalues: PositiveInt
    """Number of largest eigenvalues drawn."""
    scale: Literal["linear", "symlog"] = "linear"
    """Scale of the axis of eigenvalues; symlog = logarithmic, but linear between -1 and 1."""
    accuracy: bool = False
    """Adds accuracy panels."""
    sketch: bool = False
    """Adds the schematic bowl of Fig. 1."""
    early: bool = True
    """Adds panels of the early window."""
    layout: Literal["row", "rows"] = "rows"
    """All panels in one row (Fig. 3), or one row per run (Fig. 2)."""
    steps_axis: bool = False
    """Adds a second x axis, in iterations."""

    def check(self, curve: Curve | Input, schedule: Schedule) -> None:
        super().check(curve, schedule)
        check_number("num_eigenvalues", self.num_eigenvalues, schedule)
        if self.early:
            check_window(schedule)
        if self.accuracy:
            check_accuracy(schedule)


class StepCurve(Curve):
    """One measured run in a figure of the step."""

    change_limit: PositiveFloat
    """Y limit of the scatter panel, per cent."""


class StepSurface(Study):
    """Loss change for scaled steps, and loss along a direction, over training (Figs. 6, 15-18, 20)."""

    always_reads: ClassVar[tuple[str, ...]] = ("spectra", "directions")
    made_by: ClassVar[str] = "figures.step_surface:draw"
    kind: Literal["step_surface"]
    rows: tuple[StepCurve, ...] = Field(min_length=1)
    direction: Annotated[int, Field(ge=-1)]
    """Number of the direction, as in the schedule's indices."""
    alphas: tuple[PositiveFloat, ...] = Field(min_length=1)
    """Scales of the step that are drawn."""
    grid_limit: PositiveFloat
    """Largest |k| drawn."""
    paper_points: PositiveInt = 110
    """Points of the study at the paper's scale; the legend's numbers are over the last 25, or the same fraction."""
    layout: Literal["row", "rows"]
    """All panels in one row (Fig. 6), or one row per run (Fig. 17)."""

    def check(self, curve: Curve | Input, schedule: Schedule) -> None:
        super().check(curve, schedule)
        measured, place = settings_of("directions", schedule), f"schedules.{schedule.name}.measures.directions"
        check_direction(self.direction, schedule)
        missing, reach = sorted(set(self.alphas) - set(measured.alphas)), max(measured.grid, default=0)
        refuse(
            "",
            (missing, f"alphas {missing} are not in {place}.alphas; add them"),
            (self.grid_limit > reach, f"grid_limit {self.grid_limit:g} exceeds {place}.grid; widen it"),
        )


AnyStudy = Annotated[
    SpectrumEvolution
    | LargestEigenvalues
    | Alignment
    | StepSurface
    | RestrictedSteps
    | FirstStage
    | LearningCurves
    | NsgdCurves
    | EndPoints
    | MeasuredCurves
    | FullBatchEdge
    | PhaseDiagram
    | SpectralDensity
    | EigenvectorDrift
    | EdgeTestStudy,
    Field(discriminator="kind"),
]
"""A study of any kind."""

KINDS: Mapping[str, type[Study]] = {
    get_args(kind.model_fields["kind"].annotation)[0]: kind for kind in get_args(get_args(AnyStudy)[0])
}
"""Name of a kind -> its class."""
