"""A fingerprint of the library code behind a job: what its entry module imports, without comments and docstrings.

Snakemake does not see that a module imported by a script has changed. Each rule therefore carries this fingerprint as a
parameter: editing a figure redraws that figure, and a comment reruns nothing (design, section 6).
"""

import ast
import hashlib
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import grimp


@lru_cache(maxsize=1)
def _graph() -> grimp.ImportGraph:
    return grimp.build_graph("sharpest", cache_dir=None, exclude_type_checking_imports=True)


def import_closure(entry: str) -> list[str]:
    """The modules of this package that a module imports, directly or not, with itself and all parent packages.

    Raises:
        ValueError: If there is no such module.
    """
    graph = _graph()
    if entry not in graph.modules:
        raise ValueError(f"{entry} is no module of this package")
    modules = {entry, *graph.find_upstream_modules(entry)}
    # importing a module runs the __init__ of its parents, and what those import
    pending = list(modules)
    while pending:
        parent = pending.pop().rpartition(".")[0]
        if parent and parent not in modules and parent != "sharpest":
            added = {parent, *graph.find_upstream_modules(parent)} - modules
            modules |= added
            pending += added
    return sorted(modules)


def fingerprint(*entries: str) -> str:
    """Sixteen hex digits that change with the code of the entries' import closures, not with comments or docstrings.

    Raises:
        ValueError: If there is no such module.
    """
    digest = hashlib.sha256()
    for module in sorted({module for entry in entries for module in import_closure(entry)}):
        digest.update(f"{module}={_module_digest(module)}\n".encode())
    return digest.hexdigest()[:16]


@lru_cache
def _module_digest(module: str) -> str:
    spec = find_spec(module)
    assert spec is not None  # grimp found it
    assert spec.origin is not None
    return source_digest(Path(spec.origin).read_text())


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def source_digest(source: str) -> str:
    """A hash of what the source does: its syntax tree without docstrings, comments, formatting and line numbers.

    Strings that stand alone are docstrings, of modules, classes, functions or fields.
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [statement for statement in node.body if not _is_docstring(statement)] or [ast.Pass()]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()
