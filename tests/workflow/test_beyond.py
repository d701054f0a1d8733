"""Studies and claims beyond the paper, added to a project: what is made, and what stays unchanged."""

from collections.abc import Callable

import pandas as pd
import pytest

from sharpest.claims.ledger import COLUMNS

from .conftest import LATER_RUN, Project, add_later
from .test_forecast import jobs_of


@pytest.mark.slow
def test_they_are_made_and_the_papers_results_stay_byte_for_byte(later: Project, tiny: Project) -> None:
    before, results = tiny.folder / "results/tiny", later.folder / "results/tiny"
    for path in [*before.glob("claims.*"), *before.glob("figures/*")]:
        assert (results / path.relative_to(before)).read_bytes() == path.read_bytes(), path
    assert all((results / f"figures/over_edge.{suffix}").exists() for suffix in ("pdf", "png", "csv"))
    assert all((results / f"beyond.{suffix}").exists() for suffix in ("by_chance.csv", "by_seed.csv", "md"))
    judged = pd.read_csv(results / "beyond.csv")
    assert judged[["paper", "id"]].to_numpy().tolist() == [["cohen2021", "later.edge"]]
    assert 0 < judged["value"][0] < 10
    page = (results / "full_report.html").read_text()
    assert "Beyond the paper" in page
    assert "Beyond the paper" not in (results / "report.html").read_text()
    assert 'id="claim-later.edge"' in page


def test_they_make_nothing_of_the_paper_stale(replanned: Project) -> None:
    later = add_later(replanned)
    assert later.planned("all") == {"draw_figure": 2, "judge_claims": 1, "write_full_report": 1}
    assert "for fig06, over_edge, drift" in later.sharpest("show", LATER_RUN).stdout


def test_without_any_everything_works(replanned: Project) -> None:
    (replanned.folder / "config/claims").mkdir()
    (replanned.folder / "config/claims/cohen2021.csv").write_text(",".join(COLUMNS) + "\n")
    (replanned.folder / "config/beyond.yaml").unlink()
    assert replanned.planned("all") == {}


MISTAKES = {
    "a claim's item": (",over_edge,", ",over,", "item 'over' should be a figure of"),
    "a claim's id": ("later.edge", "fig7.top.lambda", "cohen2021.csv, claim fig7.top."),
    "a claim's quantity": ("late_mean", "late", "config/claims/cohen2021.csv, claim later.edge: quantity"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(mistake: str, replanned: Project, refusal: Callable[[Project], str]) -> None:
    old, new, message = MISTAKES[mistake]
    add_later(replanned).edit("config/claims/cohen2021.csv", lambda text: text.replace(old, new))
    assert message in refusal(replanned)


def test_the_forecast_counts_them(replanned: Project) -> None:
    jobs = jobs_of(add_later(replanned).folder, "tiny")
    assert jobs["over_edge"].rule == "draw_figure"
    assert [path for path, job in jobs.items() if job.rule == "judge_claims"] == ["claims.csv", "beyond.csv"]
