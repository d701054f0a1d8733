"""The frame of a job, in separate processes, because it redirects their stdout and stderr."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def run_job(tmp_path: Path):
    """Run code within a job: exit code, terminal, log."""

    def run(*lines: str) -> tuple[int, str, str]:
        log = tmp_path / "logs" / "train" / "job.log"
        head = (
            "import os, sys",
            "from sharpest.errors import DataError",
            "from sharpest.pipeline.job import job",
            f"with job({str(log)!r}) as terminal:",
        )
        code = "\n".join([*head, *(f"    {line}" for line in lines)])
        completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
        assert completed.stdout == ""
        return completed.returncode, completed.stderr, log.read_text()

    return run


def test_output_goes_to_the_log_and_messages_to_the_terminal(run_job):
    """Including output of libraries and child processes."""
    code, terminal, log = run_job(
        'print("detail")',
        'print("warning", file=sys.stderr)',
        'os.system("echo from a child")',
        'print("train done", file=terminal)',
    )
    assert (code, terminal) == (0, "train done\n")
    assert sorted(log.splitlines()) == ["detail", "from a child", "warning"]


def test_an_error_that_a_user_can_fix_is_one_line(run_job):
    """Also in the log, which snakemake may show."""
    code, terminal, log = run_job('raise DataError("c10.h5: is damaged; delete it")')
    assert code == 1
    assert terminal == "error      c10.h5: is damaged; delete it\n"
    assert log == "c10.h5: is damaged; delete it\n"


def test_ctrl_c_ends_a_job_silently(tmp_path):
    """Results are complete or absent, so this equals a kill."""
    code = "import sharpest.pipeline.startup, os, signal; os.kill(os.getpid(), signal.SIGINT); print('lives')"
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (completed.returncode, completed.stdout, completed.stderr) == (-signal.SIGINT, "", "")


def test_a_log_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "logs").write_text("a file where a folder should be")
    log = tmp_path / "logs/job.log"
    code = f"from sharpest.pipeline.job import job\nwith job({str(log)!r}): print('never')"
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (completed.returncode, completed.stdout) == (1, "")
    assert completed.stderr.startswith(f"error      {log}: cannot be written (")
    assert completed.stderr.endswith("free space or correct the folder's permissions\n")
    assert completed.stderr.count("\n") == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_log_on_a_full_disk_hides_no_error():
    code = "from sharpest.pipeline.job import job\nwith job('/dev/full'): 1 / 0"
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert completed.returncode != 0
    assert completed.stderr == "error      ZeroDivisionError: division by zero; the traceback is in /dev/full\n"


def test_any_other_error_names_the_log(run_job, tmp_path):
    code, terminal, log = run_job("1 / 0")
    assert code == 1
    assert terminal.startswith("error      ZeroDivisionError: division by zero")
    assert str(tmp_path / "logs/train/job.log") in terminal
    assert terminal.count("\n") == 1
    assert "Traceback (most recent call last)" in log


def test_an_error_of_the_gpu_is_one_line_and_a_traceback_in_the_log(run_job):
    code, terminal, log = run_job("import torch", "raise torch.AcceleratorError('CUDA error: unknown')")
    assert code == 1
    assert terminal.startswith("error      the GPU failed or was lost during the job (CUDA error: unkn")
    assert terminal.count("\n") == 1
    assert "Traceback (most recent call last)" in log
