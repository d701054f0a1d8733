"""Claims of later papers: what they read, and that they do not change the paper's verdicts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sharpest.claims.judgement import judge
from sharpest.claims.ledger import COLUMNS, Claim, parse_claim
from sharpest.claims.plans import plan_claims, with_new_seeds
from sharpest.claims.quantity import RunSource
from sharpest.config.project import Project
from sharpest.config.run_id import RunId
from sharpest.config.studies import MeasuredCurves
from sharpest.errors import ConfigError
from sharpest.measures.directions import Settings as DirectionSettings
from sharpest.measures.spectra import Settings as SpectrumSettings

RUN = "scnn-c10-sgd-lr0.1-S128-s777"
OTHER = RUN.replace("777", "778")
SPECTRA = SpectrumSettings(num_eigenpairs=5, accuracy_examples=10)
DIRECTIONS = DirectionSettings(indices=(1,), num_gradients=1, loss_examples=10, alphas=(1,), grid=(0,))


@dataclass
class Schedule:
    """A schedule on any run."""

    name: str
    measures: Mapping[str, Any]
    window: float | None = None


def study(*runs: str) -> MeasuredCurves:
    """Eigenvalues at one schedule, losses at another."""
    curves = [
        {"run": run, "label": "", **drawn}
        for run in runs
        for drawn in (
            {"schedule": "fine", "measure": "spectra", "column": "eigenvalues", "index": [0]},
            {"schedule": "coarse", "measure": "directions", "column": "loss"},
        )
    ]
    panels = [{"title": "P", "curves": curves}]
    return MeasuredCurves.model_validate({"kind": "measured", "caption": "", "panels": panels})


@dataclass
class Made:
    """A project with a figure of the paper and one beyond; at this scale the paper's figure has only its first seed."""

    studies: dict[str, Any] = field(
        default_factory=lambda: {"fig06": study(RUN, OTHER), "sharpness": study(RUN, OTHER)}
    )
    beyond: tuple[str, ...] = ("sharpness",)
    scale: Any = field(default_factory=lambda: SimpleNamespace(studies={}))
    scale_runs: Any = field(default_factory=lambda: SimpleNamespace(row=lambda run: run))

    def study(self, name: str) -> Any:
        return study(RUN) if name == "fig06" else self.studies[name]

    def run(self, run: str) -> Any:
        return SimpleNamespace(branch=None, full_batch="-fb" in run)

    def seeds(self, name: str | None) -> range:
        return range(0)

    def schedule(self, run: str, name: str) -> Schedule:
        return Schedule(name, {"fine": {"spectra": SPECTRA}, "coarse": {"directions": DIRECTIONS}}[name])


def made_claim(paper: str = "cohen2021", **cells: str) -> Claim:
    row = dict.fromkeys(COLUMNS, "") | {
        "id": "mine", "item": "sharpness" if paper else "fig6", "kind": "range", "expected": "0..1", "subject": RUN,
        "quantity": "spectra.eigenvalues[0].late_mean", "any_scale": "yes", "kind_of": "finding",
    }  # fmt: skip
    return parse_claim(({"paper": paper} if paper else {}) | row | cells)


@pytest.mark.parametrize(
    ("quantity", "schedules"),
    [("spectra.eigenvalues[0].mean", {"spectra": "fine"}), ("directions.loss.last", {"directions": "coarse"})],
)
def test_a_column_is_read_at_the_schedule_of_the_figure_that_takes_its_measure(
    quantity: str, schedules: dict[str, str]
) -> None:
    project: Any = Made()
    assert plan_claims([made_claim(quantity=quantity)], project)["mine"] == (RunSource(run=RUN, schedules=schedules),)


def test_each_side_uses_the_seeds_of_its_own_studies() -> None:
    project: Any = Made()
    subject = f"{RUN};{OTHER}"
    for paper, runs in (("", [RUN]), ("cohen2021", [RUN, OTHER])):
        (sources,) = plan_claims([made_claim(paper, subject=subject)], project).values()
        assert [source.run for source in sources] == runs


@pytest.mark.parametrize(
    ("paper", "cells", "message"),
    [
        (
            "cohen2021", {"item": "sharpnes"},
            "item 'sharpnes' should be a figure of config/beyond.yaml; did you mean sharpness?",
        ),
        ("cohen2021", {"item": "fig6"}, "item 'fig6' should be a figure of config/beyond.yaml; it has sharpness"),
        (
            "cohen2021", {"quantity": "spectra.eigenvalue[0].mean"},
            "quantity 'spectra.eigenvalue[0].mean': spectra has no column 'eigenvalue'; did you mean eigenvalues?",
        ),
        ("cohen2021", {"quantity": "lambda_max_pek"}, "unknown quantity 'lambda_max_pek'; did you mean lambda_max"),
        (
            "cohen2021",
            {"quantity": "rising_updates_after_edge"},
            f"rising_updates_after_edge needs full-batch runs, unlike '{RUN}'; name a run with -fb in its id",
        ),
        (
            "cohen2021", {"subject": "vgg-c10-sgd-lr0.1-S128-s777"},
            "no study measures spectra.eigenvalues[0].late_mean of 'vgg-c10-sgd-lr0.1-S128-s777'; add the run to "
            "sharpness in beyond.yaml",
        ),
        ("", {"item": "sharpness"}, "item 'sharpness' should be a figure (fig4, fig_mine), a table (tab1) or"),
        ("", {"item": "sec3", "quantity": "lambda_max_pek"}, "unknown quantity 'lambda_max_pek'"),
    ],
)  # fmt: skip
def test_a_claim_that_does_not_fit_is_one_line_with_its_file(paper: str, cells: dict[str, str], message: str) -> None:
    project: Any = Made()
    with pytest.raises(ConfigError) as caught:
        plan_claims(with_new_seeds([made_claim(paper, **cells)], project), project)
    file = "config/claims/cohen2021.csv" if paper else "config/claims.csv"
    assert str(caught.value).startswith(f"{file}, claim mine: {message}")


def test_the_papers_plans_do_not_change_with_a_study_beyond_it(
    ledger: tuple[Claim, ...], configured: Callable[[str], Project]
) -> None:
    """Even if it shows exactly the runs and seeds that the scale leaves out."""
    project = configured("quick")
    before = plan_claims(ledger, project)
    table = project.studies["tab1"]
    shown = study(*table.runs())
    after = replace(project, studies={**project.studies, "sharpness": shown}, beyond=(*project.beyond, "sharpness"))
    assert plan_claims(ledger, after) == before


def test_they_are_judged_by_the_same_rules_and_counted_by_paper(folder: Any) -> None:
    claims, order = [], ("0.001", "0.01", "0.1")
    for lr, height in zip(order, (5.0, 3, 2), strict=True):
        for seed in (1, 2, 3):
            run = str(RunId.parse(f"scnn-c10-sgd-lr{lr}-S128-s777").of_seed(seed))
            folder.spectra(run, "grid", height + 0.01 * np.random.default_rng(seed).standard_normal(12))
    subject = ";".join(f"scnn-c10-sgd-lr{lr}-S128-s{seed}" for lr in order for seed in (1, 2, 3))
    cells = {"kind": "order", "expected": "0.001>0.01>0.1", "subject": subject}
    for paper in ("", "cohen2021", "song2024"):
        claims.append(made_claim(paper, id=f"of {paper or 'the paper'}", **cells))
    plans = {c.id: tuple(RunSource(run=run, schedules={"spectra": "grid"}) for run in c.runs) for c in claims}
    paper = judge(claims[:1], plans, folder.paths.folder, paper_scale=False)
    later = judge(claims[1:], plans, folder.paths.folder, paper_scale=False)
    assert list(paper.claims) == list(later.claims)[1:]
    assert later.claims["paper"].tolist() == ["cohen2021", "song2024"]
    assert paper.claims["verdict"].tolist() + later.claims["verdict"].tolist() == ["holds"] * 3
    assert paper.chance["item"].tolist() == ["fig6", "all"]
    assert later.chance["paper"].tolist() == ["cohen2021", "song2024", "all"]
    assert later.chance["claims"].tolist() == [1, 1, 2]


def test_an_empty_ledger_has_no_verdicts(folder: Any) -> None:
    judged = judge([], {}, folder.paths.folder, paper_scale=False)
    assert len(judged.claims) == len(judged.by_seed) == 0
    assert judged.chance["claims"].tolist() == [0]
