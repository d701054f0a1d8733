"""Any stored column of any measure along training."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, NonNegativeInt, field_validator, model_validator

from sharpest.config.measures import Measure, declared
from sharpest.config.strict import Strict
from sharpest.config.studies.base import Curve, Input, Schedule, Study, settings_of
from sharpest.errors import ConfigError, meant
from sharpest.results.layout import Dataset

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
        shown = f"({', '.join(column.dims)})"
        if column.dims[0] != "t":
            raise ConfigError(
                f"{name} has dimensions {shown}, so no value for each point; name an array that has t first"
            )
        if len(self.index) != len(further):
            places = f"{len(further)} {'place' if len(further) == 1 else 'places'}"
            raise ConfigError(f"{name} has dimensions {shown}; give index {places}, not {len(self.index)}")
        lengths = measure.lengths(settings_of(self.measure, schedule))
        for place, letter in zip(self.index, further, strict=True):
            if place >= lengths.get(letter, place + 1):
                raise ConfigError(
                    f"index {place} exceeds {name} in schedules.{schedule.name}, whose {letter} ends at "
                    f"{lengths[letter] - 1}; lower it"
                )
        if self.error is not None and (error := _column(measure, self.error)).dims != column.dims:
            raise ConfigError(
                f"error {self.error} has dimensions ({', '.join(error.dims)}), {name} has {shown}; name an array of "
                "the same dimensions"
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


STUDY = MeasuredCurves
