"""The results that figures are drawn from, by curve."""

from collections.abc import Mapping
from typing import TypeVar

from sharpest.config.studies.base import Curve
from sharpest.errors import ConfigError
from sharpest.results.runs import Results, RunResults
from sharpest.results.stored import Measured, reader_of

_Reader = TypeVar("_Reader", bound=Measured)


class FigureInputs:
    """The results behind a figure.

    Args:
        results: The results of the scale.
        windows: Run and schedule -> early window in epochs; None if the schedule has none.

    Attributes:
        results: The results of the scale.
    """

    def __init__(self, results: Results, windows: Mapping[tuple[str, str], float | None]) -> None:
        self.results, self._windows = results, windows

    def __getitem__(self, run: str) -> RunResults:
        """A run by its id, with its snapshots and history."""
        return self.results[run]

    def read(self, reader: type[_Reader], curve: Curve) -> _Reader:
        """The measurements along a curve, through the reader class of their measure."""
        return self.results[curve.run].read(reader, curve.schedule)

    def by_seed(self, reader: type[_Reader], curve: Curve) -> list[_Reader]:
        """The measurements along each seed of a curve."""
        return [self.read(reader, each) for each in curve.by_seed()]

    def measured(self, measure: str, curve: Curve) -> Measured:
        """The measurements along a curve, by the name of their measure."""
        return self.results[curve.run].read(reader_of(measure), curve.schedule)

    def window(self, curve: Curve) -> float | None:
        """The early window of a curve in epochs; None if its schedule has none."""
        return self._windows.get((curve.run, curve.schedule))

    def early_window(self, curve: Curve) -> float:
        """The early window in epochs of a curve that has a panel for it.

        Raises:
            ConfigError: If its schedule has no early window.
        """
        window = self.window(curve)
        if window is None:
            raise ConfigError(f"schedules.{curve.schedule} has no window_epochs, which the early panel needs; add it")
        return window
