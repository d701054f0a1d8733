"""Snakemake, forked from a process that has imported it and its libraries, but nothing of this package."""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_LIBRARIES = ["snakemake.cli", "snakemake.api", "pandas", "pydantic", "scipy.special", "yaml", "grimp"]


def run_snakemake(arguments: Sequence[str], folder: Path, timeout: float) -> "subprocess.CompletedProcess[str]":
    """As the command in a checkout, on its own copy of the package; stdout holds both streams.

    Raises:
        subprocess.TimeoutExpired: After ``timeout`` seconds.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_LIBRARIES)
    with tempfile.NamedTemporaryFile() as output:
        environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
        process = context.Process(target=_work, args=(list(arguments), folder, environment, output.name))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(list(arguments), timeout)
        said = Path(output.name).read_text()
    return subprocess.CompletedProcess(list(arguments), process.exitcode, said)


def _work(arguments: list[str], folder: Path, environment: Mapping[str, str], output: str) -> None:
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
