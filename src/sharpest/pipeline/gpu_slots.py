"""The GPU of a job: a slot on one of several, and the explanation of its errors."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import IO, Any

from sharpest.errors import ConfigError, SharpestError

_AGAIN = (
    "nothing finished is lost: run the same command again, and training resumes from its last save, a measurement from "
    "its last point"
)
# messages of GPU errors that are a plain RuntimeError and not an AcceleratorError
_FAILURES = (
    "CUDA error",
    "No CUDA GPUs are available",
    "CUBLAS_STATUS_",
    "CUDNN_STATUS_",
    "cuDNN error",
    "cusolver error",
)


class GpuError(SharpestError):
    """A GPU ran out of memory or failed during a job."""


def explained(error: BaseException) -> GpuError | None:
    """Explain an error of a GPU, with a remedy; None for other errors."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(error, RuntimeError):
        return None
    text = str(error).strip() or type(error).__name__
    first = text.splitlines()[0].rstrip(".")
    failed = isinstance(error, torch.AcceleratorError) or any(name in text for name in _FAILURES)
    if isinstance(error, torch.OutOfMemoryError) or (failed and ("out of memory" in text or "ALLOC_FAILED" in text)):
        return GpuError(
            f"the GPU has too little memory for this job ({first}): lower jobs_per_gpu in config/config.yaml, so that "
            f"fewer jobs share it, or chunk_size of hessian in the scale; {_AGAIN}"
        )
    if failed:
        return GpuError(
            f"the GPU failed or was lost during the job ({first}): check its state with nvidia-smi; {_AGAIN}"
        )
    return None


_held: list[IO[str]] = []  # a lock lasts as long as its file is open, here until the process ends


def choose_device(resources: Any) -> None:
    """Make only the GPU that the rule requests visible to this process, or none. Call this before torch uses CUDA.

    Args:
        resources: Resources of the job. ``gpu`` is 1 if the configuration requests a GPU; at some sites, ``gres`` names
            one instead. ``gpu_slots`` is 1 if the job must choose a GPU itself, as with the profile ``gpu``; Slurm
            assigns one. Then ``jobs_per_gpu`` jobs share a GPU and its memory.

    Raises:
        ConfigError: If the job needs a GPU and cannot use one.
    """
    if not (resources.get("gpu", 0) or "gpu" in resources.get("gres", "")):
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        return
    sharing = resources.get("jobs_per_gpu", 1) if resources.get("gpu_slots", 0) else 1
    if resources.get("gpu_slots", 0):
        os.environ["CUDA_VISIBLE_DEVICES"] = take_slot(visible_ids(), slots_folder(), sharing)
    import torch  # jobs that request a GPU have imported it already

    if not torch.cuda.is_available():
        seen = os.environ.get("CUDA_VISIBLE_DEVICES", "not set")
        raise ConfigError(
            f"device is cuda, but torch finds no GPU it can use (CUDA_VISIBLE_DEVICES: {seen}); correct the driver or "
            "the machine's partition, or set device: cpu in config/config.yaml"
        )
    if sharing > 1:  # a job that exceeds its share fails without affecting the others
        torch.cuda.set_per_process_memory_fraction(1 / sharing)


def visible_ids() -> list[str]:
    """Ids of the GPUs in CUDA_VISIBLE_DEVICES; of all GPUs of this machine if it is not set.

    Raises:
        ConfigError: If there are none, or they cannot be listed.
    """
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is None:
        try:
            command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
            given = ",".join(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split())
        except (OSError, subprocess.CalledProcessError) as error:
            raise ConfigError(
                f"the ids of this machine's GPUs are unknown: nvidia-smi fails ({error}); list them in "
                "CUDA_VISIBLE_DEVICES, such as 0,1, or set device: cpu in config/config.yaml"
            ) from error
    ids = [part.strip() for part in given.split(",") if part.strip()]
    if not ids:
        raise ConfigError(
            "this machine shows no GPU (CUDA_VISIBLE_DEVICES or nvidia-smi is empty); set device: cpu in "
            "config/config.yaml"
        )
    return ids


def slots_folder() -> Path:
    """The folder with the locks of this user's jobs on this machine.

    Raises:
        ConfigError: If the folder belongs to another user.
    """
    folder = Path(tempfile.gettempdir()) / f"sharpest-gpu-slots-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise ConfigError(f"{folder}: belongs to another user; set TMPDIR to a folder of your own")
    return folder


def take_slot(ids: Sequence[str], folder: Path, jobs_per_gpu: int = 1) -> str:
    """Lock a slot on a GPU until this process ends, for any reason. Every GPU gets one job before any gets two.

    Args:
        ids: Ids of the GPUs.
        folder: Folder with a file per slot, which names the process that uses the slot.
        jobs_per_gpu: Slots per GPU.

    Raises:
        ConfigError: If all slots are taken.
    """
    users = []
    for slot, name in product(range(jobs_per_gpu), ids):
        file = open(folder / (name.replace("/", "_") + (f"+{slot}" if slot else "")), "a+")  # noqa: SIM115
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            users.append(f"{name} by process {file.read() or 'unknown'}")
            file.close()
            continue
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        _held.append(file)
        return name
    raise ConfigError(
        f"no GPU is free: {', '.join(users)}; lower gpu under resources in workflow/profiles/gpu to the number of "
        "GPUs times jobs_per_gpu, or wait for other jobs to end"
    )
