"""The page as HTML."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from unit.report.made_results import HOSTILE, made_setup, write_results

from sharpest.report.build import build_page
from sharpest.report.page import assets_digest, number, render, trimmed, words


class Parsed(HTMLParser):
    """Tags with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def every(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    return render(build_page(made_setup(), write_results(tmp_path_factory.mktemp("results") / "quick")))


@pytest.fixture(scope="module")
def parsed(text: str) -> Parsed:
    return Parsed(text)


def test_hostile_text_stays_text(text: str, parsed: Parsed) -> None:
    assert HOSTILE not in text
    assert len(parsed.every("script")) == 2  # the data block and our own script
    assert all("onerror" not in attributes for _, attributes in parsed.tags)
    assert "{{ 7 * 7 }}" in text
    alts = [image["alt"] for image in parsed.every("img")]
    assert alts[0] == f"Figure 6. A {HOSTILE} figure."


def test_the_page_needs_no_other_file(parsed: Parsed) -> None:
    for attributes in (attributes for _, attributes in parsed.tags):
        assert not (attributes.get("src") or "data:").startswith(("http", "/"))
    outward = [link["href"] for link in parsed.every("a") if not (link["href"] or "").startswith("#")]
    assert outward == ["../../docs/what-was-tuned.md", "https://arxiv.org/abs/1807.05031"]
    assert parsed.every("link") == [{"rel": "icon", "href": "data:,"}]


def test_every_internal_link_has_a_target(parsed: Parsed) -> None:
    ids = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {(link["href"] or "")[1:].replace("%40", "@") for link in parsed.every("a")}
    assert targets - {"ttps://arxiv.org/abs/1807.05031", "./../docs/what-was-tuned.md"} <= set(ids)


def test_a_reduced_scale_says_so_in_its_head(text: str) -> None:
    assert "This is not a reproduction of the paper." in text[: text.index('id="verdicts"')]


def test_the_paper_as_published_has_no_warning(tmp_path: Path) -> None:
    setup = made_setup().model_copy(update={"scale": "paper", "reductions": {}})
    published = render(build_page(setup, write_results(tmp_path / "paper")))
    assert "This is not a reproduction" not in published
    assert "Nothing was replaced or reduced." in published


def test_the_same_files_make_the_same_page(text: str, tmp_path: Path) -> None:
    assert render(build_page(made_setup(), write_results(tmp_path / "quick"))) == text


def test_the_digest_is_short_and_stable() -> None:
    assert re.fullmatch(r"[0-9a-f]{16}", assets_digest())


@pytest.mark.parametrize(
    ("value", "printed"),
    [(0, "0"), (1018, "1,018"), (0.0094, "0.00940"), (4.6e-5, "4.60e−05"), (-2.5, "−2.50"), (float("nan"), "–")],
)
def test_numbers(value: float, printed: str) -> None:
    assert number(value) == printed


def test_texts_that_are_not_numbers_are_kept() -> None:
    assert words("108.359") == "108"
    assert words("0.0500") == "0.05"
    assert words("0.5 > 0.25") == "0.5 > 0.25"
    assert trimmed("1,020") == "1,020"
