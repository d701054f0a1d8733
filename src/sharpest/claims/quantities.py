"""All quantities, by their names in the ledger."""

import re
from collections.abc import Callable, Mapping
from functools import cache

from sharpest.claims.catapults import EDGE_TEST
from sharpest.claims.curves import BRANCHES, CURVES, DENSITIES, UPDATES, of_measured
from sharpest.claims.edges import edge_of
from sharpest.claims.end_points import END_POINTS
from sharpest.claims.quantity import Quantity, RunFiles
from sharpest.claims.shapes import Series, Statistic, maximum, mean, minimum, peak, peak_epoch
from sharpest.claims.steps import STEPS
from sharpest.claims.verdicts import Sample
from sharpest.config.measures import declared
from sharpest.errors import ConfigError, meant

QUANTITIES: Mapping[str, Quantity] = {
    quantity.name: quantity for quantity in (*CURVES, *STEPS, *END_POINTS, *UPDATES, *BRANCHES, *EDGE_TEST, *DENSITIES)
}
"""Quantities with their own definition; any stored column is a quantity too."""


def _late(series: Series) -> Series:
    """The last half of the points."""
    return series.rows(slice(len(series.epoch) // 2, None))


# statistic -> the part of the curve that is read, and the function that turns it into a number (None if it is one)
_Part = Callable[[Series], Series | Sample]
_STATISTICS: Mapping[str, tuple[_Part, Statistic | None]] = {
    "mean": (lambda series: series, mean),
    "late_mean": (_late, mean),
    "first": (lambda series: Sample(float(series.values[0, 0])), None),
    "last": (lambda series: Sample(float(series.values[-1, 0])), None),
    "minimum": (lambda series: series, minimum),
    "maximum": (lambda series: series, maximum),
    "peak": (lambda series: series, peak),
    "peak_epoch": (lambda series: series, peak_epoch),
}
_HIGHEST = ("maximum", "peak", "peak_epoch")  # lower bounds if the curve is still rising at its end
_UNITS = {"peak_epoch": "epochs"}  # units that differ from that of the column
_COLUMN = re.compile(
    r"(?P<measure>\w+)\.(?P<column>\w+)(?:\[(?P<index>\d+)\])?"
    r"(?:\.(?P<statistic>(?!(?:over_edge|ratio)\b)\w+))?(?P<over_edge>\.over_edge)?(?P<ratio>\.ratio)?"
)


@cache
def quantity_of(name: str) -> Quantity:
    """A quantity by its name, or a stored column.

    A column is ``<measure>.<column>[<index>].<statistic>.over_edge.ratio``, where all after the column is optional.
    Without a statistic the quantity is a curve: ``trace.trace`` is a curve, ``spectra.eigenvalues[1].peak`` a number.
    ``.over_edge`` divides by the edge of the run's optimizer; ``.ratio`` divides the number of the first group of runs
    by that of the second.

    Raises:
        ConfigError: If the quantity, measure, column or statistic is unknown; with the nearest name.
    """
    if name in QUANTITIES:
        return QUANTITIES[name]
    match = _COLUMN.fullmatch(name)
    if match is None:
        hint = meant(name, QUANTITIES, f"known: {', '.join(QUANTITIES)}, and <measure>.<column>")
        raise ConfigError(f"unknown quantity {name!r}; {hint}")
    try:
        return _stored(name, **match.groupdict())
    except ConfigError as error:
        raise ConfigError(f"quantity {name!r}: {error}") from None


def _stored(
    name: str,
    measure: str,
    column: str,
    index: str | None,
    statistic: str | None,
    over_edge: str | None,
    ratio: str | None,
) -> Quantity:
    """A stored column as a curve, or its statistic as a number."""
    datasets = {dataset.name: dataset for dataset in declared(measure).layout.datasets}
    if column not in datasets:
        hint = meant(column, datasets, f"it has {', '.join(datasets)}")
        raise ConfigError(f"{measure} has no column {column!r}; {hint}")
    if statistic is not None and statistic not in _STATISTICS:
        hint = meant(statistic, _STATISTICS, f"known: {', '.join(_STATISTICS)}")
        raise ConfigError(f"unknown statistic {statistic!r}; {hint}")
    dataset = datasets[column]
    if dataset.dims[0] != "t" or len(dataset.dims) != 1 + (index is not None):
        raise ConfigError(
            f"{column} has the dimensions ({', '.join(dataset.dims)}); name a column over points (t), with [index] if "
            "it has a second dimension"
        )
    if over_edge and statistic in _UNITS:
        raise ConfigError(f"{statistic} is a time, not a value of the column; remove over_edge")
    if ratio and statistic is None:
        raise ConfigError(f"ratio compares numbers, not curves; name a statistic before it: {', '.join(_STATISTICS)}")
    place = None if index is None else int(index)
    meaning = f"{statistic.replace('_', ' ')} of: {dataset.meaning}" if statistic else dataset.meaning
    meaning += ", over the edge of the run's optimizer" if over_edge else ""
    meaning += "; first runs over second" if ratio else ""
    part, number = _STATISTICS[statistic] if statistic else (lambda series: series, None)
    return Quantity(
        name,
        "" if over_edge or ratio else _UNITS.get(statistic or "", dataset.unit),
        f"{meaning[:1].upper()}{meaning[1:]}.",
        f"layout of {measure}",
        (measure,),
        _column(measure, column, place, bool(over_edge), part),
        number,
        is_curve=statistic is None,
        compare="ratio" if ratio else None,
        lower_bound=statistic in _HIGHEST,
        place=None if place is None else (dataset.dims[1], place),
    )


def _column(
    measure: str, column: str, index: int | None, over_edge: bool, part: _Part
) -> Callable[[RunFiles, str], Series | Sample]:
    def read(files: RunFiles, facet: str) -> Series | Sample:
        measured = files.measured(measure)
        values = measured[column] / (edge_of(measured) if over_edge else 1.0)
        return part(of_measured(measured, values if index is None else values[:, index]))

    return read
