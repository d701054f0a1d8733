"""Paths of a scale, as far as they could collide."""

from pathlib import Path

from sharpest.config.measures import measure_names
from sharpest.config.project import load_project
from sharpest.results.paths import Paths

PATHS = Paths.of("quick", "results")


def test_the_work_folder_mirrors_the_file():
    file = PATHS.measured("spectra", "run@e4/top", "step")
    assert PATHS.work_on(file) == Path("results/quick/work/spectra/run@e4/top/step")
    assert PATHS.work_on(str(PATHS.shard("spectra", "run-lr0.1", "step", 12))) == Path(
        "results/quick/work/shards/spectra/run-lr0.1/step/12"
    )


def test_work_folders_of_runs_and_measurements_never_collide():
    """Neither is inside the folder of another."""
    project = load_project({"scale": "quick"}, Path(__file__).parents[3] / "config")
    folders = [PATHS.work(run) for run in project.run_ids]
    for run in project.run_ids:
        for schedule in project.scale.schedules:
            for measure in measure_names():
                folders.append(PATHS.work_on(PATHS.measured(measure, run, schedule)))
                folders.append(PATHS.work_on(PATHS.shard(measure, run, schedule, 0)))
    assert len(set(folders)) == len(folders) > 1000
    parents = {parent for folder in folders for parent in folder.parents}
    assert not parents & set(folders)
