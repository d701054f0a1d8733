"""The ledgers of claims: one row a claim, checked as it is read.

``config/claims.csv`` is the paper's, ``config/claims/<paper>.csv`` that of a later one.
"""

import csv
import difflib
import io
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from sharpest.config.run_id import RunId
from sharpest.config.yaml_file import read_text
from sharpest.errors import ConfigError
from sharpest.results.ledgers import BEYOND, PAPER

COLUMNS = (
    "id", "item", "kind", "statement", "subject", "quantity", "facet", "expected", "tolerance", "unit", "any_scale",
    "source", "kind_of", "ours", "implied_by", "note",
)  # fmt: skip
TRENDS = (
    "rises", "rises-for-long", "rises-then-settles", "falls", "rises-then-falls", "rises-then-falls-steadily",
    "rises-then-oscillates",
)  # fmt: skip
KINDS_OF = ("finding", "sanity")
"""What a claim is about: SGD; or that nothing is broken, which any working training and measurement shows."""
VERDICTS = {"holds": "holds", "fails": "fails", "inconclusive": "inconclusive", "not_judged": "not judged"}
"""Verdict -> its name for readers. Only the first is a success."""
POSITIVE, NEGATIVE = (0.0, math.inf), (-math.inf, 0.0)
_SIGNS = {"+": POSITIVE, "-": NEGATIVE}
_TOLERANCES: Mapping[str, Callable[[float, float], tuple[float, float]]] = {
    "abs": lambda value, size: (value - size, value + size),
    "rel": lambda value, size: (value - size * abs(value), value + size * abs(value)),
    "factor": lambda value, size: (value / size, value * size),
}
_LATER = re.compile(r"[a-z][a-z0-9]*")  # the key of a later paper, such as andreyev2024
_NO_RUNS = "none"  # begins the subject of a claim that is judged without any run


@dataclass(frozen=True)
class Claim:
    """One row.

    Attributes:
        row: Its cells, by column; ``paper`` beside them where it is a later one's.
        groups: Runs of its subject, those that differ in their seed alone together; empty where it needs none.
        levels: Of an order, the largest first; else empty.
        bounds: Lowest and highest allowed value of a sign, range or value; of an order, of each difference between
            neighbouring levels; of a trend, without meaning.
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
        """Key of the later paper that makes it; empty for the paper's own."""
        return self.row.get("paper", "")

    @property
    def place(self) -> str:
        """Where it stands, as complaints begin."""
        return f"config/claims{'/' * bool(self.paper)}{self.paper}.csv, claim {self.id}"

    @property
    def runs(self) -> tuple[str, ...]:
        return tuple(run for group in self.groups for run in group)

    @property
    def any_scale(self) -> bool:
        """Whether it can be judged at every scale, and not at the paper's alone."""
        return self.row["any_scale"] == "yes"

    @property
    def is_finding(self) -> bool:
        """Whether it says something about SGD, and not only that nothing is broken."""
        return self.row["kind_of"] == "finding"

    @property
    def is_ours(self) -> bool:
        """Whether the paper does not state it in these words."""
        return self.row["ours"] == "yes"

    @property
    def implied_by(self) -> str | None:
        """The id of the claim beside which it is not counted."""
        return self.row["implied_by"] or None


def read_ledgers(folder: Path) -> dict[str, tuple[Claim, ...]]:
    """The paper's ledger, and those of later papers as one, in the order of their names.

    Args:
        folder: The folder ``config``.

    Raises:
        ConfigError: As of :func:`read_ledger`; or if a file has the name of no paper, or two files have the same id.
    """
    ledgers = {PAPER: list(read_ledger(folder / "claims.csv")), BEYOND: []}
    files = {claim.id: claim.place for claim in ledgers[PAPER]}
    for path in sorted((folder / "claims").glob("*.csv")):
        if not _LATER.fullmatch(path.stem):
            raise ConfigError(f"{path}: its name should be the key of a paper, such as andreyev2024.csv; rename it")
        for claim in read_ledger(path, path.stem):
            if claim.id in files:
                raise ConfigError(f"{path}, claim {claim.id}: {files[claim.id]} has that id; change one of them")
            files[claim.id] = claim.place
            ledgers[BEYOND].append(claim)
    return {name: tuple(claims) for name, claims in ledgers.items()}


def read_ledger(path: Path, paper: str = "") -> tuple[Claim, ...]:
    """Read and check all rows.

    Args:
        path: The file.
        paper: Key of the later paper whose claims it has; empty for the paper's own.

    Raises:
        ConfigError: In one line, with the id of the row and the remedy.
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
        where = f"{path}, claim {row['id'] or '?'}"
        if None in row or None in row.values():
            raise ConfigError(f"{where}: expected {len(COLUMNS)} cells, as in the first line; add or remove commas")
        if row["id"] in claims or not row["id"]:
            raise ConfigError(f"{where}: each row needs an id of its own; change it")
        try:
            claims[row["id"]] = parse_claim({"paper": paper, **row} if paper else row)
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from None
    for claim in claims.values():
        if claim.implied_by:
            try:
                _check_implied(claim.id, claim.implied_by, claims)
            except ConfigError as error:
                raise ConfigError(f"{path}, claim {claim.id}: {error}") from None
    return tuple(claims.values())


def _check_implied(claim: str, by: str, claims: Mapping[str, Claim]) -> None:
    """That a claim is implied by another one, which is counted itself."""
    if by == claim:
        raise ConfigError("implied_by names the claim itself; name another one, or leave it empty")
    if by not in claims:
        close = difflib.get_close_matches(by, claims, n=1)
        raise ConfigError(f"implied_by {by!r} is no claim; {f'did you mean {close[0]}?' if close else 'correct it'}")
    if further := claims[by].implied_by:
        raise ConfigError(f"implied_by {by} is itself implied by {further}; name that one")


def parse_claim(row: Mapping[str, str]) -> Claim:
    """One row of the ledger, whose cells are given by column.

    Raises:
        ConfigError: If a cell is not what its column asks for, with the remedy.
    """
    if row["any_scale"] not in ("yes", "no"):
        raise ConfigError(f"any_scale {row['any_scale']!r} should be yes or no")
    if row["kind_of"] not in KINDS_OF:
        raise ConfigError(f"kind_of {row['kind_of']!r} should be {' or '.join(KINDS_OF)}")
    if row["ours"] not in ("yes", ""):
        raise ConfigError(f"ours {row['ours']!r} should be yes, or empty for what the paper states")
    if row["ours"] and not row["note"]:
        raise ConfigError("a claim of ours needs a note; say there why it is made")
    if row["tolerance"] and row["kind"] != "value":
        raise ConfigError(f"a claim of kind {row['kind']} takes no tolerance; remove {row['tolerance']!r}")
    levels: tuple[str, ...] = ()
    bounds = (-math.inf, math.inf)
    match row["kind"], row["expected"]:
        case "order", expected:
            levels, bounds = tuple(expected.split(">")), POSITIVE
            if len(levels) < 2 or len(set(levels)) < len(levels) or not all(levels):
                raise ConfigError(f"expected {expected!r} is no order; write levels as in 0.01>0.1>1.0, each once")
        case "sign", expected:
            if expected not in _SIGNS:
                raise ConfigError(f"expected {expected!r} is no sign; write + or -")
            bounds = _SIGNS[expected]
        case "trend", expected:
            if expected not in TRENDS:
                raise ConfigError(f"expected {expected!r} is no trend; write one of {', '.join(TRENDS)}")
        case "range", expected:
            low, dots, high = expected.partition("..")
            bounds = (_number(low, -math.inf), _number(high, math.inf))
            if not dots or not (low or high) or not bounds[0] < bounds[1]:
                raise ConfigError(f"expected {expected!r} is no range; write low..high, or leave one end empty")
        case "value", expected:
            bounds = _around(_number(expected), row["tolerance"])
        case kind, _:
            raise ConfigError(f"kind {kind!r} should be order, sign, trend, range or value")
    return Claim(row, _groups(row["subject"]), levels, bounds)


def _number(text: str, empty: float = math.nan) -> float:
    try:
        number = float(text or empty)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise ConfigError(f"expected should hold a number, found {text!r}; correct it")
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
            f"tolerance {tolerance!r} around {value:g} should be abs:x or rel:x with x of at least 0, or factor:x with "
            "x of at least 1 around a number above 0"
        )
    return _TOLERANCES[kind](value, size)


def _groups(subject: str) -> tuple[tuple[str, ...], ...]:
    """Neighbouring runs that differ in their seed alone are one group."""
    if subject.startswith(_NO_RUNS):
        return ()
    runs = subject.split(";")
    groups = tuple(tuple(group) for _, group in groupby(runs, key=without_seed))
    if len(set(runs)) < len(runs):
        raise ConfigError("subject names a run twice; remove one")
    if len({tuple(RunId.parse(run).seed for run in group) for group in groups}) > 1:
        raise ConfigError("the runs of subject should have the same seeds, as runs are compared seed by seed")
    return groups


def without_seed(run: str) -> RunId:
    """What runs have in common that differ in their seed alone."""
    return replace(RunId.parse(run), seed=0)
