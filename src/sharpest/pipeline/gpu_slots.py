"""GPUs of one machine for jobs: ids handed out by file locks, which a dying process gives back."""

import fcntl
import os
import subprocess
import tempfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import IO, Any

from sharpest.errors import ConfigError

_held: list[IO[str]] = []  # a lock lives as long as its file is open: until the process ends


def choose_device(resources: Any) -> None:
    """Let this process see the GPU that its rule asks for, or none. Call it before torch looks for one.

    Args:
        resources: Those of the job. ``gpu`` is 1 where the configuration asks for a GPU, and ``gres`` names one at
            sites that want it so; ``gpu_slots`` is 1 where nobody has given the job one of its own, as Slurm does:
            with the profile ``gpu``. There ``jobs_per_gpu`` jobs share one, each with its share of the memory.

    Raises:
        ConfigError: If the job is to have a GPU and there is none that it can use.
    """
    if not (resources.get("gpu", 0) or "gpu" in resources.get("gres", "")):
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        return
    sharing = resources.get("jobs_per_gpu", 1) if resources.get("gpu_slots", 0) else 1
    if resources.get("gpu_slots", 0):
        os.environ["CUDA_VISIBLE_DEVICES"] = take_slot(visible_ids(), slots_folder(), sharing)
    import torch  # only jobs that have imported it ask for a GPU

    if not torch.cuda.is_available():
        seen = os.environ.get("CUDA_VISIBLE_DEVICES", "not set")
        raise ConfigError(
            f"device is cuda, but torch finds no GPU it can use (CUDA_VISIBLE_DEVICES: {seen}); correct the driver or "
            "the machine's partition, or set device: cpu in config/config.yaml"
        )
    if sharing > 1:  # a job that wants more fails itself, not the others
        torch.cuda.set_per_process_memory_fraction(1 / sharing)


def visible_ids() -> list[str]:
    """Ids of the GPUs of this machine: those in CUDA_VISIBLE_DEVICES, all where it is not set.

    Raises:
        ConfigError: If there are none, or nothing tells them.
    """
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is None:
        try:
            command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
            given = ",".join(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split())
        except (OSError, subprocess.CalledProcessError) as error:
            raise ConfigError(
                f"the ids of this machine's GPUs are unknown: nvidia-smi fails ({error}); name them in "
                "CUDA_VISIBLE_DEVICES, e.g. 0,1, or set device: cpu in config/config.yaml"
            ) from error
    ids = [part.strip() for part in given.split(",") if part.strip()]
    if not ids:
        raise ConfigError(
            "this machine shows no GPU (CUDA_VISIBLE_DEVICES or nvidia-smi is empty); set device: cpu in "
            "config/config.yaml"
        )
    return ids


def slots_folder() -> Path:
    """Where the locks of this user's jobs on this machine lie.

    Raises:
        ConfigError: If somebody else has made it.
    """
    folder = Path(tempfile.gettempdir()) / f"sharpest-gpu-slots-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise ConfigError(f"{folder}: belongs to another user; set TMPDIR to a folder of your own")
    return folder


def take_slot(ids: Sequence[str], folder: Path, jobs_per_gpu: int = 1) -> str:
    """Lock a place on a GPU until this process ends, however it ends: each GPU gets one job before any gets two.

    Args:
        ids: One for each GPU.
        folder: Holds a file for each place, with the process that uses it.
        jobs_per_gpu: Places on each.

    Raises:
        ConfigError: If all are taken.
    """
    users = []
    for place, name in product(range(jobs_per_gpu), ids):
        file = open(folder / (name.replace("/", "_") + (f"+{place}" if place else "")), "a+")  # noqa: SIM115
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
