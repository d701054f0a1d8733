"""Only ``sharpest.results`` and the writing measure know the layouts and paths of results files.

Other modules get the path of a file from ``Paths`` and its contents from a reader, so that a change of either affects
no other module. Messages that show a path also take it from ``Paths``. Docstrings and comments are exempt.
"""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

import sharpest
import sharpest.results
from sharpest.config.measures import measure_names
from sharpest.results.layout import Dataset, Layout
from sharpest.results.paths import Paths

PACKAGE = Path(sharpest.__file__).parent
_PATHS = Paths(Path("F"))
FILES = {path.name for path in (_PATHS.snapshots("r"), _PATHS.history("r"), _PATHS.report())}
FOLDERS = {
    path.relative_to(_PATHS.folder).parts[0]
    for path in (
        *(_PATHS.measured(measure, "r", "s") for measure in measure_names()),
        _PATHS.history("r"),
        _PATHS.work("r"),
        _PATHS.shard("m", "r", "s", 0),
        _PATHS.figure("f", "pdf"),
        _PATHS.table("t", "csv"),
        _PATHS.log("l"),
        _PATHS.benchmark("b"),
    )
}
"""Those of a scale; ``data`` is also where the files of the sources are."""
ENDING = _PATHS.data("d").suffix


def layout_constants() -> set[str]:
    """Names of layouts, of their parts, and of holders of a measure's layout."""
    names = {"MEASURE"}
    for module in iter_modules(sharpest.results.__path__):
        if module.name == "measured":  # written by measures and by the monitor of a training loop, too
            continue
        for name, value in vars(import_module(f"sharpest.results.{module.name}")).items():
            parts = value if isinstance(value, tuple) else ()
            if isinstance(value, Layout) or any(isinstance(part, Dataset) for part in parts):
                names.add(name)
    return names


def is_place(text: str) -> bool:
    """Whether a text contains part of the path of a results file."""
    folders = "|".join(map(re.escape, {"results", *FOLDERS}))
    return bool(
        re.search(rf"(?<![\w./])(?:{folders})/", text)
        or re.search(rf"{re.escape(ENDING)}\b", text)
        or any(re.search(rf"(?<![\w.]){re.escape(name)}\b", text) for name in FILES)
    )


def spelled(source: str) -> Iterator[str]:
    """Layout names and paths that a module spells but does not own, with their lines."""
    tree, constants = ast.parse(source), layout_constants()
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings, also of fields
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            if is_place(node.value):
                yield f"{node.lineno}: {node.value!r}"
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and isinstance(node.right, ast.Constant):
            if node.right.value in FOLDERS:
                yield f"{node.lineno}: / {node.right.value!r}"
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.lineno}: {alias.name}" for alias in node.names if alias.name in constants)
        elif isinstance(node, ast.Attribute) and node.attr in constants - {"MEASURE"}:
            yield f"{node.lineno}: {node.attr}"


def is_at_home(path: Path) -> bool:
    """Whether a module belongs to the results, or to a measure, which may spell its own."""
    place = path.relative_to(PACKAGE).parts
    return place[0] == "results" or (place[0] == "measures" and place[1] in measure_names())


def test_no_other_module_spells_them() -> None:
    modules = [path for path in sorted(PACKAGE.rglob("*.py")) if not is_at_home(path)]
    assert len(modules) > 120
    wrong = {
        str(path.relative_to(PACKAGE)): places for path in modules if (places := list(spelled(path.read_text("utf-8"))))
    }
    assert wrong == {}


def test_a_measure_spells_no_other_measure() -> None:
    for name in measure_names():
        others = "|".join(other for other in measure_names() if other != name)
        for path in (PACKAGE / "measures" / name).rglob("*.py"):
            assert not re.search(rf"sharpest\.measures\.(?:{others}) import .*\bMEASURE\b", path.read_text())
            assert not [text for text in spelled(path.read_text()) if ENDING in text or "results/" in text]


@pytest.mark.parametrize(
    "source",
    [
        'path = f"results/{scale}/spectra/{run}.h5"',
        'path = folder / "spectra" / run',
        'path = Path("runs", run, "snapshots.h5")',
        'raise ConfigError(f"read results/{scale}/benchmarks")',
        'path = f"{folder}/history.csv"',
        'link = f"figures/{name}"',
        'page = folder.joinpath("report.html")',
        "name = run + '.h5'",
        "from sharpest.results.snapshots import SNAPSHOTS",
        "from sharpest.results.snapshots import STATE as parts",
        "from sharpest.measures.spectra import MEASURE",
        "from sharpest.results import data\nlayout = data.DATA",
    ],
)
def test_spelled_paths_are_found(source: str) -> None:
    assert list(spelled(source))


@pytest.mark.parametrize(
    "source",
    [
        '"""Reads ``results/<scale>/runs/<run>/snapshots.h5``."""',
        "# results/quick\nx = 1",
        'path = paths.measured("spectra", run, schedule)',
        'ledger = folder / "claims.csv"',
        'config = "config/studies.yaml, docs/figures.md"',
        "layout = declared(name).layout",
        'text = "best and last of training and spectra"',
    ],
)
def test_other_texts_are_ignored(source: str) -> None:
    assert not list(spelled(source))
