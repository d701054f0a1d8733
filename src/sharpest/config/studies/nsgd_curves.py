"""Validation accuracy and curvature along training of NSGD and SGD, and their end points (Figs. 8, 19, 22)."""

from collections.abc import Iterable
from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from sharpest.config.strict import Strict
from sharpest.config.studies.base import Curve, Input, Schedule, SeedRuns, Study, check_ends


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


STUDY = NsgdCurves
