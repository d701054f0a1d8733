"""The profile of a machine with GPUs, on stand-in ids without GPUs, except for the last test."""

import pytest
import torch

from sharpest.pipeline.gpu_slots import slots_folder, take_slot
from sharpest.results.stored import Snapshots


def test_a_job_takes_the_second_place_on_a_shared_gpu(replanned, monkeypatch, tmp_path):
    """The first slot is taken."""
    (tmp_path / "slots").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "slots"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "slots"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "shared")
    take_slot(["shared"], slots_folder())
    target = "results/tiny/runs/scnn-c10-sgd-lr0.005-S128-s777/snapshots.h5"
    profile = ["--force", "--workflow-profile", "workflow/profiles/gpu", "--config", "device=cuda", "jobs_per_gpu=2"]
    shared = replanned.snakemake(target, *profile)
    assert "torch finds no GPU it can use (CUDA_VISIBLE_DEVICES: shared)" in shared.stdout
    assert {slot.name for slot in slots_folder().iterdir()} == {"shared", "shared+1"}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU it can use on this machine")
def test_two_jobs_share_a_real_gpu(edited):
    """Two runs at a time, and the measurements of one of them."""
    runs = ["scnn-c10-sgd-lr0.005-S128-s777", "scnn-c10-sgd-lr0.01-S128-s777"]
    targets = [f"results/tiny/runs/{run}/snapshots.h5" for run in runs]
    for target in targets:
        (edited.folder / target).unlink()
    profile = ["--workflow-profile", "workflow/profiles/gpu", "--resources", "gpu=2"]
    result = edited.snakemake(*targets, *profile, "--config", "device=cuda", "jobs_per_gpu=2")
    assert result.returncode == 0, result.stdout
    for target in targets:
        assert Snapshots(edited.folder / target).attributes["device"].startswith(torch.cuda.get_device_name())
