"""The small scale: its plan, and that its runs are long enough for their effects."""

import hashlib
import re
from pathlib import Path

import pytest

from sharpest.claims.ledger import read_ledger
from sharpest.config.project import Project, load_project
from sharpest.config.run_id import RunId

ROOT = Path(__file__).parents[3]
PLAN = (ROOT / "docs/small-scale-plan.md").read_text(encoding="utf-8").partition("## The plan\n")[2].strip()
ROWS = re.findall(r"^\| ((?:Table|Figure).*?) \| (\d+) \| ([\d.]+) \|", PLAN, re.MULTILINE)
FIXED = "d4060b95d7b94282541a70b8715feae96712d4b01819c041f6ffc5d1894a2876"
"""SHA-256 of the section in docs/small-scale.md of the commit that the page names."""


@pytest.fixture(scope="module")
def small() -> Project:
    return load_project({"scale": "small"}, ROOT / "config")


def test_the_plan_is_the_one_fixed_before_the_first_run() -> None:
    assert hashlib.sha256(PLAN.encode()).hexdigest() == FIXED


def test_the_plan_counts_each_scale_free_claim_once() -> None:
    free = [claim for claim in read_ledger(ROOT / "config/claims.csv") if claim.any_scale]
    assert sum(int(claims) for _, claims, _ in ROWS) == len(free) - 1  # secE.newton needs no run
    assert round(sum(float(hours) for _, _, hours in ROWS), 1) == pytest.approx(20.5, abs=0.5)  # rounded rows


def test_every_run_has_three_new_seeds(small: Project) -> None:
    runs = {
        RunId.parse(run) for study in small.studies if study not in small.beyond for run in small.study(study).runs()
    }
    assert {run.seed for run in runs} == {1001, 1002, 1003}


def test_image_runs_last_until_their_peak(small: Project) -> None:
    """In iterations times the learning rate: 3 for SimpleCNN, and 7 for ResNet-32."""
    for name in ("fig01", "fig02", "fig04", "fig05", "fig06", "fig17"):
        for curve in small.study(name).curves():
            run = small.run(curve.run)
            if run.dataset.kind == "images":
                needed = 7 if run.model["kind"] == "resnet" else 2.99
                assert small.schedule(curve.run, curve.schedule).points[-1] * run.lr >= needed, (name, curve.run)


def test_growth_is_measured_finely(small: Project) -> None:
    """At least five points within the first 3/lr iterations of SimpleCNN, and 8/lr of ResNet-32."""
    for name in ("fig01", "fig02", "fig04", "fig05", "fig06", "fig17"):
        for curve in small.study(name).curves():
            run = small.run(curve.run)
            if run.dataset.kind == "images":
                end = (8 if run.model["kind"] == "resnet" else 3) / run.lr
                early = [point for point in small.schedule(curve.run, curve.schedule).points if point <= end]
                assert len(early) >= 5, (name, curve.run)


@pytest.mark.parametrize("panel", [0, 1])
def test_batch_sizes_of_image_nets_are_compared_at_equal_iterations(small: Project, panel: int) -> None:
    curves = small.study("fig04").rows[1][panel].curves
    assert len({tuple(small.schedule(curve.run, curve.schedule).points) for curve in curves}) == 1


PAPERS_NETS = {"scnn", "scnnM", "r32", "r32bn", "vgg", "vggp", "lstm", "imdb", "imdb2"}


def test_nets_differ_from_the_papers_as_the_page_says(small: Project) -> None:
    """Nets beyond the paper may have any size."""
    published = small.paper.models
    changed = {
        name: {key for key, value in model.model_dump().items() if value != getattr(published[name], key)}
        for name, model in small.scale.models.items()
    }
    beyond = {RunId.parse(run).model for study in small.beyond for run in small.study(study).runs()} - PAPERS_NETS
    vgg = {"image_size", "num_pools", "stages", "hidden"}
    assert {name: keys for name, keys in changed.items() if keys and name not in beyond} == {
        "scnn": {"image_size"},
        "scnnM": {"width"},
        "r32": {"image_size"},
        "r32bn": {"image_size"},
        "vgg": vgg,
        "vggp": vgg,
    }
