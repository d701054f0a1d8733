"""Execute notebooks, for their tests; as a script, keep their outputs in the files: ``make notebooks``."""

import os
import sys
from pathlib import Path

import matplotlib
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "notebooks"


def execute(notebook: NotebookNode, folder: Path, source: Path = ROOT / "src") -> None:
    """Fill in the outputs of a notebook, in a kernel of this Python.

    Args:
        notebook: Its outputs are overwritten.
        folder: The kernel's.
        source: Where the kernel finds the package.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell fails.
    """
    style = str(Path(matplotlib.get_data_path()) / "matplotlibrc")  # not the user's own
    environment = {**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1", "MATPLOTLIBRC": style}
    client = NotebookClient(
        notebook, timeout=600, record_timing=False, coalesce_streams=True, resources={"metadata": {"path": str(folder)}}
    )
    client.execute(env=environment)


def main() -> None:
    for path in map(Path, sys.argv[1:]):
        notebook = nbformat.read(path, as_version=4)
        execute(notebook, path.parent)
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main()
