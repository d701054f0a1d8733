"""The site, built strictly and opened from its folder in a browser without a network."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from accessibility import serious_violations

pytest.importorskip("mkdocs", reason="mkdocs is not installed")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
WIDTHS = (360, 1400)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    built = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_nothing_is_fetched_from_other_servers(site: Path) -> None:
    fetched = re.compile(r'(?:src="|<link [^>]*rel="(?:stylesheet|preconnect)"[^>]*href=")(https?:[^"]+)')
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    assert {url for page in pages for url in fetched.findall(page.read_text(encoding="utf-8"))} == set()


@pytest.mark.parametrize("width", WIDTHS)
def test_pages_fit_and_raise_no_error(site: Path, browser: Any, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, offline=True)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    for path in sorted(site.rglob("*.html")):
        page.goto(path.as_uri())
        assert page.locator("h1").count() >= 1, path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    assert errors == []


def test_search_finds_a_page(site: Path, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 900}, offline=True)
    page.goto((site / "index.html").as_uri())
    page.locator(".md-search__input").first.fill("snapshots")
    page.wait_for_selector(".md-search-result__link")
    assert page.locator(".md-search-result__link").count() > 1


def test_the_ledger_can_be_searched(site: Path, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 900}, offline=True)
    page.goto((site / "ledger.html").as_uri())
    rows = page.locator("article table tbody tr")
    every = rows.count()
    page.locator("input.filter").fill("FIG6. holds")
    shown = page.locator("article table tbody tr:visible").all_inner_texts()
    assert 0 < len(shown) < every
    assert all("fig6." in text and "holds" in text for text in shown)
    assert page.locator(".filter-count").inner_text() == f"{len(shown)} of {every}"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_start_page_is_accessible(site: Path, browser: Any, width: int, scheme: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, offline=True, color_scheme=scheme)
    page.goto((site / "index.html").as_uri())
    assert serious_violations(page) == []
