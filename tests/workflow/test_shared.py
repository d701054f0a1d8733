"""Two users, two clones, and one results folder that the second user only reads."""

import csv
import subprocess

import pytest

from .conftest import Project
from .test_damage import finished

SHARED = ("data", "runs", "spectra", "directions", "evaluations")


@pytest.fixture
def shared(edited: Project) -> Project:
    """The first user's clone, whose results are read-only."""
    subprocess.run(["chmod", "-R", "a-w", str(edited.folder / "results")], check=True)
    return edited


@pytest.fixture
def second(tiny: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The second user's clone, without results and records."""
    return tiny.copy_without(tmp_path_factory.mktemp("second"), "results", ".snakemake")


def test_the_whole_folder_can_be_looked_at(shared: Project, second: Project, bound: tuple[str, ...]) -> None:
    """Through a link to a scale's results, a dry run finds everything, and a run reports that it cannot write."""
    (second.folder / "results").mkdir()
    (second.folder / "results/tiny").symlink_to(shared.folder / "results/tiny")
    before = finished(shared)
    dry = second.snakemake("-n", "all", prefix=bound)
    assert dry.returncode == 0, dry.stdout
    assert "Nothing to be done" in dry.stdout
    run = second.snakemake("--cores", "1", "--forcerun", "draw_figure", "--", "all", prefix=bound)
    assert run.returncode != 0
    assert f"results folder {shared.folder / 'results/tiny'} cannot be written" in run.stdout
    assert "Traceback" not in run.stdout
    assert finished(shared) == before


@pytest.mark.slow
def test_own_figures_are_drawn_from_shared_measurements(
    shared: Project, second: Project, bound: tuple[str, ...]
) -> None:
    """Links for the measured parts; a new study of the second user trains and measures nothing."""
    own, before = second.folder / "results/tiny", finished(shared)
    own.mkdir(parents=True)
    for name in SHARED:
        (own / name).symlink_to(shared.folder / "results/tiny" / name)
    second.edit("config/studies.yaml", lambda text: text.replace("alphas: [0.5, 1, 2]", "alphas: [0.5, 2]"))
    planned = second.planned("figures")
    assert set(planned) == {"draw_figure", "write_table", "judge_claims", "write_report"}
    run = second.snakemake("--cores", "2", "figures", prefix=bound)
    assert run.returncode == 0, run.stdout
    assert finished(shared) == before

    def points(project: Project) -> list[dict[str, str]]:
        with open(project.folder / "results/tiny/figures/fig06.csv", newline="") as file:
            return list(csv.DictReader(file))

    # the new study, on the numbers of the shared files
    assert 0 < len(points(second)) < len(points(shared))
    assert all(point in points(shared) for point in points(second))
    # missing results are not made there
    line = second.snakemake("--cores", "1", "--forcerun", "measure", "--", "figures", prefix=bound)
    assert line.returncode != 0
    assert finished(shared) == before
