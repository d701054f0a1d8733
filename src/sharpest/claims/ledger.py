"""Read and check the ledgers of claims, one row per claim.

``config/claims.csv`` holds the claims of the paper, ``config/claims/<paper>.csv`` those of a later paper.
"""

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from sharpest.config.reading import read_text
from sharpest.config.run_id import RunId, without_seed
from sharpest.errors import ConfigError, meant, refuse
from sharpest.results.paths import BEYOND, PAPER

COLUMNS = (
    "id", "item", "kind", "statement", "subject", "quantity", "facet", "expected", "tolerance", "unit", "any_scale",
    "source", "kind_of", "ours", "implied_by", "note",
)  # fmt: skip
TRENDS = (
    "rises", "rises-for-long", "rises-then-settles", "falls", "rises-then-falls", "rises-then-falls-steadily",
    "rises-then-oscillates",
)  # fmt: skip
KINDS = ("order", "sign", "trend", "range", "value")
KINDS_OF = ("finding", "sanity")
"""What a claim is about: ``finding`` = SGD; ``sanity`` = that training and measurement work."""
VERDICTS = {"holds": "holds", "fails": "fails", "inconclusive": "inconclusive", "not_judged": "not judged"}
"""Verdict -> its display name. Only the first is a success."""
POSITIVE, NEGATIVE = (0.0, math.inf), (-math.inf, 0.0)
_SIGNS = {"+": POSITIVE, "-": NEGATIVE}
_TOLERANCES: Mapping[str, Callable[[float, float], tuple[float, float]]] = {
    "abs": lambda value, size: (value - size, value + size),
    "rel": lambda value, size: (value - size * abs(value), value + size * abs(value)),
    "factor": lambda value, size: (value / size, value * size),
}
_PAPER_KEY = re.compile(r"[a-z][a-z0-9]*")  # the key of a later paper, such as andreyev2024
_NO_RUNS = "none"  # starts the subject of a claim that needs no run


@dataclass(frozen=True)
class Claim:
    """One row of a ledger.

    Attributes:
        row: Column -> cell; ``paper`` as well if the claim is from a later paper.
        groups: Runs of the subject; a group holds runs that differ only in their seed. Empty if no run is needed.
        levels: Levels of an order, the largest first; else empty.
        bounds: Lowest and highest allowed value of a sign, range or value; for an order, of each difference between
            neighbouring levels; unused for a trend.
    """

    row: Mapping[str, str]
    groups: tuple[tuple[str, ...], ...]
    levels: tuple[str, ...]
    bounds: tuple[float, float]

    def __getitem__(self, column: str) -> str:
        return self.row[column]

    @property
    def id(self) -> str:
        return self.row["id"]

    @property
    def paper(self) -> str:
        """Key of the later paper that makes the claim; empty for claims of the paper itself."""
        return self.row.get("paper", "")

    @property
    def place(self) -> str:
        """File and id, the start of an error message."""
        return f"config/claims{'/' * bool(self.paper)}{self.paper}.csv, claim {self.id}"

    @property
    def runs(self) -> tuple[str, ...]:
        return tuple(run for group in self.groups for run in group)

    def of_seeds(self, seeds: Iterable[int]) -> "Claim":
        """The same claim about runs with other seeds."""
        groups = tuple(tuple(str(RunId.parse(group[0]).of_seed(seed)) for seed in seeds) for group in self.groups)
        subject = ";".join(run for group in groups for run in group)
        return replace(self, row={**self.row, "subject": subject}, groups=groups)

    @property
    def any_scale(self) -> bool:
        """Whether the claim is judged at every scale, not only at the paper's."""
        return self.row["any_scale"] == "yes"

    @property
    def implied_by(self) -> str | None:
        """The id of the claim that implies this one, which is then not counted."""
        return self.row["implied_by"] or None


def read_ledgers(folder: Path) -> dict[str, tuple[Claim, ...]]:
    """The ledger of the paper, and those of later papers joined in the order of their names.

    Args:
        folder: The folder ``config``.

    Raises:
        ConfigError: As for ``read_ledger``; or if a file name is not the key of a paper, or two files share an id.
    """
    ledgers = {PAPER: list(read_ledger(folder / "claims.csv")), BEYOND: []}
    places = {claim.id: claim.place for claim in ledgers[PAPER]}
    for path in sorted((folder / "claims").glob("*.csv")):
        if not _PAPER_KEY.fullmatch(path.stem):
            raise ConfigError(
                f"{path}: the file name should be the key of a paper, such as andreyev2024.csv; rename it"
            )
        for claim in read_ledger(path, path.stem):
            if claim.id in places:
                raise ConfigError(f"{path}, claim {claim.id}: {places[claim.id]} has the same id; change one of them")
            places[claim.id] = claim.place
            ledgers[BEYOND].append(claim)
    return {name: tuple(claims) for name, claims in ledgers.items()}


def read_ledger(path: Path, paper: str = "") -> tuple[Claim, ...]:
    """Read and check all rows.

    Args:
        path: The file.
        paper: Key of the later paper that makes the claims; empty for the paper itself.

    Raises:
        ConfigError: If the file or a row is invalid, with the id of the row and the remedy.
    """
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        columns, rows = reader.fieldnames, list(reader)
    except csv.Error as error:
        raise ConfigError(f"{path} cannot be read ({error}); restore it") from None
    if tuple(columns or ()) != COLUMNS:
        raise ConfigError(f"{path}: the columns are {', '.join(COLUMNS)}; restore the first line")
    claims: dict[str, Claim] = {}
    for row in rows:
        where, name = f"{path}, claim {row['id'] or '?'}: ", row["id"]
        cells = f"expected {len(COLUMNS)} cells, as in the first line; add or remove commas"
        refuse(where, (None in row or None in row.values(), cells))
        refuse(where, (name in claims or not name, "each row needs a unique id; change it"))
        try:
            claims[name] = parse_claim({"paper": paper, **row} if paper else row)
        except ConfigError as error:
            raise ConfigError(f"{where}{error}") from None
    for claim in claims.values():
        _check_implied(claim, f"{path}, claim {claim.id}: ", claims)
    return tuple(claims.values())


def _check_implied(claim: Claim, place: str, claims: Mapping[str, Claim]) -> None:
    """Check that a claim is implied by another claim, if any, which is not implied itself."""
    by = claim.implied_by
    if by is None:
        return
    root = claims[by].implied_by if by in claims else None
    refuse(
        place,
        (by == claim.id, "implied_by names the claim itself; name another claim, or leave it empty"),
        (by not in claims, f"unknown claim {by!r} in implied_by; {meant(by, claims, 'correct it')}"),
        (root, f"implied_by {by} is itself implied by {root}; name {root}"),
    )


def parse_claim(row: Mapping[str, str]) -> Claim:
    """Parse one row of a ledger, given as column -> cell.

    Raises:
        ConfigError: If a cell is invalid, with the remedy.
    """
    kind, expected, tolerance = row["kind"], row["expected"], row["tolerance"]
    levels = tuple(expected.split(">")) if kind == "order" else ()
    in_order = len(levels) >= 2 and len(set(levels)) == len(levels) and all(levels)
    low, dots, high = expected.partition("..")
    wish = f"expected {expected!r} should be "
    refuse(
        "",
        (row["any_scale"] not in ("yes", "no"), f"any_scale {row['any_scale']!r} should be yes or no"),
        (row["kind_of"] not in KINDS_OF, f"kind_of {row['kind_of']!r} should be {' or '.join(KINDS_OF)}"),
        (
            row["ours"] not in ("yes", ""),
            f"ours {row['ours']!r} should be yes, or empty for what the paper states",
        ),
        (row["ours"] and not row["note"], "a claim of ours needs a note; give the reason for the claim in it"),
        (tolerance and kind != "value", f"a claim of kind {kind} takes no tolerance; remove {tolerance!r}"),
        (kind not in KINDS, f"kind {kind!r} should be order, sign, trend, range or value"),
        (kind == "order" and not in_order, f"{wish}an order, such as 0.01>0.1>1.0, with each level once"),
        (kind == "sign" and expected not in _SIGNS, f"{wish}a sign; write + or -"),
        (kind == "trend" and expected not in TRENDS, f"{wish}a trend; write one of {', '.join(TRENDS)}"),
    )
    bounds = (-math.inf, math.inf)
    if kind == "order":
        bounds = POSITIVE
    elif kind == "sign":
        bounds = _SIGNS[expected]
    elif kind == "value":
        bounds = _around(_number(expected), tolerance)
    elif kind == "range":
        bounds = (_number(low, -math.inf), _number(high, math.inf))
        is_range = dots and (low or high) and bounds[0] < bounds[1]
        refuse("", (not is_range, f"{wish}a range; write low..high, or leave one end empty"))
    return Claim(row, _groups(row["subject"]), levels, bounds)


def _number(text: str, empty: float = math.nan) -> float:
    try:
        number = float(text or empty)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise ConfigError(f"expected should be a number, found {text!r}; correct it")
    return number


def _around(value: float, tolerance: str) -> tuple[float, float]:
    kind, _, text = tolerance.partition(":")
    try:
        size = float(text)
    except ValueError:
        size = math.nan
    least = 1 if kind == "factor" else 0
    if kind not in _TOLERANCES or not least <= size < math.inf or (kind == "factor" and value <= 0):
        raise ConfigError(
            f"tolerance {tolerance!r} around {value:g} should be abs:x or rel:x with x at least 0, or factor:x with x "
            "at least 1 around a positive number"
        )
    return _TOLERANCES[kind](value, size)


def _groups(subject: str) -> tuple[tuple[str, ...], ...]:
    """The runs of a subject; neighbours that differ only in their seed form a group."""
    if subject.startswith(_NO_RUNS):
        return ()
    runs = subject.split(";")
    groups = tuple(tuple(group) for _, group in groupby(runs, key=without_seed))
    of_seeds = {tuple(RunId.parse(run).seed for run in group) for group in groups}
    refuse(
        "",
        (len(set(runs)) < len(runs), "subject names a run twice; remove one"),
        (len(of_seeds) > 1, "runs are compared seed by seed; give each group of runs in subject the same seeds"),
    )
    return groups
