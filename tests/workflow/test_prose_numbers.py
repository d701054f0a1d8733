"""Handwritten sentences say no more than the tables beside them, and have the same numbers.

Numbers are compared where the sentence names a claim; counts where the page names what is counted.
"""

import re
from collections import Counter
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from sharpest.claims.ledger import TRENDS, read_ledgers
from sharpest.claims.shapes import trend
from sharpest.config.project import Project, load_project
from sharpest.pipeline.gallery import by_hand
from sharpest.results.paths import PAPER

from .conftest import ROOT
from .test_prose import GALLERY, LISTED, PAGES, TABLES

TEXTS = [ROOT / name for name in ("README.md", "docs/findings.md", "docs/edge.md", "docs/small-scale-diary.md")] + PAGES
LATER = pd.concat([entry.claims for entry in LISTED if entry.made.beyond]).set_index("id")
LATER = LATER[LATER["any_scale"] == "yes"]


def intervals(table: pd.DataFrame, suffix: str = "") -> dict[str, tuple[float, ...]]:
    """Claim -> value, lower and upper end of the 95 % interval."""
    numbers = table[["value", "low", "high"]].apply(pd.to_numeric)
    return {f"{name}{suffix}": tuple(row) for name, row in zip(numbers.index, numbers.to_numpy(), strict=True)}


RANGES = intervals(TABLES["small"].set_index("id")) | intervals(LATER)
for scale, table in TABLES.items():
    RANGES |= intervals(table.set_index("id"), f" at {scale}")

_NUMBER = r"[-+]?\d[\d,]*(?:\.\d+)?"
_RANGE = rf"(?<![\w-])({_NUMBER})(?: %| points| times)? (?:\(|\| )({_NUMBER}) to ({_NUMBER})"
_CITED = r"`([\w.]+)` (holds|fails|inconclusive)((?: at [\w-]+)?)"
_AFTER = re.compile(rf"(?:\): |\) \(|; | \| )({_CITED}(?:, {_CITED})*)")
_ROW = re.compile(rf"\| {_CITED} \| {_RANGE}\)")
_TWO_RUNS = re.compile(rf"\| `([\w.]+)` \| \w+, {_RANGE}\) \| \w+, {_RANGE}\) \|")
_DIRECTION = re.compile(
    r"\b(?:raises?|lowers?|falls?|rises?|leads?|ahead|behind|better|worse|faster|farther|sharper|flatter|larger|smaller)\b"
)
_OPEN = ("undecided", "inconclusive", "nothing", "exclude zero", "neither")
"""Words of a sentence that leaves a question open."""


def text_of(path: Path) -> str:
    """What was written by hand, without line breaks."""
    return " ".join((by_hand(path) if path in PAGES else path.read_text(encoding="utf-8")).split())


def named_ranges(text: str) -> list[tuple[str, tuple[str, ...]]]:
    """Claims and the texts of the value and the 95 % interval that a sentence or row prints with them."""
    found = [(row[0] + row[2], row[3:]) for row in _ROW.findall(text)]
    for row in _TWO_RUNS.findall(text):
        found += [(row[0], row[1:4]), (f"{row[0]} at small-five", row[4:])]
    chain: list[re.Match[str]] = []
    for match in re.finditer(_RANGE, text):
        joined = chain and text[chain[-1].end() : match.start()] == ") and "
        chain = [*chain, match] if joined else [match]
        if after := _AFTER.match(text, match.end()):
            cited = re.findall(_CITED, after[1])
            found += [(name + scale, one.groups()) for one, (name, _, scale) in zip(chain, cited, strict=False)]
    return found


def wrong_ranges(text: str, ranges: dict[str, tuple[float, ...]]) -> list[str]:
    """Claims printed with other numbers than those of the table."""
    return [
        f"{name}: {printed}"
        for name, printed in named_ranges(text)
        if not all(is_rounded(shown, value) for shown, value in zip(printed, ranges[name], strict=True))
    ]


def is_rounded(shown: str, value: float) -> bool:
    """Whether a printed number is that value with its printed digits."""
    digits = len(shown.partition(".")[2])
    return abs(float(shown.replace(",", "")) - value) <= 0.5 * 10.0**-digits * 1.001


def decided_through_zero(text: str) -> list[str]:
    """Clauses that give a direction with an interval that includes zero, in a sentence that does not leave it open."""
    return [
        clause
        for sentence in re.split(r"(?<=[.:]) (?=[A-Z*|`])", text)
        if not any(word in sentence for word in _OPEN)
        for clause in re.split(r"[;:|] ", sentence)
        if _DIRECTION.search(clause)
        for _, low, high in re.findall(_RANGE, clause)
        if low.startswith("-") and float(high.replace(",", "")) > 0
    ]


def answers(text: str) -> list[tuple[str, set[str]]]:
    """The answer of each row of a table of questions, and the verdicts cited in the row."""
    rows = [line.split(" | ") for line in text.splitlines() if re.match(r"\| [^|]*\? \|", line)]
    return [(row[1], {verdict for _, verdict, _ in re.findall(_CITED, " ".join(row[2:]))}) for row in rows]


def wrong_answers(text: str) -> list[str]:
    """Answers that begin with yes or no although not every verdict of the row agrees."""
    needed = {"yes": {"holds"}, "no": {"fails"}}
    return [
        answer
        for answer, verdicts in answers(text)
        if (word := re.match(r"\**(yes|no)\b", answer)) and verdicts - needed[word[1]]
    ]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("+6 % (1 to 11) and -2.5 % (-3 to -2): `a` holds, `b` fails", []),
        ("+6 % (1 to 11) and -2.51 % (-3 to -2): `a` holds, `a` holds", ["a: ('-2.51', '-3', '-2')"]),
        ("it changes by 6.1 (1.2 to 10.5; `a` holds)", ["a: ('6.1', '1.2', '10.5')"]),
        ("| `a` holds | 6.1 (1.2 to 11.2) | equal |", []),
        ("| Adam | 6.1 | 1.2 to 11 | `a` holds |", []),
        ("| `a` | holds, 6 (1 to 11) | fails, 7 (2 to 12) |", ["a at small-five: ('7', '2', '12')"]),
    ],
)  # fmt: skip
def test_numbers_of_claims_are_found(text: str, wrong: list[str]) -> None:
    ranges = {"a": (6.1, 1.2, 11.2), "b": (-2.51, -3.01, -1.99), "a at small-five": (8.0, 2.0, 12.0)}
    assert wrong_ranges(text, ranges) == wrong


def test_directions_and_answers_are_found() -> None:
    assert decided_through_zero("So they raise it by 2.3 % (-0.0 to 4.6) and 5 % (3 to 8). It grows.")
    assert not decided_through_zero("It raises the loss by 2.3 % (0.1 to 4.6). It falls by 3 (-1 to 5), undecided.")
    table = "| Is it? | yes | `a` holds | `b` inconclusive |\n| Is it? | no; so | `a` fails | |\n"
    assert wrong_answers(table) == ["yes"]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_numbers_of_claims_are_those_of_the_table(path: Path) -> None:
    assert wrong_ranges(text_of(path), RANGES) == []


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_an_interval_that_includes_zero_gives_no_direction(path: Path) -> None:
    assert decided_through_zero(text_of(path)) == []


def test_an_answer_is_yes_or_no_only_if_all_its_verdicts_agree() -> None:
    text = (ROOT / "docs/findings.md").read_text(encoding="utf-8")
    assert len(answers(text)) >= 9
    assert wrong_answers(text) == []


@pytest.mark.parametrize("scale", sorted(TABLES))
def test_numbers_as_claimed_stand_beside_those_by_chance(scale: str) -> None:
    chance = pd.read_csv(GALLERY / f"claims-{scale}/claims.by_chance.csv").set_index("item").loc["all"]
    claimed, null, all_of_them = int(chance["as_claimed"]), chance["null_as_claimed"], int(chance["claims"])
    said = {
        "quick": f"On digits {claimed} of {all_of_them} are, {null:.0f} on average by chance",
        "small": f"on images {claimed}, by chance {null:.0f}",
        "small-five": f"At small-five {claimed} of {all_of_them} are, where chance gives {null:.1f} (at most "
        f"{chance['null_as_claimed_high']:.0f}; p = {chance['p_as_claimed']:.2f})",
    }
    assert said[scale] in text_of(ROOT / "docs/findings.md")


def test_later_claims_are_counted_beside_how_their_bounds_were_set() -> None:
    claims = {
        claim.id: claim for key, claims in read_ledgers(ROOT / "config").items() if key != PAPER for claim in claims
    }
    counts: dict[str, Counter[str]] = {
        "fixed before the first run": Counter(),
        "none": Counter(),
        "any other": Counter(),
    }
    for name, verdict in LATER["verdict"].items():
        fixed = re.search(r"fixed before the first run(?! of the schedule)", claims[str(name)]["note"])
        none = claims[str(name)]["kind"] in ("sign", "order", "trend")
        counts["fixed before the first run" if fixed else "none" if none else "any other"][verdict] += 1
    counts["all"] = sum(counts.values(), Counter())
    page = (ROOT / "docs/beyond.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ([a-z ]+)[^|]*\| (\d+ \| \d+ \| \d+ \| \d+) \|$", page, re.MULTILINE))
    rows = {bound.strip(): numbers for bound, numbers in rows.items()}
    for bound, verdicts in counts.items():
        numbers = [verdicts.total(), *(verdicts[verdict] for verdict in ("holds", "fails", "inconclusive"))]
        assert rows[bound] == " | ".join(map(str, numbers)), bound


def test_bounds_of_trends_are_those_of_the_code() -> None:
    rows = re.findall(
        r"^\| `([\w-]+)` \|.*\| at (least|most) (-?[\d.]+)", (ROOT / "docs/claims.md").read_text(), re.MULTILINE
    )
    assert {name for name, _, _ in rows} == set(TRENDS)
    for name, side, bound in rows:
        assert trend(name, sudden=False).bounds[side == "most"] == float(bound), name


@cache
def project(scale: str) -> Project:
    return load_project({"scale": scale}, ROOT / "config")


@pytest.mark.parametrize("branch", ["e20", "e100"])
def test_branches_start_where_the_page_says(branch: str) -> None:
    run = project("small").run(f"fcn200-c5k-sgd-lr0.01-S50-mse-s1001@{branch}/sgd")
    assert f"branch, epoch {run.branch.epoch} |" in text_of(GALLERY / "dominant_bulk/README.md")
