"""What a quantity is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sharpest.claims.files import RunFiles
from sharpest.claims.series import Number, Series
from sharpest.claims.shapes import Statistic


@dataclass(frozen=True)
class Quantity:
    """A number, or curves, that the files of a run give.

    Attributes:
        name: As in the ledger.
        unit: Of the number; empty where it has none.
        definition: In words, for docs and results.
        source: Where the paper or the inventory defines it.
        needs: What is read: measures, ``snapshots``, ``history``, or what ``OF_SPECTRA`` names.
        read: Files and facet to the number, or to the curves over the window that counts. Raises
            :class:`~sharpest.claims.series.UnmeasuredError` where the run does not give it.
        statistic: Turns the curves into the number; None where ``read`` gives it, or the curves themselves are judged.
        is_curve: It is no number: the shape of its curves is judged.
        facet: What else has to be said: the scale of the step, or the direction.
        direction: Along which it is measured beside the facet's, from 1; None = the facet's alone.
        compare: How the numbers of two groups of runs become one: first minus or over second.
        study: Whose schedule measures it; None = that of the claim's own figure.
        sudden: A fall counts though the curve recovers.
        lower_bound: Where the smoothed curve is highest at its end, the number is a lower bound.
        surrogates: What a test against chance makes of the curves: blocks of points shuffled, for shapes along
            training; or the first curve shifted in a circle against the others, for curves that move together.
        control: Reads the same along a random direction, as a negative control.
        full_batch: Only full-batch runs give it.
        place: Of a stored column of two dimensions, the letter of the second one and the place in it, from 0.
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
