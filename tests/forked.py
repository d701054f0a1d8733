"""Processes forked from one that has imported the libraries, but not this package."""

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

_LIBRARIES = [
    "arch.univariate", "filelock", "grimp", "h5py", "jinja2", "matplotlib.backends.backend_agg", "matplotlib.figure",
    "pandas", "pydantic", "scipy.sparse.linalg", "scipy.special", "scipy.stats", "snakemake.api", "snakemake.cli",
    "torch", "yaml",
]  # fmt: skip


def start(work: Callable[..., None], *arguments: object) -> BaseProcess:
    """A process that runs `work`. All tests start their processes here, because Python keeps only one fork server."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_LIBRARIES)
    process = context.Process(target=work, args=arguments)
    process.start()
    return process


def run_command(
    module: str, arguments: Sequence[str], folder: Path, merged: bool = False, timeout: float = 300.0
) -> "subprocess.CompletedProcess[str]":
    """Run ``python -m <module>`` in a checkout, on its own copy of the package.

    Args:
        module: Name of the module.
        arguments: Its command line.
        folder: The checkout.
        merged: Return both streams as stdout.
        timeout: In seconds.

    Raises:
        subprocess.TimeoutExpired: After ``timeout`` seconds.
    """
    with tempfile.NamedTemporaryFile() as output, tempfile.NamedTemporaryFile() as errors:
        environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
        streams = output.name, output.name if merged else errors.name
        process = start(_work, module, list(arguments), folder, environment, streams)
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired([module, *arguments], timeout)
        printed, said = (Path(file.name).read_text() for file in (output, errors))
    return subprocess.CompletedProcess([module, *arguments], process.exitcode, printed, said)


def _work(
    module: str, arguments: list[str], folder: Path, environment: Mapping[str, str], streams: tuple[str, str]
) -> None:
    known = [name for name in sys.modules if name.partition(".")[0] == "sharpest"]
    assert not known, f"another copy of the package is imported: {known}"
    for descriptor, path in zip((1, 2), streams, strict=True):
        with open(path, "ab") as stream:
            os.dup2(stream.fileno(), descriptor)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path.insert(0, environment["PYTHONPATH"])
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
