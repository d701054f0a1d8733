"""Imports point one way, from the bottom of the list below to its top, and some rooms stay shut."""

import subprocess
import sys

import grimp
import pytest

# lowest first; modules of one layer know nothing of each other
LAYERS = [
    ["errors", "randomness", "progress", "fingerprint", "why"],
    ["gpu_slots"],
    ["run_id", "schedule", "job", "startup", "provenance", "exclusive"],
    ["store", "claims.ledger"],
    ["config"],
    ["data", "models"],
    ["curvature"],
    ["training"],
    ["losses", "spectra", "evaluation"],
    ["directions", "point"],
    ["figures", "tables"],
    ["claims"],
    ["report", "forecast"],
    ["gallery"],
]
LEVELS = {f"sharpest.{name}": level for level, names in enumerate(LAYERS) for name in names}

# package -> what it reaches neither directly nor through others
SHUT = {
    "config": ["torch", "snakemake"],
    "store": ["torch"],
    "curvature": ["sharpest.training", "sharpest.store", "sharpest.data"],
    "figures": ["torch", "sharpest.training", "sharpest.curvature", "sharpest.models"],
    "tables": ["torch", "sharpest.training", "sharpest.curvature", "sharpest.models"],
    "claims": ["torch", "sharpest.training", "sharpest.curvature", "sharpest.models"],
    "report": ["torch", "sharpest.training", "sharpest.curvature", "sharpest.models"],
}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    graph = grimp.build_graph("sharpest", include_external_packages=True, cache_dir=None)
    # the package itself only hands out open_point, and imports it when that is asked for
    for imported in graph.find_modules_directly_imported_by("sharpest"):
        graph.remove_import(importer="sharpest", imported=imported)
    return graph


def ours(modules: set[str]) -> list[str]:
    return sorted(module for module in modules if module.startswith("sharpest."))


def room(module: str) -> str:
    """The entry of LAYERS that a module belongs to, the longest that fits."""
    fitting = [entry for entry in LEVELS if module == entry or module.startswith(f"{entry}.")]
    assert fitting, f"{module} has no place yet; add it to LAYERS in {__file__}"
    return max(fitting, key=len)


def test_imports_point_one_way(graph: grimp.ImportGraph) -> None:
    """That every import leads to a lower layer also leaves no cycle between packages."""
    wrong = [
        f"{module} imports {imported}"
        for module in ours(graph.modules)
        for imported in ours(graph.find_modules_directly_imported_by(module))
        if room(module) != room(imported) and LEVELS[room(imported)] >= LEVELS[room(module)]
    ]
    assert wrong == []


def test_there_are_no_cycles_between_modules(graph: grimp.ImportGraph) -> None:
    cycles = [
        f"{module} imports {imported}, which leads back to it"
        for module in ours(graph.modules)
        for imported in ours(graph.find_modules_directly_imported_by(module))
        if graph.chain_exists(importer=imported, imported=module)
    ]
    assert cycles == []


@pytest.mark.parametrize("package", SHUT)
def test_shut_rooms(package: str, graph: grimp.ImportGraph) -> None:
    reached = graph.find_upstream_modules(f"sharpest.{package}", as_package=True)
    wrong = [module for module in reached for shut in SHUT[package] if module == shut or module.startswith(f"{shut}.")]
    assert wrong == []


def test_nothing_under_src_imports_snakemake(graph: grimp.ImportGraph) -> None:
    assert "torch" in graph.modules  # other libraries are in the graph
    assert "snakemake" not in graph.modules


@pytest.mark.parametrize("module", ["sharpest", "sharpest.config.project", "sharpest.results.file"])
def test_planning_a_workflow_does_not_wait_for_torch(module: str) -> None:
    """Also through the ``__init__`` of packages above, which the import graph leaves out."""
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
