"""The reference pages are up to date, complete and correct."""

import re
from pathlib import Path

import pytest

from sharpest.config.reference import COMMAND, MARK, PAGES
from sharpest.config.run_id import GRAMMAR as RUN_IDS
from sharpest.config.schedule import GRAMMAR, measurement_points

DOCS = Path(__file__).parents[3] / "docs"
CONFIGURATION = (DOCS / "configuration.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_the_tables_of_a_page_are_up_to_date(name: str) -> None:
    written = (DOCS / name).read_text(encoding="utf-8").partition(MARK)[2]
    assert written == PAGES[name](), f"docs/{name} is stale; refresh it with: {COMMAND}"


def test_the_text_has_the_grammars() -> None:
    prose = " ".join(CONFIGURATION.partition(MARK)[0].split())
    assert RUN_IDS in prose
    assert " ".join(GRAMMAR.replace("'", "`").split()) in prose


def test_every_key_has_a_type_and_a_sentence() -> None:
    rows = [line for line in CONFIGURATION.partition(MARK)[2].splitlines() if line.startswith("| `")]
    cells = [re.split(r"(?<!\\) ?\| ?", row)[1:-1] for row in rows]
    assert len(cells) > 50
    assert [key for key, value, _, meaning in cells if not value or not meaning] == []
    keys = {key for key, *_ in cells}
    assert {"`scale`", "`sources.<name>.folder`", "`hessian.tolerance`", "`models.<name>.widths`"} <= keys
    assert {"`schedules.<name>.measures`", "`for_runs.<n>.set`", "`lr_factor`", "`grid`", "`rows.<n>.run`"} <= keys


def test_the_examples_of_schedules_are_correct() -> None:
    rows = re.findall(r"^\| `(.*)` \| ([\d, ]+) \|$", CONFIGURATION, re.MULTILINE)
    assert len(rows) == 5
    for text, points in rows:
        assert measurement_points(text, 4, 10, 0.1) == [int(point) for point in points.split(",")]
