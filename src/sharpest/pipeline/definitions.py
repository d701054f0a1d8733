"""Find what a module defines, what runs when it is imported, and which names each of its parts uses."""

import ast
import builtins
from collections.abc import Collection, Iterable, Iterator
from functools import cached_property

from sharpest.pipeline.spelling import is_idle, spelled, walk

# calls and decorators from here have no side effects on import
_PURE_MODULES = ("abc", "collections", "contextlib", "dataclasses", "enum", "functools", "math", "numpy", "operator",
                 "pathlib", "pydantic", "re", "typing")  # fmt: skip
_PURE_BUILTINS = ("classmethod", "dict", "float", "frozenset", "int", "len", "list", "max", "min", "property", "range",
                  "set", "sorted", "staticmethod", "str", "sum", "tuple", "zip")  # fmt: skip
_BY_NAME = ("getattr", "hasattr", "setattr", "delattr")
_RUNS_TEXT = {"eval", "exec", "globals", "__import__"}
_ASKS_FOR_CLASSES = {"__subclasses__", "__init_subclass__"}
_IMPORT = "import_module"
_INTERACTIVE = {"_", "display", "get_ipython"}  # added to the builtins by an interactive session or IPython
_LONGEST_NAME = 200  # longer texts are not taken for names


class Part:
    """A statement of a module.

    Args:
        node: Syntax of the statement; an import of several names is split into one part per name.
        names: Names that the statement binds; empty if it binds none.
        runs: Whether importing the module does more than bind these names.

    Attributes:
        imports: Whether the statement is an import.
        reads: Names of the module or builtins that it reads.
        attributes: Names of other objects that it uses: attributes, and texts that could be names.
        asks: (module, name) pairs that it imports.
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
        module: Name of the module.
        tree: Its syntax tree.
        unread: Exceptions whose message only a person reads.
        modules: All modules of the package.
    """

    def __init__(self, module: str, tree: ast.Module, unread: Collection[str], modules: Collection[str]) -> None:
        self._module, self._tree, self._unread, self._modules = module, tree, unread, modules
        self._texts: dict[Part, str] = {}
        self._obscure: dict[Part, bool] = {}

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The parts in source order."""
        return tuple(part for statement in _statements(self._tree.body) for part in self._parts_of(statement))

    @cached_property
    def origins(self) -> dict[str, str]:
        """Name bound by an import -> its origin, as ``module`` or ``module.name``."""
        imports = [node for node in _statements(self._tree.body) if isinstance(node, ast.Import | ast.ImportFrom)]
        return {name: origin for node in imports for name, origin in _imported(node)}

    @cached_property
    def by_name(self) -> dict[str, list[Part]]:
        """Name -> the parts that bind it."""
        by_name: dict[str, list[Part]] = {}
        for part in self.parts:
            for name in part.names:
                by_name.setdefault(name, []).append(part)
        return by_name

    @cached_property
    def objects(self) -> frozenset[str]:
        """Modules that this one imports as objects, so that any of their names could be used."""
        imported = {f"{module}.{name}".rstrip(".") for part in self.parts for module, name in part.asks}
        modules = {name for name in imported if name in self._modules}
        parents = {parent for name in modules for parent in _parents(name)}
        return frozenset(modules | parents)

    def counted(self, names: Collection[str]) -> list[Part]:
        """The parts that run on import, the definitions of ``names``, and the imports that these parts read."""
        needed = {*names}
        definitions = [part for part in self.parts if not part.imports and (part.runs or part.names & needed)]
        needed.update(*(part.reads for part in definitions))
        imports = [part for part in self.parts if part.imports and (part.runs or part.names & needed)]
        return imports + definitions

    @cached_property
    def _outer(self) -> frozenset[str]:
        """All names bound in the module, and builtins."""
        bound = {name for node in self._tree.body for name in _bound(node)}
        return frozenset({*bound, *self.origins, *(set(dir(builtins)) - _INTERACTIVE)})

    def text(self, part: Part) -> str:
        """The spelling of a part; see ``spelled``."""
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
        """Whether a call or decorator that runs on import only returns a value."""
        while isinstance(callee, ast.Call | ast.Attribute | ast.Subscript):
            callee = callee.func if isinstance(callee, ast.Call) else callee.value
        if not isinstance(callee, ast.Name):
            return isinstance(callee, ast.Constant)  # a method of a literal
        return self.origins.get(callee.id, "").split(".")[0] in _PURE_MODULES or (
            callee.id in _PURE_BUILTINS and callee.id not in self.origins
        )

    def is_obscure(self, part: Part) -> bool:
        """Whether a part could use names that its code does not state, for example because it passes a module on."""
        if part not in self._obscure:
            self._obscure[part] = not part.imports and self._looks_obscure(part)
        return self._obscure[part]

    def _looks_obscure(self, part: Part) -> bool:
        if isinstance(part.node, ast.FunctionDef) and part.node.name in ("__getattr__", "__dir__"):
            return False  # code that uses a name of the module states it
        modules = {name for name in part.reads if self.origins.get(name) in self._modules}
        runs_text = _RUNS_TEXT & (part.reads - self.origins.keys())
        if runs_text or part.attributes & _ASKS_FOR_CLASSES or any(map(_sees_subclasses, walk(part.node))):
            return True
        return bool(modules or _IMPORT in part.reads | part.attributes) and _passes_on(part.node, modules)


def _sees_subclasses(node: ast.AST) -> bool:
    """Whether a class is notified of its subclasses."""
    if isinstance(node, ast.ClassDef):
        return any(word.arg == "metaclass" for word in node.keywords)
    return isinstance(node, ast.FunctionDef) and node.name in _ASKS_FOR_CLASSES


def _passes_on(part: ast.AST, modules: set[str]) -> bool:
    """Whether modules, bound to these names or imported in a part, are used other than for attributes stated there."""
    explicit: set[ast.AST] = set()  # uses of a module for a stated attribute
    for node in walk(part):
        if isinstance(node, ast.Assign) and _is_import_call(node.value):
            explicit.add(node.value)
            modules |= set(_bound(node))
        elif isinstance(node, ast.Attribute) and node.attr not in ("__dict__", "__getattribute__"):
            explicit.add(node.value)
        elif isinstance(node, ast.Call) and _own_name(node.func) in _BY_NAME and len(node.args) > 1:
            explicit |= {node.args[0]} if isinstance(node.args[1], ast.Constant) else set()
    uses = (
        node
        for node in walk(part)
        if _is_import_call(node)
        or (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in modules)
    )
    return any(node not in explicit for node in uses)


def _parents(module: str) -> Iterator[str]:
    while module := module.rpartition(".")[0]:
        yield module


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that do something; without imports for type checkers."""
    for node in body:
        if isinstance(node, ast.If) and _own_name(node.test) == "TYPE_CHECKING":
            yield from _statements(node.orelse)
        elif not is_idle(node):
            yield node


def _own_name(node: ast.AST) -> str:
    """The name ``b`` in ``b``, ``a.b`` and ``def b``."""
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
    """Names that a statement binds, or could bind, in its own scope."""
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
    """What a definition or an assignment calls when it runs; without the bodies of functions."""
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
