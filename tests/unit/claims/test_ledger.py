"""The ledger, and the one-line refusal of each mistake, with its remedy."""

import csv
import math
from pathlib import Path
from typing import Any

import pytest

from sharpest.claims.ledger import COLUMNS, NEGATIVE, POSITIVE, Claim, read_ledger, read_ledgers
from sharpest.errors import ConfigError

ROW = {
    "id": "one", "item": "fig4", "kind": "order", "statement": "larger, smaller",
    "subject": "scnn-c10-sgd-lr0.001-S128-s777;scnn-c10-sgd-lr0.1-S128-s777", "quantity": "lambda_max_peak",
    "facet": "", "expected": "0.001>0.1", "tolerance": "", "unit": "", "any_scale": "yes", "source": "Fig. 4",
    "kind_of": "finding", "ours": "", "implied_by": "", "note": "",
}  # fmt: skip


def write(path: Path, *rows: dict[str, str], columns: tuple[str, ...] = COLUMNS) -> Path:
    with open(path / "claims.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return path / "claims.csv"


def test_runs_of_several_seeds_are_one_group(tmp_path: Path) -> None:
    runs = [f"r32-c10-{step}-lr0.01-S128-{rest}plat-s{seed}" for step, rest in (("nsgd", "g0.1-K5-"), ("sgd", ""))
            for seed in (777, 778)]  # fmt: skip
    (claim,) = read_ledger(write(tmp_path, ROW | {"subject": ";".join(runs)}))
    assert claim.groups == (tuple(runs[:2]), tuple(runs[2:]))
    assert claim.runs == tuple(runs)


@pytest.mark.parametrize(
    ("kind", "expected", "tolerance", "bounds"),
    [
        ("order", "a>b", "", POSITIVE),
        ("sign", "+", "", POSITIVE),
        ("sign", "-", "", NEGATIVE),
        ("range", "0.2..0.4", "", (0.2, 0.4)),
        ("range", "5..", "", (5, math.inf)),
        ("range", "..-1", "", (-math.inf, -1)),
        ("value", "-2", "abs:0.5", (-2.5, -1.5)),
        ("value", "-2", "rel:0.25", (-2.5, -1.5)),
        ("value", "8", "factor:2", (4, 16)),
        ("value", "1", "abs:0", (1, 1)),
    ],
)
def test_bounds(kind: str, expected: str, tolerance: str, bounds: tuple[float, float], tmp_path: Path) -> None:
    (claim,) = read_ledger(write(tmp_path, ROW | {"kind": kind, "expected": expected, "tolerance": tolerance}))
    assert claim.bounds == bounds


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"kind": "ordr"}, "should be order"),
        ({"expected": "0.001"}, "should be an order"),
        ({"expected": "0.1>0.1"}, "each level once"),
        ({"kind": "sign", "expected": "up"}, r"write \+ or -"),
        ({"kind": "trend", "expected": "rise"}, "write one of rises"),
        ({"kind": "range", "expected": "3"}, "write low..high"),
        ({"kind": "range", "expected": "3..2"}, "write low..high"),
        ({"kind": "range", "expected": "a..2"}, "should be a number"),
        ({"kind": "value", "expected": "many", "tolerance": "abs:1"}, "should be a number"),
        ({"kind": "value", "expected": "3", "tolerance": "about:1"}, "should be abs:x"),
        ({"kind": "value", "expected": "3", "tolerance": "abs:-1"}, "at least 0"),
        ({"kind": "value", "expected": "3", "tolerance": "factor:0.5"}, "at least 1"),
        ({"kind": "value", "expected": "-3", "tolerance": "factor:2"}, "positive"),
        ({"tolerance": "abs:1"}, "remove 'abs:1'"),
        ({"any_scale": "maybe"}, "yes or no"),
        ({"kind_of": "find"}, "finding or sanity"),
        ({"kind_of": ""}, "finding or sanity"),
        ({"ours": "no"}, "yes, or empty"),
        ({"ours": "yes"}, "needs a note"),
        ({"implied_by": "fin"}, "unknown claim 'fin' in implied_by; did you mean fine"),
        ({"implied_by": "xyz"}, "unknown claim 'xyz' in implied_by; correct it"),
        ({"implied_by": "one"}, "names the claim itself"),
        ({"implied_by": "second"}, "second is itself implied by fine; name fine"),
        ({"subject": "scnn"}, "is not a run id"),
        ({"subject": "scnn-c10-sgd-lr0.1-S128-s777;scnn-c10-sgd-lr0.1-S128-s777"}, "remove one"),
        ({"subject": "scnn-c10-sgd-lr0.1-S128-s777;scnn-c10-sgd-lr1-S128-s778"}, "the same seeds"),
    ],
)
def test_a_mistake_is_one_line_with_the_id(changes: dict[str, Any], remedy: str, tmp_path: Path) -> None:
    path = write(tmp_path, ROW | {"id": "fine"}, ROW | {"id": "second", "implied_by": "fine"}, ROW | changes)
    with pytest.raises(ConfigError, match=remedy) as caught:
        read_ledger(path)
    assert f"{path}, claim one: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_attributes_of_the_papers_claims(ledger: tuple[Claim, ...]) -> None:
    claims = {claim.id: claim for claim in ledger}
    for claim in ledger:
        if claim.implied_by:  # the same runs support both, and no implication is circular
            assert set(claim.runs) <= set(claims[claim.implied_by].runs)
    assert claims["fig6.alpha4.r32.sign"].implied_by == "fig6.alpha2.r32.sign"


def test_damaged_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="claim one: each row needs a unique id"):
        read_ledger(write(tmp_path, ROW, ROW))
    path = write(tmp_path, ROW)
    path.write_text(path.read_text().rstrip() + ",more\n")
    with pytest.raises(ConfigError, match="claim one: expected 16 cells"):
        read_ledger(path)
    path.write_text(path.read_text().replace("any_scale", "scale"))
    with pytest.raises(ConfigError, match="restore the first line"):
        read_ledger(path)
    path = write(tmp_path, columns=tuple(name for name in COLUMNS if name != "facet"))
    with pytest.raises(ConfigError, match=r"quantity, facet, expected.*; restore the first line"):
        read_ledger(path)
    with pytest.raises(ConfigError, match="does not exist; restore it"):
        read_ledger(tmp_path / "none.csv")
    path.write_bytes(b"")
    with pytest.raises(ConfigError, match=r"\.csv: the columns are id, item.*; restore the first line"):
        read_ledger(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"\.csv is not UTF-8 text"):
        read_ledger(path)


def test_a_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    """Spreadsheets write a byte order mark."""
    path = write(tmp_path, ROW)
    expected = read_ledger(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_ledger(path) == expected


def later(path: Path, name: str, *rows: dict[str, str]) -> Path:
    """A ledger of a later paper."""
    (path / "claims").mkdir(exist_ok=True)
    return write(path / "claims", *rows).rename(path / "claims" / name)


def test_ledgers_of_later_papers_are_one_and_know_their_paper(tmp_path: Path) -> None:
    write(tmp_path, ROW)
    later(tmp_path, "cohen2021.csv", ROW | {"id": "edge"})
    later(tmp_path, "andreyev2024.csv", ROW | {"id": "batch"}, ROW | {"id": "gap", "implied_by": "batch"})
    (tmp_path / "claims" / "README.md").write_text("notes")
    ledgers = read_ledgers(tmp_path)
    assert list(ledgers) == ["claims", "beyond"]
    assert [(claim.id, claim.paper) for claim in ledgers["claims"]] == [("one", "")]
    assert [(claim.id, claim.paper) for claim in ledgers["beyond"]] == [
        ("batch", "andreyev2024"), ("gap", "andreyev2024"), ("edge", "cohen2021"),
    ]  # fmt: skip
    assert [claim.place for claim in (*ledgers["claims"], ledgers["beyond"][-1])] == [
        "config/claims.csv, claim one", "config/claims/cohen2021.csv, claim edge",
    ]  # fmt: skip
    assert "paper" not in ledgers["claims"][0].row


@pytest.mark.parametrize("rows", [None, ()])
def test_ledgers_of_later_papers_are_optional(rows: tuple[()] | None, tmp_path: Path) -> None:
    write(tmp_path, ROW)
    if rows is not None:
        later(tmp_path, "cohen2021.csv", *rows)
    assert read_ledgers(tmp_path)["beyond"] == ()


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        (
            "cohen2021.csv",
            {},
            "cohen2021.csv, claim one: config/claims.csv, claim one has the same id; change one of them",
        ),
        (
            "cohen2021.csv",
            {"id": "two"},
            "cohen2021.csv, claim two: config/claims/andreyev2024.csv, claim two has the same",
        ),
        ("cohen2021.csv", {"id": "x", "kind": "ordr"}, "cohen2021.csv, claim x: kind 'ordr' should be order"),
        (
            "cohen2021.csv",
            {"id": "x", "implied_by": "two"},
            "cohen2021.csv, claim x: unknown claim 'two' in implied_by",
        ),
        (
            "Cohen 2021.csv",
            {"id": "x"},
            "the file name should be the key of a paper, such as andreyev2024.csv; rename it",
        ),
    ],
)
def test_a_bad_row_of_a_later_paper_is_one_line_with_its_file(
    name: str, changes: dict[str, str], message: str, tmp_path: Path
) -> None:
    write(tmp_path, ROW)
    later(tmp_path, "andreyev2024.csv", ROW | {"id": "two"})
    later(tmp_path, name, ROW | changes)
    with pytest.raises(ConfigError) as caught:
        read_ledgers(tmp_path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
