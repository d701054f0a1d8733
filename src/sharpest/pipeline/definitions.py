"""What a module defines, what runs when it is imported, and which names each part of it asks for."""

import ast
import builtins
from collections.abc import Collection, Iterable, Iterator
from functools import cached_property

from sharpest.pipeline.spelling import is_idle, spelled, walk

# what they make or mark is the same whenever it is asked for
_PURE_MODULES = ("abc", "collections", "contextlib", "dataclasses", "enum", "functools", "math", "numpy", "operator",
                 "pathlib", "pydantic", "re", "typing")  # fmt: skip
_PURE_BUILTINS = ("classmethod", "dict", "float", "frozenset", "int", "len", "list", "max", "min", "property", "range",
                  "set", "sorted", "staticmethod", "str", "sum", "tuple", "zip")  # fmt: skip
_BY_NAME = ("getattr", "hasattr", "setattr", "delattr")
_RUNS_TEXT = {"eval", "exec", "globals", "__import__"}
_ASKS_FOR_CLASSES = {"__subclasses__", "__init_subclass__"}
_IMPORT = "import_module"
_LONGEST_NAME = 200  # of a text that could be one


class Part:
    """A statement of a module.

    Args:
        node: Its syntax; of an import with one of its names only.
        names: That it gives a meaning; none where it only runs.
        runs: Whether importing the module does more than to give them a meaning.

    Attributes:
        imports: Whether it is an import.
        reads: Names of the module, or builtins.
        attributes: Names that belong to another object: attributes, and texts that could be names.
        asks: (module, name) that it imports.
    """

    def __init__(self, node: ast.stmt, names: Iterable[str], runs: bool) -> None:
        self.node, self.names, self.runs = node, frozenset(names), runs
        self.imports = isinstance(node, ast.Import | ast.ImportFrom)
        self.reads: set[str] = set()
        self.attributes: set[str] = set()
        self.asks: set[tuple[str, str]] = set()
        for inner in walk(node):
            if isinstance(inner, ast.Name):
                self.reads.add(inner.id)
            elif isinstance(inner, ast.Attribute):
                self.attributes.add(inner.attr)
            elif isinstance(inner, ast.Constant):
                if isinstance(inner.value, str) and len(inner.value) < _LONGEST_NAME:
                    self.attributes.update(part for part in inner.value.split(".") if part.isidentifier())
            elif isinstance(inner, ast.Import):
                self.asks.update((alias.name, "") for alias in inner.names)
            elif isinstance(inner, ast.ImportFrom):
                self.asks.update((f"{inner.module}", alias.name) for alias in inner.names)
            elif isinstance(inner, ast.Global):
                self.reads.update(inner.names)


class Definitions:
    """The parts of a module.

    Args:
        module: Its name.
        tree: Its syntax.
        unread: Exceptions whose texts reach nobody but a person.
        modules: All modules of the package.
    """

    def __init__(self, module: str, tree: ast.Module, unread: Collection[str], modules: Collection[str]) -> None:
        self._module, self._tree, self._unread, self._modules = module, tree, unread, modules
        self._texts: dict[Part, str] = {}
        self._obscure: dict[Part, bool] = {}

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """In their order."""
        return tuple(part for statement in _statements(self._tree.body) for part in self._parts_of(statement))

    @cached_property
    def origins(self) -> dict[str, str]:
        """Names that imports give a meaning -> what they are: a module, or a name of it behind a dot."""
        imports = [node for node in _statements(self._tree.body) if isinstance(node, ast.Import | ast.ImportFrom)]
        return {name: origin for node in imports for name, origin in _imported(node)}

    @cached_property
    def by_name(self) -> dict[str, list[Part]]:
        """Name -> the parts that give it a meaning."""
        named: dict[str, list[Part]] = {}
        for part in self.parts:
            for name in part.names:
                named.setdefault(name, []).append(part)
        return named

    @cached_property
    def objects(self) -> frozenset[str]:
        """Modules that are imported as such somewhere in this one, and could be asked for any of their names."""
        asked = {f"{module}.{name}".rstrip(".") for part in self.parts for module, name in part.asks}
        whole = {name for name in asked if name in self._modules}
        parents = {parent for name in whole for parent in _parents(name)}
        return frozenset(whole | parents)

    def counted(self, names: Collection[str]) -> list[Part]:
        """What runs on import, the definitions of some names, and the imports that these read."""
        wanted = {*names}
        chosen = [part for part in self.parts if not part.imports and (part.runs or part.names & wanted)]
        wanted.update(*(part.reads for part in chosen))
        imports = [part for part in self.parts if part.imports and (part.runs or part.names & wanted)]
        return imports + chosen

    @cached_property
    def _outer(self) -> frozenset[str]:
        """All names of the module, and builtins."""
        bound = {name for node in self._tree.body for name in _bound(node)}
        return frozenset({*bound, *self.origins, *dir(builtins)})

    def text(self, part: Part) -> str:
        """What a part does."""
        if part not in self._texts:
            self._texts[part] = spelled(part.node, self._unread, self._outer)
        return self._texts[part]

    def _parts_of(self, node: ast.stmt) -> Iterator[Part]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Part(ast.Import([alias]), [alias.asname or alias.name.split(".")[0]], False)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                names = [] if alias.name == "*" else [alias.asname or alias.name]
                runs = alias.name == "*" or node.module == "__future__"
                yield Part(ast.ImportFrom(node.module, [alias], node.level), names, runs)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield Part(node, [node.name], node.name.startswith("__") or not self._is_quiet(node))
        else:
            only_named = isinstance(node, ast.Assign | ast.AnnAssign) and _targets_are_names(node)
            yield Part(node, _bound(node), not (only_named and self._is_quiet(node)))

    def _is_quiet(self, node: ast.stmt) -> bool:
        return all(self._is_pure(call) for call in _called_on_import(node))

    def _is_pure(self, callee: ast.expr) -> bool:
        """Whether a call, or a decorator, that runs on import does nothing but to give a value."""
        while isinstance(callee, ast.Call | ast.Attribute | ast.Subscript):
            callee = callee.func if isinstance(callee, ast.Call) else callee.value
        if not isinstance(callee, ast.Name):
            return isinstance(callee, ast.Constant)  # a method of a text
        return self.origins.get(callee.id, "").split(".")[0] in _PURE_MODULES or (
            callee.id in _PURE_BUILTINS and callee.id not in self.origins
        )

    def is_obscure(self, part: Part) -> bool:
        """Whether a part asks for a name that it does not say, or hands on a module, which can be asked for any."""
        if part not in self._obscure:
            self._obscure[part] = not part.imports and self._looks_obscure(part)
        return self._obscure[part]

    def _looks_obscure(self, part: Part) -> bool:
        if isinstance(part.node, ast.FunctionDef) and part.node.name in ("__getattr__", "__dir__"):
            return False  # who asks a module for a name says it
        held = {name for name in part.reads if self.origins.get(name) in self._modules}
        runs_text = _RUNS_TEXT & (part.reads - self.origins.keys())
        if runs_text or part.attributes & _ASKS_FOR_CLASSES or any(map(_knows_classes, walk(part.node))):
            return True
        return bool(held or _IMPORT in part.reads | part.attributes) and _hands_on(part.node, held)


def _knows_classes(node: ast.AST) -> bool:
    """Whether a class may hear of those that are made of it."""
    if isinstance(node, ast.ClassDef):
        return any(word.arg == "metaclass" for word in node.keywords)
    return isinstance(node, ast.FunctionDef) and node.name in _ASKS_FOR_CLASSES


def _hands_on(part: ast.AST, held: set[str]) -> bool:
    """Whether modules of some names, or imported in a part, are used but to ask them for names that are said."""
    based: set[ast.AST] = set()  # where one is asked for a name
    for node in walk(part):
        if isinstance(node, ast.Assign) and _is_import_call(node.value):
            based.add(node.value)
            held |= set(_bound(node))
        elif isinstance(node, ast.Attribute) and node.attr not in ("__dict__", "__getattribute__"):
            based.add(node.value)
        elif isinstance(node, ast.Call) and _own_name(node.func) in _BY_NAME and len(node.args) > 1:
            based |= {node.args[0]} if isinstance(node.args[1], ast.Constant) else set()
    used = (
        node
        for node in walk(part)
        if _is_import_call(node) or (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in held)
    )
    return any(node not in based for node in used)


def _parents(module: str) -> Iterator[str]:
    while module := module.rpartition(".")[0]:
        yield module


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Those that do something; imports of type checkers are none."""
    for node in body:
        if isinstance(node, ast.If) and _own_name(node.test) == "TYPE_CHECKING":
            yield from _statements(node.orelse)
        elif not is_idle(node):
            yield node


def _own_name(node: ast.AST) -> str:
    """``b`` of ``b``, ``a.b`` and ``def b``."""
    return next((getattr(node, field) for field in ("id", "attr", "name") if hasattr(node, field)), "")


def _is_import_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and _own_name(node.func) == _IMPORT


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            yield alias.asname or alias.name, f"{node.module}.{alias.name}"
        else:
            yield alias.asname or alias.name.split(".")[0], alias.name


def _bound(node: ast.AST) -> list[str]:
    """Names that a statement gives a meaning in its own scope, or could."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    names = []
    for inner in walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            names.append(inner.id)
        elif isinstance(inner, ast.FunctionDef | ast.ClassDef):
            names.append(inner.name)
        elif isinstance(inner, ast.Import | ast.ImportFrom):
            names += [name for name, _ in _imported(inner)]
    return names


def _targets_are_names(node: ast.Assign | ast.AnnAssign) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    flat = [each for target in targets for each in (target.elts if isinstance(target, ast.Tuple) else [target])]
    return all(isinstance(each, ast.Name) for each in flat)


def _called_on_import(node: ast.AST) -> Iterator[ast.expr]:
    """What is called when a definition or an assignment runs: not the bodies of functions."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield from node.decorator_list
        pending: list[ast.AST] = [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
    else:
        yield from getattr(node, "decorator_list", ())
        pending = list(ast.iter_child_nodes(node))
    while pending:
        inner = pending.pop()
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _called_on_import(inner)
        elif not isinstance(inner, ast.Lambda):
            if isinstance(inner, ast.Call):
                yield inner.func
            elif isinstance(inner, ast.NamedExpr | ast.Await | ast.Yield):
                yield inner
            pending += list(ast.iter_child_nodes(inner))
