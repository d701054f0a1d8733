"""A fingerprint of the code behind a job: its script, and the definitions behind it that can change a result.

Snakemake does not see that a module imported by a script has changed, and takes a script with a new comment for a new
one. Each rule therefore carries this fingerprint as a parameter, module by module, so that a stale job can say which
of them changed. Of each module it counts what runs on import and the definitions that the job can reach.
"""

import ast
import hashlib
import re
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path

import grimp

import sharpest
from sharpest.pipeline.definitions import Definitions
from sharpest.pipeline.reach import reached
from sharpest.pipeline.spelling import spelled, unread_exceptions

_PACKAGE = Path(sharpest.__file__).parent
_FRAME = (
    "sharpest.pipeline.forkserver",
    "sharpest.pipeline.job",
    "sharpest.pipeline.progress",
    "sharpest.pipeline.provenance",
    "sharpest.pipeline.startup",
)
"""How a job runs and what it tells of itself: no part of any result."""
_READS_TEXT = re.compile(r"\bexcept\b[^:]*\bas\b|^class \w+Error\(", re.MULTILINE)
"""Where errors are defined, or read."""
_FOR_PEOPLE = tuple(
    f"sharpest.{room}" for room in ("__main__", "checkpoints", "commands", "integrations", "pipeline", "watch")
)
"""What no job imports but its frame."""


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
    """A line for the script and for each module that its work imports: its name, a digest, and the names that count.

    Args:
        script: What it imports at its top counts, apart from the frame of a job.
        entries: Modules of this package that the work imports besides, e.g. by a name among its settings; all their
            public names count.

    Raises:
        ValueError: If there is no such module.
    """
    closure = {module for entry in (*_imports(script), *entries) for module in import_closure(entry)}
    work = Definitions("", _tree(script), (), _graph().modules)
    names = reached({module: _definitions(module) for module in sorted(closure)}, work, entries)
    lines = [f"{module} {_digest(module, names[module])} {','.join(sorted(names[module])) or '-'}" for module in names
             if _definitions(module).counted(names[module])]  # fmt: skip
    return "\n".join(sorted([f"scripts/{script.name} {_file_digest(script)}", *lines]))


def changed_since(fingerprints: Iterable[str], scripts: Path) -> list[str]:
    """The scripts and modules of some fingerprints whose code is another today, or gone.

    Args:
        fingerprints: As :func:`fingerprint` made them; a line without names is of a module with all that it has.
        scripts: The folder of the scripts.
    """
    lines = {line for lines in fingerprints for line in lines.splitlines()}
    return sorted(
        {name for name, *digest in map(str.split, lines) if digest[:1] != _digest_today(name, digest[1:], scripts)}
    )


def _digest_today(name: str, names: list[str], scripts: Path) -> list[str]:
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
            # who asks a package for one of its modules does not ask for its exports
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
    """Exceptions whose texts are in no result: what runs a job reads all of them, for a person."""
    paths = [_file(module) for module in sorted(_graph().modules) if not module.startswith(_FOR_PEOPLE)]
    return unread_exceptions([_tree(path) for path in paths if _READS_TEXT.search(_source(path))])


@cache
def _definitions(module: str) -> Definitions:
    return Definitions(module, _tree(_file(module)), _unread(), _graph().modules)


@cache
def _digest(module: str, names: frozenset[str]) -> str:
    definitions = _definitions(module)
    return _hashed("".join(map(definitions.text, definitions.counted(names))))


@cache
def _file_digest(path: Path) -> str:
    return _hashed(spelled(_tree(path)))


def source_digest(source: str) -> str:
    """Twelve hex digits of what the source does: its syntax tree without docstrings, comments and formatting."""
    return _hashed(spelled(ast.parse(source)))


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
