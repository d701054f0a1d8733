"""How fast the leading eigenvectors turn, and where in the net they lie."""

from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from sharpest.config.studies.base import Curve, Input, Schedule, Study, settings_of
from sharpest.config.studies.moments import Moment
from sharpest.errors import ConfigError


class EigenvectorDrift(Study):
    """How fast the leading eigenvectors turn, and where in the net they lie: one row of panels per run."""

    always_reads: ClassVar[tuple[str, ...]] = ("spectra", "snapshots")
    kind: Literal["eigenvector_drift"]
    rows: tuple[Curve, ...] = Field(min_length=1)
    num_eigenvectors: PositiveInt
    """Number of leading eigenvectors drawn; they span the subspace whose overlap is computed."""
    moments: tuple[Moment, ...] = Field(default=("start", "peak", "end"), min_length=1)
    """When the shares of the layers are drawn: start, peak (of the largest eigenvalue), end, or shares of the run."""

    def check(self, curve: Curve | Input, schedule: Schedule) -> None:
        super().check(curve, schedule)
        measured = settings_of("spectra", schedule)
        if self.num_eigenvectors > measured.num_eigenpairs:
            raise ConfigError(
                f"num_eigenvectors {self.num_eigenvectors} exceeds num_eigenpairs {measured.num_eigenpairs}; raise "
                f"schedules.{schedule.name}.measures.spectra.num_eigenpairs"
            )
        if not measured.keep_vectors:
            raise ConfigError(
                f"eigenvectors are drawn; set schedules.{schedule.name}.measures.spectra.keep_vectors to true"
            )


STUDY = EigenvectorDrift
