"""The small scale: its plan, and that its runs are long enough for their effects."""

from pathlib import Path

import pytest

from sharpest.config.project import Project, load_project
from sharpest.config.run_id import RunId

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def small() -> Project:
    return load_project({"scale": "small"}, ROOT / "config")


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
