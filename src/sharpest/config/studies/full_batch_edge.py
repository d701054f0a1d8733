"""Full-batch training at the edge of stability: loss, curvature over its edge, distance to the gradient flow."""

from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import Field

from sharpest.config.run_id import RunId
from sharpest.config.studies.base import Curve, Input, Schedule, Study
from sharpest.errors import ConfigError

FLOW = "gradient_flow"
"""The measure of the distance to the gradient flow."""


class EdgeLine(Curve):
    """One full-batch run, whose spectra are measured by its schedule."""

    flow: str | None = None
    """Schedule of its distance to the gradient flow; none = not drawn, as for a run with momentum, which has none."""


class FullBatchEdge(Study):
    """Full-batch training at the edge of stability: loss, curvature over its edge, distance to the gradient flow."""

    kind: Literal["full_batch_edge"]
    lines: tuple[EdgeLine, ...] = Field(min_length=1)
    x: Literal["iteration", "iteration x lr"] = "iteration x lr"
    """The x axis of all panels."""
    scale: Literal["log", "linear"] = "log"
    """Scale of the loss axis."""

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
        if RunId.parse(curve.run).is_adaptive:
            raise ConfigError(f"run {curve.run!r}: its edge applies to preconditioned curvature; name an SGD run")
        if RunId.parse(curve.run).rule != "fb":
            raise ConfigError(f"run {curve.run!r} is not a full-batch run; name one with -fb in its id")


STUDY = FullBatchEdge
