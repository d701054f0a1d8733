"""A fingerprint of the code behind a job: its script, and the modules behind it; comments do not count.

Snakemake does not see that a module imported by a script has changed, and takes a script with a new comment for a new
one. Each rule therefore carries this fingerprint as a parameter, module by module, so that a stale job can say which
of them changed.
"""

import ast
import hashlib
from collections.abc import Iterable
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import grimp

_FRAME = (
    "sharpest.pipeline.forkserver",
    "sharpest.pipeline.job",
    "sharpest.pipeline.progress",
    "sharpest.pipeline.provenance",
    "sharpest.pipeline.startup",
)
"""How a job runs and what it tells of itself: no part of any result."""


@lru_cache(maxsize=1)
def _graph() -> grimp.ImportGraph:
    return grimp.build_graph("sharpest", cache_dir=None, exclude_type_checking_imports=True)


@lru_cache(maxsize=1)
def _handed_out() -> dict[str, set[str]]:
    """Packages that import what they export when it is asked for -> those modules, which they name to type checkers."""
    named = grimp.build_graph("sharpest", cache_dir=None)
    lazy = {
        module: named.find_modules_directly_imported_by(module) - _graph().find_modules_directly_imported_by(module)
        for module in named.modules
        if module != "sharpest" and named.find_children(module)
    }
    return {package: modules for package, modules in lazy.items() if modules}


@lru_cache
def import_closure(entry: str) -> tuple[str, ...]:
    """The modules of this package that a module imports, directly or not, with itself and all parent packages.

    Who asks a package for its exports imports all of them; who imports one of its modules does not.

    Raises:
        ValueError: If there is no such module.
    """
    graph = _graph()
    if entry not in graph.modules:
        raise ValueError(f"{entry} is no module of this package")
    modules: set[str] = set()
    pending = {entry, *_handed_out().get(entry, ())}
    while pending:
        module = pending.pop()
        if module in modules or module == "sharpest":
            continue
        modules.add(module)
        imported = graph.find_modules_directly_imported_by(module)
        # importing a module runs the __init__ of its parents
        pending |= imported | {module.rpartition(".")[0]}
        for package in imported & _handed_out().keys():
            pending |= _handed_out()[package]
    return tuple(sorted(modules))


def fingerprint(script: Path, *entries: str) -> str:
    """A line for the script and for each module that its work imports: its name and a digest of its code.

    Args:
        script: What it imports at its top counts, apart from the frame of a job.
        entries: Modules of this package that the work imports besides, e.g. by a name among its settings.

    Raises:
        ValueError: If there is no such module.
    """
    entries = (*_imports(script), *entries)
    digests = {module: _module_digest(module) for entry in entries for module in import_closure(entry)}
    digests[f"scripts/{script.name}"] = _file_digest(script)
    return "\n".join(f"{name} {digest}" for name, digest in sorted(digests.items()))


def changed_since(fingerprints: Iterable[str], scripts: Path) -> list[str]:
    """The scripts and modules of some fingerprints whose code is another today, or gone.

    Args:
        fingerprints: As :func:`fingerprint` made them.
        scripts: The folder of the scripts.
    """
    lines = {line for lines in fingerprints for line in lines.splitlines()}
    return sorted({name for name, digest in map(str.split, lines) if digest != _digest_today(name, scripts)})


def _digest_today(name: str, scripts: Path) -> str | None:
    if name.startswith("scripts/"):
        path = scripts / name.removeprefix("scripts/")
        return _file_digest(path) if path.exists() else None
    return _module_digest(name) if name in _graph().modules else None


@lru_cache
def _imports(script: Path) -> tuple[str, ...]:
    names: list[str] = []
    modules = _graph().modules
    for node in ast.parse(script.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = [f"{node.module}.{alias.name}" for alias in node.names]
            # who asks a package for one of its modules does not ask for its exports
            names += [part if part in modules else f"{node.module}" for part in parts]
    return tuple(name for name in names if name in modules and name not in ("sharpest", *_FRAME))


@lru_cache
def _module_digest(module: str) -> str:
    spec = find_spec(module)
    assert spec is not None  # grimp found it
    assert spec.origin is not None
    return _file_digest(Path(spec.origin))


@lru_cache
def _file_digest(path: Path) -> str:
    return source_digest(path.read_text(encoding="utf-8"))


def source_digest(source: str) -> str:
    """Twelve hex digits of what the source does: its syntax tree without docstrings, comments and formatting.

    Strings that stand alone are docstrings, of modules, classes, functions or fields. It is the same in every version
    of Python that reads the source.
    """
    parts: list[str] = []
    _spell_node(ast.parse(source), parts)
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:12]


def _spell_node(node: ast.AST, parts: list[str]) -> None:
    """Spell out a syntax tree; brackets keep different trees apart."""
    parts.append(f"({type(node).__name__}")
    is_constant = isinstance(node, ast.Constant)
    for name in node._fields:
        item = getattr(node, name, None)
        # newer versions of Python know more fields, which older sources leave empty; a constant may be None
        if is_constant or (item is not None and item != []):
            parts.append(f" {name}=")
            _spell(item, parts)
    parts.append(")")


def _spell(value: Any, parts: list[str]) -> None:
    if isinstance(value, ast.AST):
        _spell_node(value, parts)
    elif isinstance(value, list):
        parts.append("[")
        for item in value:
            if not _is_docstring(item):
                _spell(item, parts)
        parts.append("]")
    else:
        parts.append(repr(value))


def _is_docstring(item: Any) -> bool:
    return isinstance(item, ast.Pass) or (
        isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant) and isinstance(item.value.value, str)
    )
