"""End points of runs, mean and spread over seeds, next to the paper's (Tables 1-7)."""

from collections.abc import Iterable
from typing import ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from sharpest.config.studies.base import Curve, Input, Schedule, SeedRuns, Study, check_ends

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


STUDY = EndPoints
