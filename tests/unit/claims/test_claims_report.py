"""Judged claims as Markdown."""

import math
from typing import Any

import pandas as pd
import pytest

from sharpest.claims.report import chance_table, claims_table, headline, headline_table, markdown


def claim(name: str, verdict: str = "holds", **cells: Any) -> dict[str, Any]:
    return {
        "id": name, "item": "tab1", "statement": f"Statement {name}", "quantity": "dist", "unit": "", "expected": "+",
        "tolerance": "", "kind_of": "finding", "ours": "", "implied_by": "", "value": 11.17, "error": 0.726,
        "low": 8.04, "high": 14.29, "seeds": 3, "verdict": verdict, "p": 0.0042, "p_holm": 0.03, "null_holds": 0.125,
        "reason": "required: above 0",
    } | cells  # fmt: skip


def cells_of(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()]


def test_the_headline_counts_findings_that_nothing_implies_by_seeds() -> None:
    table = pd.DataFrame([
        claim("a"),
        claim("b", p_holm=0.2),
        claim("c", "fails", seeds=5),
        claim("d", "inconclusive", seeds=1, p_holm=1.0),
        claim("e", seeds=2),
        claim("f", kind_of="sanity"),
        claim("g", implied_by="a", p_holm=math.nan),
        claim("h", "not_judged", p_holm=math.nan),
    ])  # fmt: skip
    counts = headline(table)
    assert counts.loc["3 seeds or more"].tolist() == [2, 1, 0]
    assert counts.loc["fewer seeds"].tolist() == [1, 0, 1]
    # undecided claims are inconclusive
    assert counts.loc["all, after Holm's correction"].tolist() == [2, 1, 2]
    assert cells_of(headline_table(table)) == [
        ["findings", "holds", "fails", "inconclusive"],
        ["---"] * 4,
        ["3 seeds or more", "2", "1", "0"],
        ["fewer seeds", "1", "0", "1"],
        ["all, after Holm's correction", "2", "1", "2"],
    ]


@pytest.mark.parametrize(("p", "holds"), [(0.05, 1), (0.0501, 0)])
def test_a_corrected_p_of_the_level_itself_is_enough(p: float, holds: int) -> None:
    assert headline(pd.DataFrame([claim("a", p_holm=p)])).loc["all, after Holm's correction", "holds"] == holds


CHANCE = pd.DataFrame([
    {
        "item": "all", "claims": 40, "holds": 17, "null_holds": 3.25, "null_holds_high": 7.0, "p_holds": 0.0001,
        "as_claimed": 31, "null_as_claimed": 18.5, "null_as_claimed_high": 25.0, "p_as_claimed": 0.0123,
    },
])  # fmt: skip


def test_counts_stand_beside_chance() -> None:
    header, _, row = cells_of(chance_table(CHANCE))
    assert header == ["", "findings", "hold", "by chance (95 %)", "p", "as claimed", "by chance (95 %)", "p"]
    assert row == ["all", "40", "17", "3.2 (at most 7)", "0.0001", "31", "18.5 (at most 25)", "0.012"]


def test_a_claim_with_its_number_interval_and_chance() -> None:
    _, _, row = cells_of(claims_table(pd.DataFrame([claim("a")])))
    assert row == [
        "Statement a (`a`)", "holds", "dist 11.2 ± 0.73", "8.04 to 14.3", "+", "0.0042", "0.12", "required: above 0"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "marks"),
    [
        ({"ours": "yes"}, ", ours"),
        ({"kind_of": "sanity"}, ", sanity"),
        ({"implied_by": "b"}, ", implied by `b`"),
        ({"ours": "yes", "kind_of": "sanity", "implied_by": "b"}, ", ours, sanity, implied by `b`"),
    ],
)
def test_marks(cells: dict[str, str], marks: str) -> None:
    assert f"(`a`{marks})" in claims_table(pd.DataFrame([claim("a", **cells)]))


@pytest.mark.parametrize(("seeds", "text"), [(1, "holds, one seed"), (2, "holds"), (0, "holds")])
def test_one_seed_is_marked(seeds: int, text: str) -> None:
    assert cells_of(claims_table(pd.DataFrame([claim("a", seeds=seeds)])))[2][1] == text


def test_unknown_values_are_dashes_and_open_ends_are_left_out() -> None:
    nan, inf = math.nan, math.inf
    rows = [
        claim("a", "inconclusive", error=nan, low=-inf, high=inf, null_holds=nan),
        claim("b", "not_judged", value=nan, error=nan, low=nan, high=nan, p=nan, null_holds=nan, unit="%"),
        claim("c", low=1.0, high=inf),
    ]
    first, second, third = cells_of(claims_table(pd.DataFrame(rows)))[2:]
    assert first[1:4] + first[6:7] == ["inconclusive", "dist 11.2", "–", "–"]
    assert second[1:4] + second[5:7] == ["not judged", "dist – %", "–", "–", "–"]
    assert third[3] == "1 to inf"


def test_the_page() -> None:
    text = markdown(
        pd.DataFrame([claim("a|b"), claim("c", item="fig4", quantity="lambda_max_peak")]), CHANCE, "Scale quick."
    )
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == ["# Claims of the paper", "## Compared with chance", "## tab1", "## fig4", "## Quantities"]
    assert "\n\nScale quick.\n\n" in text
    assert "Statement a\\|b" in text
    assert text.count("| lambda_max_peak | ") == 1
    assert text.endswith("|\n")


def test_the_page_of_later_papers() -> None:
    rows = [claim("a", paper="cohen2021", item="edge"), claim("c", paper="cohen2021", item="drift")]
    chance = CHANCE.rename(columns={"item": "paper"})
    text = markdown(pd.DataFrame(rows), chance, "Scale quick.")
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == [
        "# Claims of later papers", "## Compared with chance", "## cohen2021, edge", "## cohen2021, drift",
        "## Quantities",
    ]  # fmt: skip
    assert chance_table(chance) == chance_table(CHANCE)
