"""Processes forked from one that has imported the libraries, but not this package."""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

_LIBRARIES = ["snakemake.cli", "snakemake.api", "pandas", "pydantic", "scipy.special", "yaml", "grimp", "torch", "h5py"]


def start(work: Callable[..., None], *arguments: object) -> BaseProcess:
    """A process that runs `work`. All tests start their processes here, because Python keeps only one fork server."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_LIBRARIES)
    process = context.Process(target=work, args=arguments)
    process.start()
    return process


def run_snakemake(arguments: Sequence[str], folder: Path, timeout: float) -> "subprocess.CompletedProcess[str]":
    """Run the snakemake command in a checkout, on its own copy of the package; stdout holds both streams.

    Raises:
        subprocess.TimeoutExpired: After ``timeout`` seconds.
    """
    with tempfile.NamedTemporaryFile() as output:
        environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
        process = start(_work, list(arguments), folder, environment, output.name)
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(list(arguments), timeout)
        printed = Path(output.name).read_text()
    return subprocess.CompletedProcess(list(arguments), process.exitcode, printed)


def _work(arguments: list[str], folder: Path, environment: Mapping[str, str], output: str) -> None:
    known = [name for name in sys.modules if name.partition(".")[0] == "sharpest"]
    assert not known, f"another copy of the package is imported: {known}"
    with open(output, "wb") as stream:
        for descriptor in (1, 2):
            os.dup2(stream.fileno(), descriptor)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path.insert(0, environment["PYTHONPATH"])
    sys.argv = ["snakemake", *arguments]
    from snakemake.cli import main

    main()
