"""All quantities by name, as the ledger calls them."""

import difflib
import re
from collections.abc import Callable, Mapping
from functools import cache

from sharpest.claims.curves import CURVES, of_measured
from sharpest.claims.end_points import END_POINTS
from sharpest.claims.files import RunFiles
from sharpest.claims.quantity import Quantity
from sharpest.claims.series import Series, Statistic, maximum, mean, peak, peak_epoch
from sharpest.claims.steps import STEPS
from sharpest.config.measures import declared
from sharpest.errors import ConfigError

QUANTITIES: Mapping[str, Quantity] = {quantity.name: quantity for quantity in (*CURVES, *STEPS, *END_POINTS)}
"""Those that have a definition of their own."""

_STATISTICS: Mapping[str, Statistic] = {"mean": mean, "maximum": maximum, "peak": peak, "peak_epoch": peak_epoch}
_COLUMN = re.compile(
    rf"(?P<measure>\w+)\.(?P<column>\w+)(?:\[(?P<index>\d+)\])?(?:\.(?P<statistic>{'|'.join(_STATISTICS)}))?"
)


@cache
def quantity_of(name: str) -> Quantity:
    """A quantity by its name, or any stored column: ``<measure>.<column>`` with ``[<index>]`` and ``.<statistic>``.

    Without a statistic it is a curve. ``trace.trace`` is one, ``spectra.eigenvalues[1].peak`` a number.

    Raises:
        ConfigError: If there is no such quantity, measure or column; with the nearest name.
    """
    if name in QUANTITIES:
        return QUANTITIES[name]
    match = _COLUMN.fullmatch(name)
    if match is None:
        close = difflib.get_close_matches(name, QUANTITIES, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(QUANTITIES)}, and <measure>.<column>"
        raise ConfigError(f"unknown quantity {name!r}; {hint}")
    datasets = {dataset.name: dataset for dataset in declared(match["measure"]).layout.datasets}
    if match["column"] not in datasets:
        close = difflib.get_close_matches(match["column"], datasets, n=1)
        hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(datasets)}"
        raise ConfigError(f"quantity {name!r}: {match['measure']} has no column {match['column']!r}; {hint}")
    dataset = datasets[match["column"]]
    if dataset.dims[0] != "t" or len(dataset.dims) != 1 + (match["index"] is not None):
        raise ConfigError(
            f"quantity {name!r}: {dataset.name} has the dimensions ({', '.join(dataset.dims)}); name a column of "
            "points, with [index] where it has a second dimension"
        )
    statistic = match["statistic"]
    return Quantity(
        name,
        dataset.unit,
        f"{statistic.replace('_', ' ') + ' of ' if statistic else ''}{dataset.meaning}".capitalize() + ".",
        f"layout of {match['measure']}",
        (match["measure"],),
        _column(match["measure"], dataset.name, None if match["index"] is None else int(match["index"])),
        _STATISTICS[statistic] if statistic else None,
        is_curve=statistic is None,
    )


def _column(measure: str, column: str, index: int | None) -> Callable[[RunFiles, str], Series]:
    def read(files: RunFiles, facet: str) -> Series:
        measured = files.measured(measure)
        values = measured[column]
        return of_measured(measured, values if index is None else values[:, index])

    return read
