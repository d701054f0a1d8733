"""The definition of a quantity that a claim judges."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sharpest.claims.files import RunFiles
from sharpest.claims.series import Number, Series
from sharpest.claims.shapes import Statistic


@dataclass(frozen=True)
class Quantity:
    """A number, or curves, read from the files of a run.

    Attributes:
        name: Name in the ledger.
        unit: Unit of the number; empty if dimensionless.
        definition: Definition in words, for docs and results.
        source: Where the paper or the inventory defines it.
        needs: What is read: measures, ``snapshots``, ``history``, or names in ``OF_SPECTRA``.
        read: Maps files and facet to the number, or to the curves over the window that counts. Raises
            ``sharpest.claims.series.UnmeasuredError`` if the run does not have it.
        statistic: Turns the curves into the number; None if ``read`` returns the number or the curves are judged.
        is_curve: Whether the shape of a curve is judged instead of a number.
        facet: The facet that the claim must name: the scale of the step, or the direction.
        direction: A direction that must be measured besides that of the facet, from 1; None = no other.
        compare: How the numbers of two groups of runs become one: first minus second, or first over second.
        study: The study whose schedule measures it; None = that of the claim's own figure.
        sudden: A fall counts even if the curve recovers.
        lower_bound: The number is a lower bound if the smoothed curve is highest at its end.
        surrogates: Surrogate curves for the test against chance. ``blocks`` shuffles blocks of points, for shapes
            along training; ``shifts`` shifts the first curve circularly against the others, for curves that move
            together.
        control: Reads the same along a random direction, as a negative control.
        full_batch: Needs full-batch runs.
        place: For a stored column of two dimensions, the letter of the second dimension and the index in it, from 0.
    """

    name: str
    unit: str
    definition: str
    source: str
    needs: tuple[str, ...]
    read: Callable[[RunFiles, str], Series | Number]
    statistic: Statistic | None = None
    is_curve: bool = False
    facet: Literal["alpha", "direction"] | None = None
    direction: int | None = 1
    compare: Literal["difference", "ratio"] | None = None
    study: str | None = None
    sudden: bool = False
    lower_bound: bool = False
    surrogates: Literal["blocks", "shifts"] = "blocks"
    control: Callable[[RunFiles, str], Series | Number] | None = None
    full_batch: bool = False
    place: tuple[str, int] | None = None
