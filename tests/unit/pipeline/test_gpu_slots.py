"""GPU slots, with stand-in ids and processes that are really killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sharpest.errors import ConfigError
from sharpest.pipeline.gpu_slots import choose_device, slots_folder, take_slot, visible_ids

Holder = subprocess.Popen[str]


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Callable[[str], Holder]]:
    """Start a process that takes a slot on some ids, prints the slot or the error, and holds it until it dies."""
    processes: list[Holder] = []

    def start(ids: str, jobs_per_gpu: int = 1) -> Holder:
        code = (
            "import sys, time\n"
            "from pathlib import Path\n"
            "from sharpest.errors import ConfigError\n"
            "from sharpest.pipeline.gpu_slots import take_slot\n"
            "try:\n"
            "    print(take_slot(sys.argv[1].split(','), Path(sys.argv[2]), int(sys.argv[3])), flush=True)\n"
            "except ConfigError as error:\n"
            "    sys.exit(str(error))\n"
            "time.sleep(600)\n"
        )
        command = [sys.executable, "-c", code, ids, str(tmp_path), str(jobs_per_gpu)]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def _slot(process: Holder) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_each_process_has_its_own_id(holder):
    """Started together, so that they compete for the same files."""
    processes = [holder("0,1,2,GPU-3/x") for _ in range(4)]
    assert sorted(_slot(process) for process in processes) == ["0", "1", "2", "GPU-3/x"]


def test_an_extra_process_learns_who_holds_the_gpus(holder):
    processes = {_slot(process): process for process in (holder("0,1"), holder("0,1"))}
    late = holder("0,1")
    _, error = late.communicate(timeout=30)
    assert late.returncode == 1
    assert error.startswith("no GPU is free: ")
    assert error.count("\n") == 1
    for name, process in processes.items():
        assert f"{name} by process {process.pid}" in error


def test_jobs_share_gpus_evenly(holder):
    """Each GPU gets a job before any gets a second one; the fifth job finds no slot on two GPUs."""
    assert sorted(_slot(holder("0,1", 2)) for _ in range(2)) == ["0", "1"]
    assert sorted(_slot(holder("0,1", 2)) for _ in range(2)) == ["0", "1"]
    late = holder("0,1", 2)
    _, error = late.communicate(timeout=30)
    assert late.returncode == 1
    assert error.count(" by process ") == 4
    assert "times jobs_per_gpu" in error


@pytest.mark.parametrize(("jobs_per_gpu", "shares"), [(1, []), (4, [0.25])])
def test_a_job_takes_its_share_of_the_memory(monkeypatch, tmp_path, jobs_per_gpu, shares):
    torch = pytest.importorskip("torch")
    found: list[float] = []
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", found.append)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    choose_device({"gpu": 1, "gpu_slots": 1, "jobs_per_gpu": jobs_per_gpu})
    assert found == shares


def test_a_job_of_slurm_has_its_gpu_for_itself(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", lambda share: pytest.fail(f"got {share}"))
    choose_device({"gpu": 1, "jobs_per_gpu": 4})


def test_a_killed_process_frees_its_slot_at_once(holder):
    processes = {_slot(process): process for process in (holder("0,1"), holder("0,1"))}
    processes["0"].send_signal(signal.SIGKILL)
    processes["0"].wait()
    assert _slot(holder("0,1")) == "0"


def test_a_job_sees_its_own_gpu_only(monkeypatch, tmp_path):
    """Whether torch finds a GPU there is a separate question, which the message answers."""
    torch = pytest.importorskip("torch")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    take_slot(["4"], slots_folder())
    choose_device({"gpu": 1, "gpu_slots": 1})
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "7"


@pytest.mark.parametrize("resources", [{"gpu": 1}, {"gpu": 0, "gres": "gpu:a100:1"}])
def test_a_job_of_slurm_keeps_what_slurm_gave_it(monkeypatch, tmp_path, resources):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    choose_device(resources)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "5"
    assert not list(tmp_path.iterdir())


def test_a_job_on_the_cpu_sees_no_gpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    choose_device({"gpu": 0})
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""


def test_a_gpu_that_torch_cannot_use_is_an_error(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    with pytest.raises(ConfigError, match=r"no GPU it can use \(CUDA_VISIBLE_DEVICES: 3\).*set device: cpu"):
        choose_device({"gpu": 1})


def test_unknown_ids_are_an_error(monkeypatch, tmp_path):
    """Without a list of ids, and with nvidia-smi missing, failing, or finding nothing."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="ids of this machine's GPUs are unknown: nvidia-smi fails"):
        visible_ids()
    program = tmp_path / "nvidia-smi"
    for script, message in (("exit 9", "nvidia-smi fails"), ("exit 0", "shows no GPU")):
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        with pytest.raises(ConfigError, match=message):
            visible_ids()


def test_ids_come_from_the_environment_or_the_driver(monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, GPU-8f")
    assert visible_ids() == ["2", "GPU-8f"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 0\necho 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert visible_ids() == ["0", "1"]
