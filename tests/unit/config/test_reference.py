"""The reference pages are up to date, complete and correct."""

import re
from pathlib import Path

import pytest

from sharpest.config.reference import COMMAND, PAGES
from sharpest.config.schedule import measurement_points

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_up_to_date(name: str) -> None:
    assert (DOCS / name).exists(), f"docs/{name} is missing; make it with: {COMMAND}"
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name](), (
        f"docs/{name} is stale; refresh it with: {COMMAND}"
    )


def test_every_key_has_a_type_and_a_sentence() -> None:
    rows = [line for line in PAGES["configuration.md"]().partition("## Keys")[2].splitlines() if line.startswith("| `")]
    cells = [re.split(r"(?<!\\) ?\| ?", row)[1:-1] for row in rows]
    assert len(cells) > 50
    assert [key for key, value, _, meaning in cells if not value or not meaning] == []
    keys = {key for key, *_ in cells}
    assert {"`scale`", "`sources.<name>.folder`", "`hessian.tolerance`", "`models.<name>.widths`"} <= keys
    assert {"`schedules.<name>.measures`", "`for_runs.<n>.set`", "`lr_factor`", "`grid`", "`rows.<n>.run`"} <= keys


def test_the_examples_of_schedules_are_correct() -> None:
    rows = re.findall(r"^\| `(.*)` \| ([\d, ]+) \|$", PAGES["configuration.md"](), re.MULTILINE)
    assert len(rows) == 4
    for text, points in rows:
        assert measurement_points(text, 4, 10, 0.1) == [int(point) for point in points.split(",")]
