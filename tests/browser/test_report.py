"""The report in a real browser without a network: of a small results folder, and of the finished one if it exists."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from accessibility import serious_violations
from unit.report.made_results import made_setup, write_results

from sharpest.report.build import build_page
from sharpest.report.page import render
from sharpest.results.paths import Paths

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
FINISHED = Paths.of("quick", Path(__file__).parents[2] / "results").report()
MOST_MEGABYTES = 12
MOST_MILLISECONDS = 4_000  # generous, for a busy machine
WIDTHS = (360, 1400)
OF_EACH = pytest.mark.parametrize(
    "report", ["made", pytest.param("finished", marks=pytest.mark.slow)], indirect=True, scope="module"
)
"""On the finished page as well; the others test what the page does, which a small one shows."""


@pytest.fixture(scope="module")
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if getattr(request, "param", "made") == "finished":
        if not FINISHED.exists():
            pytest.skip(f"no finished report; make it with: snakemake --cores all {FINISHED.relative_to(Path.cwd())}")
        return FINISHED
    folder = tmp_path_factory.mktemp("results") / "quick"
    path = Paths(folder).report()
    path.write_text(render(build_page(made_setup(), write_results(folder))), encoding="utf-8")
    return path


@pytest.fixture
def page(browser: Any, report: Path) -> Iterator[Any]:
    """The open page. Its test fails if the page fetched anything, logged an error or opened a dialog."""
    context = browser.new_context(
        viewport={"width": 1400, "height": 1000}, offline=True, color_scheme="light", reduced_motion="reduce"
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
    page.on("request", lambda request: complaints.append(f"request: {request.url[:80]}"))
    page.goto(report.as_uri())
    yield page
    context.close()
    fetched = [one for one in complaints if not one.startswith(("request: data:", f"request: {report.as_uri()}"[:80]))]
    assert fetched == []


@OF_EACH
def test_it_opens_fast_with_all_images(page: Any, report: Path) -> None:
    milliseconds = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    assert 0 < milliseconds <= MOST_MILLISECONDS
    assert report.stat().st_size <= MOST_MEGABYTES * 2**20
    widths = page.evaluate(
        "Promise.all([...document.images].filter(i => i.src).map(i => i.decode().then(() => i.naturalWidth)))"
    )
    assert widths
    assert all(width > 0 for width in widths)


def test_the_summary_is_on_the_first_screen(page: Any) -> None:
    summary = page.locator("#summary")
    assert summary.locator("h2").all_inner_texts() == ["Found", "Against the paper", "Reduced"]
    assert summary.evaluate("part => part.getBoundingClientRect().bottom") <= page.viewport_size["height"]


def test_it_prints_light_and_breaks_between_figures_and_rows(page: Any) -> None:
    page.locator(".theme").click()
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    for kept in ("figure", ".claims tr", ".tiles"):
        inside = page.locator(kept).evaluate_all("all => all.map(one => getComputedStyle(one).breakInside)")
        assert set(inside) == {"avoid"}
    assert page.locator(".enlarge").first.evaluate("one => getComputedStyle(one).filter") == "none"


@OF_EACH
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_overflows(width: int, page: Any) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_filter_shows_one_verdict(page: Any) -> None:
    button = page.locator("[data-filter=fails]")
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    shown = page.locator(".claims tbody tr:visible").evaluate_all("rows => rows.map(row => row.dataset.verdict)")
    assert shown == ["fails"] * int(button.locator("span").inner_text())
    assert page.locator("#status").inner_text().startswith(f"{len(shown)} of ")
    page.locator("[data-filter='']").click()
    assert page.locator(".claims tbody tr[hidden]").count() == 0


def test_a_link_shows_filtered_rows_again(page: Any) -> None:
    page.locator("[data-filter=fails]").click()
    places = page.locator(".chips a").evaluate_all("links => links.map(link => link.hash)")
    away = next(place for place in places if page.locator(place).is_hidden())
    page.locator(f".chips a[href='{away}']").click()
    page.locator(away).wait_for(state="visible")
    assert page.locator("[data-filter='']").get_attribute("aria-pressed") == "true"


def test_the_theme_can_be_chosen(page: Any) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.locator(".theme").click()
    assert page.locator(".theme").get_attribute("aria-pressed") == "true"
    assert page.evaluate(ground) != light
    page.locator(".theme").click()
    assert page.evaluate(ground) == light
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(ground) == light  # an explicit choice overrides the system


def test_it_follows_the_system(page: Any) -> None:
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.emulate_media(color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    # the page learns of the change at its next frame
    playwright.expect(page.locator(".theme")).to_have_attribute("aria-pressed", "true")


def test_tables_are_sorted_by_their_numbers(page: Any) -> None:
    table = page.locator(".comparison").first
    heads = table.locator("th[aria-sort]")
    for column in range(heads.count()):
        for order in ("ascending", "descending"):
            heads.nth(column).locator("button").click()
            marks = heads.evaluate_all("heads => heads.map(head => head.ariaSort)")
            assert marks == [order if at == column else "none" for at in range(len(marks))]
            cells = table.locator(f"tbody tr td:nth-child({column + 2})")
            values = cells.evaluate_all("cells => cells.map(cell => cell.dataset.value)")
            assert len(values) > 1
            numbers = [float(value) for value in values if value]
            assert numbers == sorted(numbers, reverse=order == "descending")
            assert values[len(numbers) :] == [""] * (len(values) - len(numbers))  # missing values come last


def test_a_figure_opens_large_by_keyboard(page: Any) -> None:
    button = page.locator(".enlarge").first
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("dialog")
    assert dialog.is_visible()
    assert re.fullmatch(r"Figure \d+", dialog.locator("h2").inner_text())
    assert page.evaluate("document.querySelector('dialog img').decode().then(() => true)")
    assert dialog.locator("img").get_attribute("alt") == button.locator("img").get_attribute("alt")
    page.keyboard.press("Escape")
    assert dialog.is_hidden()
    assert button.evaluate("button => button === document.activeElement")


def test_the_first_tab_stop_skips_to_the_content(page: Any) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_runs_can_be_searched(page: Any) -> None:
    rows = page.locator(".run-table tbody tr")
    page.locator("#find").fill("sgd diverged")
    shown = page.locator(".run-table tbody tr:visible").all_inner_texts()
    assert all("diverged" in text for text in shown)
    assert page.locator("#found").inner_text() == f"{len(shown)} of {rows.count()} runs"


def test_curves_can_be_explored(page: Any) -> None:
    page.locator("#plot").scroll_into_view_if_needed()
    page.locator("#plot .u-over").hover(position={"x": 60, "y": 60})
    entry = page.locator("#legend button").first
    assert re.fullmatch(r"[\d.,]+ at [\d.]+", entry.locator(".value").inner_text())
    entry.click()
    assert entry.get_attribute("aria-pressed") == "false"
    page.locator("[data-axis=linear]").click()
    assert page.locator("[data-axis=log]").get_attribute("aria-pressed") == "false"
    assert entry.get_attribute("aria-pressed") == "false"
    page.locator("[data-all=on]").click()
    assert page.locator("#legend [aria-pressed=false]").count() == 0
    link = page.locator("[data-explore]").last
    title = link.locator("xpath=ancestor::article").locator("h3").inner_text()
    link.click()
    assert page.locator("#panel option:checked").inner_text().startswith(title)


def test_headings_are_nested_and_controls_have_names(page: Any) -> None:
    levels = page.locator("main :is(h1, h2, h3)").evaluate_all("heads => heads.map(head => Number(head.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    assert page.locator("figure img:not([alt]), figure img[alt='']").count() == 0
    nameless = page.locator("button").evaluate_all(
        "all => all.filter(b => !(b.ariaLabel || b.textContent).trim()).length"
    )
    assert nameless == 0


def test_print_hides_controls_and_opens_all_details(page: Any) -> None:
    page.emulate_media(media="print")
    assert page.locator(".side").is_hidden()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("main .more:not([open])").count() == 0


@OF_EACH
@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1400, "dark")])
def test_it_is_accessible(browser: Any, report: Path, width: int, scheme: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 1000}, offline=True, color_scheme=scheme)
    page.goto(report.as_uri())
    assert serious_violations(page) == []
