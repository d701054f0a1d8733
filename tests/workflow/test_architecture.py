"""Imports point one way, from the bottom of the list below to its top, and some packages must not be reached."""

import ast
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

SOURCE = Path(__file__).parents[2] / "src/sharpest"

# packages, lowest first; each imports from those before it, and from itself
ROOMS = [
    "errors",
    "grids",
    "edge",
    "results",
    "config",
    "data",
    "models",
    "curvature",
    "watch",
    "integrations",
    "trajectory",
    "checkpoints",
    "training",
    "measures",
    "claims",
    "figures",
    "tables",
    "report",
    "pipeline",
    "commands",
    "__main__",
]

# package -> packages that it must not reach, directly or indirectly
SHUT = {
    "edge": ["torch", "numpy"],
    "results": ["torch", "snakemake"],
    "config": ["torch", "snakemake", "matplotlib"],
    "curvature": ["sharpest.results", "sharpest.config", "sharpest.data", "sharpest.models", "h5py"],
    "watch": [
        *("sharpest.config", "sharpest.models", "sharpest.trajectory"),
        *("pydantic", "yaml", "pandas", "matplotlib", "sklearn", "torchvision", "snakemake"),
    ],
    "measures": ["sharpest.training", "matplotlib"],
    "figures": ["torch"],
    "tables": ["torch"],
    "claims": ["torch"],
    "report": ["torch"],
}

LONGEST_FUNCTION = 50  # lines


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """All imports, including those for type checkers."""
    graph = grimp.build_graph("sharpest", include_external_packages=True, cache_dir=None)
    # the package itself only exports what others define, and imports it on demand
    for imported in graph.find_modules_directly_imported_by("sharpest"):
        graph.remove_import(importer="sharpest", imported=imported)
    return graph


def ours(modules: set[str]) -> list[str]:
    return sorted(module for module in modules if module.startswith("sharpest."))


def room(module: str) -> str:
    name = module.split(".")[1]
    assert name in ROOMS, f"{module} has no room yet; add it to ROOMS in {__file__}, or move it into one"
    return name


def test_imports_point_one_way(graph: grimp.ImportGraph) -> None:
    """Since every import leads to a lower package, there is no cycle between packages either."""
    wrong = [
        f"{module} imports {imported}"
        for module in ours(graph.modules)
        for imported in ours(graph.find_modules_directly_imported_by(module))
        if ROOMS.index(room(imported)) > ROOMS.index(room(module))
    ]
    assert wrong == []


def test_there_are_no_cycles_between_modules(graph: grimp.ImportGraph) -> None:
    """Except between a package and the modules whose names it exports."""
    cycles = [
        f"{module} imports {imported}, which leads back to it"
        for module in ours(graph.modules)
        for imported in ours(graph.find_modules_directly_imported_by(module))
        if not imported.startswith(f"{module}.") and graph.chain_exists(importer=imported, imported=module)
    ]
    assert cycles == []


def reached(package: str) -> set[str]:
    """The imports of a package at run time, without those for type checkers."""
    graph = grimp.build_graph(
        "sharpest", include_external_packages=True, cache_dir=None, exclude_type_checking_imports=True
    )
    return graph.find_upstream_modules(f"sharpest.{package}", as_package=True)


@pytest.mark.parametrize("package", SHUT)
def test_forbidden_imports(package: str, graph: grimp.ImportGraph) -> None:
    modules = reached(package)
    if package in ("measures",):  # another test covers what is read when a workflow is planned
        assert "torch" in modules
    wrong = [module for module in modules for shut in SHUT[package] if module == shut or module.startswith(f"{shut}.")]
    assert wrong == []


def test_nothing_under_src_imports_snakemake(graph: grimp.ImportGraph) -> None:
    assert "torch" in graph.modules  # the graph does contain other libraries
    assert "snakemake" not in graph.modules


def test_planning_a_workflow_does_not_wait_for_torch() -> None:
    """Including the ``__init__`` of parent packages, which the import graph omits."""
    declarations = [f"sharpest.measures.{path.parent.name}" for path in (SOURCE / "measures").glob("*/__init__.py")]
    modules = ["sharpest", "sharpest.config.project", "sharpest.results.runs", "sharpest.claims.plans", *declarations]
    code = f"""
import importlib, sys
for module in {modules}:
    importlib.import_module(module)
    assert "torch" not in sys.modules, module
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_functions_are_short() -> None:
    long = []
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= LONGEST_FUNCTION:
                long.append(f"{path.relative_to(SOURCE)}: {node.name} has {node.end_lineno - node.lineno + 1} lines")
    assert long == []


def test_the_page_of_the_architecture_shows_the_packages() -> None:
    """Its tree names each folder under src/sharpest, and no other."""
    page = (SOURCE.parents[1] / "docs/concepts/architecture.md").read_text(encoding="utf-8")
    tree = page.partition("src/sharpest/\n")[2].partition("```")[0]
    named = {line.split()[0].rstrip("/") for line in tree.splitlines() if line.startswith("  ") and line.strip()}
    assert named == {path.name for path in SOURCE.iterdir() if path.is_dir() and path.name != "__pycache__"}
