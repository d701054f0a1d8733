"""The provenance of a result: code, packages, device, settings."""

import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from sharpest import __version__

_PACKAGES = ("h5py", "numpy", "scipy", "torch")
_CODE = (":/Snakefile", ":/config", ":/src", ":/workflow")


def git_commit() -> str:
    """Commit of the code, with ``+`` if code or configuration have changed; ``unknown`` outside a checkout."""
    folder = Path(__file__).parent

    def git(*arguments: str) -> str:
        return subprocess.run(
            ("git", *arguments), cwd=folder, capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", *_CODE)
        return git("rev-parse", "HEAD") + "+" * bool(changed)
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def device() -> str:
    """The device with the processor's instruction set, as torch uses it: bits of results depend on both."""
    cpu = f"cpu ({platform.machine()}, {torch.backends.cpu.get_cpu_capability()})"
    return f"{torch.cuda.get_device_name()}, {cpu}" if torch.cuda.is_available() else cpu


def now() -> str:
    """The current time, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def derived_provenance(run: Mapping[str, Any], config: dict[str, Any], code: str) -> dict[str, Any]:
    """The provenance attributes of a file measured on a run.

    Args:
        run: Attributes of the run's snapshots file.
        config: Settings of the measurement.
        code: Fingerprint of the code behind it.
    """
    settings = {"run": run["config"], **config}
    return {"run": run["run"], **provenance(run["scale"], settings, run["dataset"], run["reductions"], code)}


def provenance(
    scale: str, config: dict[str, Any], dataset: str, reductions: Sequence[str], code: str
) -> dict[str, Any]:
    """The provenance attributes of a file.

    Args:
        scale: Name of the scale.
        config: Settings of the job.
        dataset: Name of the data that was used.
        reductions: What was replaced or reduced compared with the paper.
        code: Fingerprint of the code behind the job.
    """
    return {
        "scale": scale,
        "config": config,
        "dataset": dataset,
        "reductions": list(reductions),
        "code": code,
        "git": git_commit(),
        "packages": {
            "python": platform.python_version(),
            "sharpest": __version__,
            **{name: version(name) for name in _PACKAGES},
        },
        "device": device(),
        "torch_threads": torch.get_num_threads(),
        "created": now(),
    }
