"""Handwritten text about a claim agrees with the tables beside it.

A citation is the id of a claim followed by its verdict: `fig1.lmax_trend` fails. It refers to the page of the figure or
table. `fig1.lmax_trend` holds at quick refers to all claims at that scale.
"""

import re
from pathlib import Path

import pandas as pd
import pytest

from sharpest.claims.ledger import VERDICTS, read_ledger
from sharpest.claims.report import read_judged
from sharpest.pipeline.gallery import by_hand, once
from sharpest.pipeline.gallery_entries import NOT_RUN, Entry, entries

from .conftest import ROOT

GALLERY = ROOT / "docs/gallery"
LISTED = entries(GALLERY)
IDS = {claim.id for claim in read_ledger(ROOT / "config/claims.csv")}
TABLES = {folder.name.partition("-")[2]: read_judged(folder / "claims.csv") for folder in GALLERY.glob("claims-*")}
KEPT = {row["id"]: row["verdict"].replace("_", " ") for row in once(LISTED).to_dict("records")} | {
    f"{name} at {scale}": verdict.replace("_", " ")
    for scale, table in TABLES.items()
    for name, verdict in table.set_index("id")["verdict"].items()
}
PAGES = sorted(GALLERY.glob("**/README.md"))

_WORDS = "|".join([*VERDICTS.values(), NOT_RUN])
_SCALES = "|".join(sorted({*TABLES, "paper"}, key=len, reverse=True))  # small-five before small
_CITED = re.compile(rf"`([\w.]+)`(?: (?:is )?({_WORDS})\b)?((?: at (?:{_SCALES}))?)")
_VERDICT = re.compile(
    r"\b(?:hold|holds|held|fail|fails|failed|inconclusive|contradicts?|contradicted)\b", re.IGNORECASE
)


def wrong_citations(text: str, verdicts: dict[str, str]) -> list[str]:
    """Claim ids followed by a wrong verdict or by none, and verdicts on names that are not claims."""
    joined = " ".join(text.split())
    cited = [(name, verdict, scale) for name, verdict, scale in _CITED.findall(joined) if verdict or name in IDS]
    return [f"{name} {verdict}{scale}" for name, verdict, scale in cited if verdicts.get(name + scale) != verdict]


def bare_verdicts(text: str) -> list[str]:
    """Verdict words that do not follow an id."""
    return _VERDICT.findall(_CITED.sub("", " ".join(text.split())))


@pytest.mark.parametrize(
    ("text", "wrong", "bare"),
    [
        ("So it is (`fig1.lmax_trend`\nfails, by\nlittle).", [], []),
        ("`fig1.lmax_trend` is inconclusive", ["fig1.lmax_trend inconclusive"], []),
        ("It rises, see `fig1.lmax_trend`.", ["fig1.lmax_trend "], []),
        ("`fig1.lmax_trend` fails. All others hold.", [], ["hold"]),
        ("`fig99.lmax` holds, `theta` differs", ["fig99.lmax holds"], []),
        ("`fig1.lmax_trend` holds at quick, `fig1.lmax_trend` fails at quick", ["fig1.lmax_trend fails at quick"], []),
    ],
)
def test_citations_are_found(text: str, wrong: list[str], bare: list[str]) -> None:
    verdicts = {"fig1.lmax_trend": "fails", "fig1.lmax_trend at quick": "holds"}
    assert (wrong_citations(text, verdicts), bare_verdicts(text)) == (wrong, bare)


@pytest.mark.parametrize(
    "path",
    [*PAGES, *(ROOT / name for name in ("README.md", "docs/findings.md", "docs/edge.md"))],
    ids=lambda path: path.parent.name,
)
def test_each_verdict_is_that_of_the_table(path: Path) -> None:
    text = by_hand(path) if path in PAGES else path.read_text(encoding="utf-8")
    assert wrong_citations(text, KEPT) == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.parent.name)
def test_each_verdict_names_its_claim(path: Path) -> None:
    assert bare_verdicts(by_hand(path)) == []


def test_the_central_sentence_is_on_the_first_page() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"`sec3.2.alpha1.{net}`" in text for net in ("scnn", "r32"))


@pytest.mark.parametrize("entry", [entry for entry in LISTED if not entry.made.beyond], ids=lambda entry: entry.item)
def test_a_page_agrees_with_the_table_of_its_scale(entry: Entry) -> None:
    table = TABLES[entry.made.scale].set_index("id")
    judged = read_judged(entry.folder / "claims.csv").set_index("id")
    judged = judged.loc[judged["verdict"] != NOT_RUN]
    pd.testing.assert_frame_equal(judged, table.loc[judged.index], check_dtype=False, check_exact=True)
