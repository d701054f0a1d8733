"""The second part of the page: figures beyond the paper, and claims of later papers."""

import json
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.image import imsave
from unit.report.made_results import CLAIMS, made_setup, write_results

from sharpest.config.studies import SpectrumEvolution
from sharpest.pipeline.needs import files_of_report
from sharpest.report.build import build_page
from sharpest.report.page import Page, render
from sharpest.report.paper import title_of_paper
from sharpest.report.setup import Setup
from sharpest.results.paths import BEYOND, PAPER, verdicts
from sharpest.results.record import write_record
from sharpest.results.runs import Results

NAME = "runs"  # the name of a study; also that of a parameter of the report and of a part of its page


def later_setup() -> Setup:
    """The synthetic setup, with a figure beyond the paper."""
    setup = made_setup()
    figure = setup.studies["fig14"].model_copy(update={"caption": "Sharper still. Used: ours."})
    assert isinstance(figure, SpectrumEvolution)
    return setup.model_copy(
        update={
            "studies": setup.studies | {NAME: figure},
            "beyond": (NAME,),
            "later_claims": True,
            "reductions": setup.reductions | {NAME: ("not in the paper",)},
            "beside": setup.beside | {NAME: ()},
        }
    )


def write_later(results: Results) -> None:
    """The figure, and three of the paper's claims as claims of two later papers."""
    paths = results.paths
    imsave(paths.figure(NAME, "png"), [[0.0, 1.0]])
    paths.figure(NAME, "csv").write_text("panel,series,run,x,y\na,b,c,1,2\n")
    paths.figure(NAME, "md").write_text(f"# {NAME}\n\nFewer examples.\n")
    rows = pd.read_csv(verdicts(paths, PAPER, "csv"), dtype=str, keep_default_na=False).iloc[:3]
    papers = ["andreyev2024", "cohen2021", "andreyev2024"]
    rows = rows.assign(paper=papers, item=NAME, id=["later.0", "later.1", "later.2"], implied_by="", source="Sec. 4")
    rows.to_csv(verdicts(paths, BEYOND, "csv"), index=False)
    write_record(paths, [paths.figure(NAME, suffix) for suffix in ("csv", "png", "md")], {})
    write_record(paths, [verdicts(paths, BEYOND, "csv")], {})


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    results = write_results(tmp_path_factory.mktemp("results") / "quick")
    write_later(results)
    return results


@pytest.fixture(scope="module")
def page(results: Results) -> Page:
    return build_page(later_setup(), results)


def test_figures_beyond_the_paper_are_separate(page: Page) -> None:
    assert [figure.item.name for figure in page.figures] == ["fig6", "fig14"]
    (figure,) = page.beyond
    assert (figure.item.title, figure.item.caption, figure.item.used) == ("Runs", "Sharper still.", "ours.")
    assert [claim.id for claim in figure.item.claims] == ["later.0", "later.1", "later.2"]
    assert NAME not in [item.name for item in page.items]


def test_claims_of_later_papers_are_grouped_by_paper_and_counted_separately(page: Page) -> None:
    assert [(paper.title, [claim.id for claim in paper.claims]) for paper in page.later] == [
        ("Andreyev 2024", ["later.0", "later.2"]),
        ("Cohen 2021", ["later.1"]),
    ]
    assert (page.later_counts.holds, page.later_counts.fails, page.later_counts.total) == (1, 1, 3)
    assert page.counts.total == page.of_paper.total == len(CLAIMS)
    assert not any(claim.id.startswith("later") for claim in page.against)
    assert sum(section.counts.total for section in page.sections) == len(CLAIMS)


def test_figures_beyond_the_paper_are_no_departures(page: Page) -> None:
    assert [departure.note for departure in page.departures] == ["digits in place of CIFAR-10"]


def test_the_page_shows_them_under_a_heading_of_their_own(page: Page) -> None:
    text = render(page)
    part = text.partition('<section id="beyond"')[2].partition("</section>")[0]
    assert "Beyond the paper" in part
    assert "Sharper still." in part
    assert 'id="beyond-runs"' in part
    assert part.index("Claims of Andreyev 2024") < part.index('id="claim-later.2"') < part.index("Claims of Cohen 2021")
    assert "1 hold and 1 fail. A bound may have been written after a look" in " ".join(part.split())
    assert part.count("Sec. 4") == 3
    assert text.count('id="claim-later.0"') == 1
    assert text.count('id="runs"') == 1
    counts = f"{len(CLAIMS)} claims of the paper, of which 3 hold, and 1 of 3 claims of later papers"
    assert counts in " ".join(text.split())


def test_without_them_the_page_has_no_second_part(results: Results) -> None:
    text = render(build_page(made_setup(), results))
    assert "eyond the paper" not in text
    assert "claims of later papers" not in text


def test_a_study_may_be_called_like_a_parameter_of_the_report() -> None:
    setup = later_setup()
    parts = setup.parts()
    assert parts["runs"] == setup.runs
    assert Setup.joined(json.loads(json.dumps(parts))) == setup


def test_the_page_reads_the_figure_and_the_verdicts(results: Results) -> None:
    paths = results.paths
    new = set(files_of_report(later_setup(), paths)) - set(files_of_report(made_setup(), paths))
    figure = {paths.figure(NAME, suffix) for suffix in ("png", "csv", "md")}
    assert new == {*figure, verdicts(paths, BEYOND, "csv")}


def test_verdicts_are_in_separate_files(tmp_path: Path) -> None:
    paths = Results(tmp_path).paths
    assert verdicts(paths, PAPER, "by_chance.csv") == paths.claims("by_chance.csv") == tmp_path / "claims.by_chance.csv"
    assert verdicts(paths, BEYOND, "md") == tmp_path / "beyond.md"


@pytest.mark.parametrize(("key", "title"), [("andreyev2024", "Andreyev 2024"), ("cohen", "Cohen")])
def test_names_of_papers(key: str, title: str) -> None:
    assert title_of_paper(key) == title
