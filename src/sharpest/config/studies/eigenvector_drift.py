"""How fast the leading eigenvectors turn, and where in the net they lie."""

from typing import Literal

from pydantic import Field, PositiveInt

from sharpest.config.studies.base import Curve, Input, Schedule, Study, check_num_eigenvalues, settings_of
from sharpest.config.studies.moments import Moment
from sharpest.errors import ConfigError


class EigenvectorDrift(Study):
    """How fast the leading eigenvectors turn, and where in the net they lie: one row of panels a run."""

    kind: Literal["eigenvector_drift"]
    rows: tuple[Curve, ...] = Field(min_length=1)
    num_eigenvectors: PositiveInt
    """Eigenvectors drawn, the leading ones; they span the subspace whose overlap is taken."""
    moments: tuple[Moment, ...] = Field(default=("start", "peak", "end"), min_length=1)
    """When the shares of the layers are drawn: start, peak (of the largest eigenvalue), end, or shares of the run."""

    @property
    def reads(self) -> tuple[str, ...]:
        return ("spectra", "snapshots")

    def curves(self) -> list[Curve]:
        return list(self.rows)

    def check(self, curve: Curve | Input, schedule: Schedule) -> None:
        super().check(curve, schedule)
        check_num_eigenvalues(self.num_eigenvectors, schedule)
        if not settings_of("spectra", schedule).keep_vectors:
            raise ConfigError(
                f"eigenvectors are drawn; set schedules.{schedule.name}.measures.spectra.keep_vectors to true"
            )


STUDY = EigenvectorDrift
