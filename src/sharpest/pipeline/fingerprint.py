"""A fingerprint of the code behind a job: its script, and the definitions that can change its result.

Snakemake does not notice changes in modules that a script imports, and reruns a script whose comments change. Each rule
therefore has this fingerprint as a parameter, with one line per module, so that a stale job can name the changed ones.
The fingerprint of a module covers what runs on import and the definitions that the job can reach.
"""

import ast
import hashlib
import re
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path

import grimp

import sharpest
from sharpest.pipeline.reach import Definitions, reached, records_in, spelled, unread_exceptions

_PACKAGE = Path(sharpest.__file__).parent
_FRAME = (
    "sharpest.pipeline.forkserver",
    "sharpest.pipeline.job",
    "sharpest.pipeline.planned",
    "sharpest.pipeline.provenance",
    "sharpest.pipeline.startup",
)
"""Modules on how a job runs and reports its progress; they do not affect results."""
_READS_TEXT = re.compile(r"\bexcept\b[^:]*\bas\b|^class \w+Error\(", re.MULTILINE)
"""Source that defines errors or reads their messages."""
_FOR_PEOPLE = tuple(
    f"sharpest.{room}"
    for room in ("__main__", "checkpoints", "commands", "config.show", "integrations", "pipeline", "watch")
)
"""Modules that no job imports, except in its frame."""


@lru_cache(maxsize=1)
def _graph() -> grimp.ImportGraph:
    return grimp.build_graph("sharpest", cache_dir=None, exclude_type_checking_imports=True)


@lru_cache(maxsize=1)
def _lazy_exports() -> dict[str, set[str]]:
    """Package that imports its exports on first use -> the modules of these exports, as named for type checkers."""
    with_types = grimp.build_graph("sharpest", cache_dir=None)
    lazy = {
        module: with_types.find_modules_directly_imported_by(module)
        - _graph().find_modules_directly_imported_by(module)
        for module in with_types.modules
        if module != "sharpest" and with_types.find_children(module)
    }
    return {package: modules for package, modules in lazy.items() if modules}


@lru_cache
def import_closure(entry: str) -> tuple[str, ...]:
    """The modules of this package that a module imports, directly or indirectly, with itself and all parent packages.

    Importing a package counts as importing all its exports; importing one of its modules does not.

    Raises:
        ValueError: If the module does not exist.
    """
    graph = _graph()
    if entry not in graph.modules:
        raise ValueError(f"{entry} is not a module of this package")
    modules: set[str] = set()
    pending = {entry, *_lazy_exports().get(entry, ())}
    while pending:
        module = pending.pop()
        if module in modules or module == "sharpest":
            continue
        modules.add(module)
        imported = graph.find_modules_directly_imported_by(module)
        # importing a module runs the __init__ of its parents
        pending |= imported | {module.rpartition(".")[0]}
        for package in imported & _lazy_exports().keys():
            pending |= _lazy_exports()[package]
    return tuple(sorted(modules))


def modules_of(package: str) -> list[str]:
    """All modules of a package, with itself."""
    return sorted({package, *_graph().find_descendants(package)})


def fingerprint(script: Path, *entries: str) -> str:
    """The fingerprint of a job: one line for its script and one per imported module.

    A line has the name, a digest, and for modules the names that count.

    Args:
        script: The script of the job; its imports at the top count, except those of the frame.
        entries: Further modules that the job imports, such as one named in its settings; all their public names count,
            or of ``module:name`` only this name.

    Raises:
        ValueError: If a module does not exist.
    """
    imported = (*_imports(script), *(entry.partition(":")[0] for entry in entries))
    closure = {module for entry in imported for module in import_closure(entry)}
    work = Definitions("", _tree(script), (), _graph().modules)
    names = reached({module: _definitions(module) for module in sorted(closure)}, work, entries)
    lines = [f"{module} {_digest(module, names[module])} {','.join(sorted(names[module])) or '-'}" for module in names
             if _definitions(module).counted(names[module])]  # fmt: skip
    return "\n".join(sorted([f"scripts/{script.name} {_file_digest(script)}", *lines]))


def changed_since(fingerprints: Iterable[str], scripts: Path) -> list[str]:
    """The scripts and modules in some fingerprints whose code has changed since, or is gone.

    Args:
        fingerprints: Fingerprints as made by ``fingerprint``; a line without names covers a whole module.
        scripts: The folder of the scripts.
    """
    lines = {line for lines in fingerprints for line in lines.splitlines()}
    return sorted(
        {name for name, *digest in map(str.split, lines) if digest[:1] != _current_digest(name, digest[1:], scripts)}
    )


def _current_digest(name: str, names: list[str], scripts: Path) -> list[str]:
    if name.startswith("scripts/"):
        path = scripts / name.removeprefix("scripts/")
        return [_file_digest(path)] if path.exists() else []
    if name not in _graph().modules:
        return []
    return [_digest(name, frozenset(names[0].split(","))) if names else _file_digest(_file(name))]


@lru_cache
def _imports(script: Path) -> tuple[str, ...]:
    names: list[str] = []
    modules = _graph().modules
    for node in _tree(script).body:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = [f"{node.module}.{alias.name}" for alias in node.names]
            # importing a module from a package does not import the exports of the package
            names += [part if part in modules else f"{node.module}" for part in parts]
    return tuple(name for name in names if name in modules and name not in ("sharpest", *_FRAME))


def _file(module: str) -> Path:
    path = _PACKAGE.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def _source(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(_source(path))


@lru_cache(maxsize=1)
def _unread() -> frozenset[str]:
    """Exceptions whose message affects no result: only the frame of a job reads it, for a person."""
    paths = [_file(module) for module in sorted(_graph().modules) if not module.startswith(_FOR_PEOPLE)]
    return unread_exceptions([_tree(path) for path in paths if _READS_TEXT.search(_source(path))])


@cache
def _definitions(module: str) -> Definitions:
    return Definitions(module, _tree(_file(module)), _unread(), _graph().modules, _records)


@cache
def _records(module: str) -> frozenset[str]:
    return records_in(_tree(_file(module))) if module in _graph().modules else frozenset()


@cache
def _digest(module: str, names: frozenset[str]) -> str:
    definitions = _definitions(module)
    return _hashed("".join(map(definitions.text, definitions.counted(names))))


@cache
def _file_digest(path: Path) -> str:
    return _hashed(spelled(_tree(path)))


def source_digest(source: str) -> str:
    """Twelve hex digits of the source's syntax tree, ignoring docstrings, comments and formatting."""
    return _hashed(spelled(ast.parse(source)))


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
