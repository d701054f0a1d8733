"""Studies and claims beyond the paper, added to a finished project: what is made, and what stays unchanged."""

from pathlib import Path

import pandas as pd
import pytest

from sharpest.claims.ledger import COLUMNS

from .conftest import Project

RUN = "scnn-c10-sgd-lr0.01-S128-s777"
STUDY = f"""
over_edge:
  kind: measured
  caption: The largest eigenvalue over the edge.
  panels:
    - title: over the edge
      measure: spectra
      column: eigenvalues
      index: [0]
      factor: 1/edge
      x: iteration
      references: ["1"]
      curves: [{{run: {RUN}, schedule: step, label: η = 0.01}}]
"""
CLAIM = (
    f"later.edge,over_edge,range,It stays below the edge,{RUN},spectra.eigenvalues[0].late_mean.over_edge,,..1,,,yes,"
    "Sec. 1,finding,,,\n"
)
VERDICTS = ("csv", "by_chance.csv", "by_seed.csv", "md")


@pytest.fixture
def later(edited: Project) -> Project:
    """The finished project with a figure beyond the paper, and a claim of a later one."""
    (edited.folder / "config/beyond.yaml").write_text(STUDY)
    (edited.folder / "config/claims").mkdir()
    (edited.folder / "config/claims/cohen2021.csv").write_text(",".join(COLUMNS) + "\n" + CLAIM)
    return edited


@pytest.mark.slow
def test_they_are_made_and_the_papers_results_stay_byte_for_byte(later: Project) -> None:
    results = later.folder / "results/tiny"
    before = {path: path.read_bytes() for path in [*results.glob("claims.*"), *results.glob("figures/*")]}
    assert len(before) == 5 + 5 * 5
    assert later.planned("figures", "tables", "claims") == {}
    assert later.planned("all") == {"draw_figure": 1, "judge_claims": 1, "write_full_report": 1}
    result = later.snakemake("--cores", "2", "--prioritize", "first", "--", "all")
    assert result.returncode == 0, result.stdout
    assert {path: path.read_bytes() for path in before} == before
    for suffix in ("pdf", "png", "csv"):
        assert (results / f"figures/over_edge.{suffix}").exists()
    judged = pd.read_csv(results / "beyond.csv")
    assert judged[["paper", "id"]].to_numpy().tolist() == [["cohen2021", "later.edge"]]
    assert 0 < judged["value"][0] < 10
    assert all((results / f"beyond.{suffix}").exists() for suffix in VERDICTS)
    page = (results / "full_report.html").read_text()
    assert "Beyond the paper" in page
    assert "Beyond the paper" not in (results / "report.html").read_text()
    assert "The largest eigenvalue over the edge." in page
    assert 'id="claim-later.edge"' in page
    kept_and_listed(later)
    # a later claim makes only its own verdicts stale
    later.edit("config/claims/cohen2021.csv", lambda text: text.replace("..1", "..2"))
    assert later.planned("beyond", "claims", "figures") == {"judge_claims": 1}
    later.edit("config/beyond.yaml", lambda text: text.replace("x: iteration", "x: epoch"))
    assert later.planned("beyond", "claims", "figures") == {"judge_claims": 1, "draw_figure": 1}


def kept_and_listed(later: Project) -> None:
    """The command also keeps the figure now."""
    assert later.sharpest("gallery", "over_edge").returncode == 0
    entry = later.folder / "docs/gallery/over_edge"
    assert "# Over edge" in (entry / "README.md").read_text()
    assert "`later.edge`" in (entry / "README.md").read_text()
    # it is not a verdict on the paper
    assert "0 were judged: 0 hold, 0 fail" in (entry.parent / "README.md").read_text()
    listed = later.sharpest("show", RUN)
    assert "for fig06, over_edge" in listed.stdout
    why = later.sharpest("why", "beyond")
    assert "nothing is stale" in why.stdout


def test_without_any_everything_works(edited: Project) -> None:
    assert edited.planned("beyond") == {}
    (edited.folder / "config/claims").mkdir()
    (edited.folder / "config/claims/cohen2021.csv").write_text(",".join(COLUMNS) + "\n")
    (edited.folder / "config/beyond.yaml").unlink()
    assert edited.planned("all") == {}
    assert edited.snakemake("-n", "results/tiny/beyond.csv").returncode != 0


MISTAKES = {
    "a claim's item": ("config/claims/cohen2021.csv", ",over_edge,", ",over,", "item 'over' should be a figure of"),
    "a claim's id": ("config/claims/cohen2021.csv", "later.edge", "fig7.top.lambda", "cohen2021.csv, claim fig7.top."),
    "a claim's quantity": (
        "config/claims/cohen2021.csv", "late_mean", "late", "config/claims/cohen2021.csv, claim later.edge: quantity",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_before_any_job(mistake: str, later: Project) -> None:
    path, old, new, message = MISTAKES[mistake]
    later.edit(path, lambda text: text.replace(old, new))
    result = later.snakemake("-n", "all")
    assert result.returncode != 0
    assert len([line for line in result.stdout.splitlines() if message in line]) == 1
    assert "Traceback" not in result.stdout


def test_the_forecast_counts_them(later: Project) -> None:
    from .test_forecast import jobs_of

    jobs = jobs_of(Path(later.folder), "tiny")
    assert jobs["over_edge"].rule == "draw_figure"
    assert [path for path, job in jobs.items() if job.rule == "judge_claims"] == ["claims.csv", "beyond.csv"]
