"""The notebooks run from top to bottom, and the outputs that are kept in them are those of their code."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from run_notebooks import FOLDER, execute

from .conftest import Project

PATHS = sorted(FOLDER.glob("*.ipynb"))


def read(name: str) -> NotebookNode:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(notebook: NotebookNode) -> Iterator[tuple[int, str, str]]:
    """Number of the cell, kind, and words without numbers, of each output; numbers differ between processors."""
    for number, cell in enumerate(code_cells(notebook)):
        for output in cell.outputs:
            text = output.get("text", "")
            words = " ".join(re.sub(r"[+-]?\b(\d[\d.e+-]*|nan)", "#", text).split())
            yield number, output.get("name") or "picture" * ("image/png" in output.data), words


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_notebook_can_be_read_without_running_it(path: Path) -> None:
    notebook = read(path.stem)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert {output.output_type for output in outputs} == {"stream", "display_data"}
    assert sum(kind == "picture" for _, kind, _ in shown(notebook)) >= 2
    # neither the machine nor the process that made them
    assert not re.search(r"/(tmp|home|root|work)/|ipykernel", path.read_text())
    assert path.stat().st_size < 300_000


@pytest.mark.slow
def test_is_my_learning_rate_at_the_edge(tmp_path: Path) -> None:
    kept, notebook = read("learning-rate"), read("learning-rate")
    execute(notebook, tmp_path)
    assert list(shown(notebook)) == list(shown(kept))


@pytest.mark.slow
def test_ask_a_stored_run(tiny: Project, tmp_path: Path) -> None:
    """On the tiny scale, whose results are made already; the kept outputs are those of quick."""
    notebook = read("stored-run")
    before = notebook.cells[1].source
    notebook.cells[1].source = before.replace('"quick"', '"tiny"')
    assert notebook.cells[1].source != before
    (tmp_path / "results").symlink_to(tiny.folder / "results")
    (tmp_path / "notebooks").mkdir()
    execute(notebook, tmp_path / "notebooks")
    assert [(number, kind) for number, kind, _ in shown(notebook)] == [
        (number, kind) for number, kind, _ in shown(read("stored-run"))
    ]


@pytest.mark.slow
def test_your_checkpoints(checkout: Project) -> None:
    """Twice, since it begins with what it left the time before."""
    folder = checkout.folder / "notebooks"
    folder.mkdir()
    shutil.copy(FOLDER / "your-checkpoints.ipynb", folder)
    for _ in range(2):
        notebook = read("your-checkpoints")
        execute(notebook, folder, checkout.folder / "src")
        assert list(shown(notebook)) == list(shown(read("your-checkpoints")))
