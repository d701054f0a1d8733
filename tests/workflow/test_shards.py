"""A schedule measured in shards: the same bits, and nothing is left of them."""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from sharpest.config.project import load_project
from sharpest.pipeline.job import Progress
from sharpest.results.paths import Paths

from .conftest import ROOT, Project

pytestmark = pytest.mark.slow

RUN = "scnn-c10-sgd-lr0.01-S128-s777"
SPECTRUM, DIRECTIONS = f"results/tiny/spectra/{RUN}/step.h5", f"results/tiny/directions/{RUN}/step.h5"
ALL_JOBS = {"measure_shard": 3 + 3, "merge_shards": 1 + 1}  # spectra, directions


def cut(project: Project) -> None:
    """Eleven points of the schedule in shards of four."""
    project.edit("config/scales/tiny.yaml", lambda text: text.replace("  step:\n", "  step:\n    shard_points: 4\n"))


@pytest.fixture(scope="module")
def sharded(tiny: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The finished tiny project, with one curve remeasured in shards."""
    project = tiny.copy_without(tmp_path_factory.mktemp("sharded"))
    cut(project)
    assert project.planned(DIRECTIONS) == ALL_JOBS
    result = project.snakemake("--cores", "2", DIRECTIONS)
    assert result.returncode == 0, result.stdout
    return project


def contents(path: Path) -> dict[str, bytes]:
    with h5py.File(path) as file:
        return {name: file[name][...].tobytes() for name in file if name != "seconds"}


def script(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, ROOT / f"workflow/scripts/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_shards_give_the_files_of_one_job(sharded: Project, tmp_path: Path) -> None:
    """Compared with the scripts' own functions, with all segments in one job."""
    project = load_project({"scale": "tiny"}, sharded.folder / "config")
    schedule = project.schedule(RUN, "step")
    segments = schedule.segments
    assert list(map(len, segments)) == [4, 4, 3]
    paths = Paths.of("tiny", sharded.folder / "results")
    hessian = project.hessian(RUN).model_dump(mode="json")
    progress = Progress("test", RUN, 1, "points", sys.stderr)
    whole = {name: str(tmp_path / f"{name}.h5") for name in ("spectra", "directions")}
    for name in ("spectra", "directions"):
        settings = schedule.measures[name].model_dump(mode="json")
        script("measure").main(
            name, RUN, "step", paths, whole[name], tmp_path / name, segments, settings, hessian, "code", progress,
        )  # fmt: skip
    assert contents(sharded.folder / SPECTRUM) == contents(Path(whole["spectra"]))
    assert contents(sharded.folder / DIRECTIONS) == contents(Path(whole["directions"]))


def test_a_shard_starts_cold(sharded: Project, tiny: Project) -> None:
    """The first has the bits of the unsplit schedule; the others agree within the tolerance."""
    with h5py.File(sharded.folder / SPECTRUM) as cut, h5py.File(tiny.folder / SPECTRUM) as whole:
        np.testing.assert_array_equal(cut["iteration"], whole["iteration"])
        np.testing.assert_array_equal(cut["eigenvectors"][:4], whole["eigenvectors"][:4])
        assert (cut["eigenvectors"][4] != whole["eigenvectors"][4]).any()
        allowed = 2 * json.loads(cut.attrs["hessian"])["tolerance"] * np.abs(cut["eigenvalues"]).max()
        converged = cut["converged"][...].all(axis=1) & whole["converged"][...].all(axis=1)
        np.testing.assert_allclose(cut["eigenvalues"][converged], whole["eigenvalues"][converged], atol=allowed)


def test_shards_are_gone_and_nothing_is_left_to_do(sharded: Project) -> None:
    assert not list((sharded.folder / "results/tiny/shards").rglob("*.h5"))
    assert sharded.planned(DIRECTIONS) == {}


# jobs that rerun although the shards are gone
STALE = {
    ("curvature/lanczos.py",): ALL_JOBS,
    ("measures/directions/measure.py", "figures/step_surface.py"): {"measure_shard": 3, "merge_shards": 1},
    ("results/shards.py",): ALL_JOBS,
}


def test_edited_code_reruns_shards(sharded: Project, tmp_path: Path) -> None:
    for number, (paths, jobs) in enumerate(STALE.items()):
        edited = sharded.copy_without(tmp_path / str(number))
        for path in paths:
            edited.edit(f"src/sharpest/{path}", lambda text: text + "\nassert True\n")
        assert edited.planned(DIRECTIONS) == jobs, paths
