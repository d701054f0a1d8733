"""The small scale: the numbers of docs/small-scale.md, and that its runs are long enough for their effects."""

import re
from pathlib import Path

import pytest

from sharpest.config.project import Project, load_project
from sharpest.config.run_id import RunId

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/small-scale.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(?:figures|tables)/(\w+)\..*?\| (\d+) \| (\d+)", PAGE, re.MULTILINE)
AN_HOUR = ["fig01", "fig02", "fig04_without_resnet", "fig05", "fig06", "fig07", "fig12", "fig21", "tab5", "tab7"]


@pytest.fixture(scope="module")
def small() -> Project:
    return load_project({"scale": "small"}, ROOT / "config")


@pytest.mark.parametrize(("name", "runs"), [row[:2] for row in ROWS])
def test_the_page_counts_the_runs_of_each_command(small: Project, name: str, runs: str) -> None:
    named = set(small.study(name).runs())
    trunks = {branch.parent for run in named if (branch := small.run(run).branch)}
    assert len(named | trunks) == int(runs)


def test_the_page_promises_an_hour_where_it_should() -> None:
    minutes = {name: int(number) for name, _, number in ROWS}
    assert {name: minutes[name] for name in AN_HOUR if minutes[name] > 60} == {}


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


def test_nets_are_the_papers(small: Project) -> None:
    """Except for the image size of VGG-11; nets beyond the paper may have any size."""
    published = small.paper.models
    changed = {
        name: {key for key, value in model.model_dump().items() if value != getattr(published[name], key)}
        for name, model in small.scale.models.items()
    }
    beyond = {RunId.parse(run).model for study in small.beyond for run in small.study(study).runs()} - PAPERS_NETS
    assert {name: keys for name, keys in changed.items() if keys and name not in beyond} == {
        "vgg": {"image_size"},
        "vggp": {"image_size"},
    }
