"""A job takes the settings that were planned, whatever becomes of the configuration before the job starts."""

import json
from pathlib import Path

import h5py
import pytest

from .conftest import Project, write_tiny

RUN = "results/tiny/runs/scnn-c10-sgd-lr0.005-S128-s777/snapshots.h5"
SCALE = "config/scales/tiny.yaml"


@pytest.mark.slow
def test_a_configuration_edited_after_planning_and_taken_back_leaves_the_planned_record(
    compiled: Project, tmp_path: Path
) -> None:
    project = write_tiny(compiled, tmp_path)
    planned = (project.folder / SCALE).read_text()
    edited = planned.replace("hessian: {examples: 32, max_products: 60}", "hessian: {examples: 33, max_products: 60}")
    assert edited != planned
    edit = f"onstart:\n    Path({SCALE!r}).write_text({edited!r})\n"
    project.edit("Snakefile", lambda text: text.replace("onstart:\n", edit))
    trained = project.snakemake("--cores", "2", "--", RUN)
    assert trained.returncode == 0, trained.stdout
    assert "examples: 33" in (project.folder / SCALE).read_text()
    with h5py.File(project.folder / RUN) as file:
        hessian, reductions = json.loads(file.attrs["hessian"]), json.loads(file.attrs["reductions"])
    assert hessian["examples"] == 32
    assert any(note.startswith("N 32 (") for note in reductions)
    (project.folder / SCALE).write_text(planned)
    assert project.planned(RUN) == {}
