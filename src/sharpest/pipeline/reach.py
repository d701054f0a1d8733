"""Find the definitions that a job can reach, by following the names in its code.

Names of a module and its imports are followed to their origin. An attribute of another object, ``x.name``, or a text
that could be a name, reaches every definition with that name. A class is reached with all its methods. Code that runs
on import always counts. If code could use a name that it does not state, everything counts.

The spelling of a definition is its syntax without comments, docstrings, formatting, local names and messages for
people. It is the same in every version of Python that parses the source.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

_NO_NAMES: Mapping[str, str] = {}
_LOGGERS = ("logger", "logging", "log", "warnings")
_LOGGED = ("debug", "info", "warning", "error", "critical", "exception", "log", "warn")
# with these, a text can refer to a local variable
_READS_NAMES = ("locals", "vars", "eval", "exec", "query")


def spelled(node: ast.AST, unread: Collection[str] | None = None, outer: Collection[str] = ()) -> str:
    """Spell out a syntax tree; brackets keep different trees apart.

    Args:
        node: A module or a statement.
        unread: Exceptions whose message only a person reads. Their messages are left out, as are those of log lines
            and the names of local variables. None leaves out only docstrings.
        outer: Names bound in the module, which are kept within functions.
    """
    parts: list[str] = []
    _Speller(parts, unread, outer).node(node)
    return "".join(parts)


class _Speller:
    """Appends the spelling of syntax trees to a list."""

    def __init__(self, parts: list[str], unread: Collection[str] | None, outer: Collection[str]) -> None:
        self._parts, self._unread, self._outer = parts, unread, outer
        self._local = _NO_NAMES

    def node(self, node: ast.AST) -> None:
        outermost = self._unread is not None and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        before = self._local
        if outermost and not before:
            self._local = _local_names(node, self._outer)
        self._parts.append(f"({type(node).__name__}")
        is_constant = isinstance(node, ast.Constant)
        for name in node._fields:
            item = self._field(node, name)
            # skip empty fields, as newer versions of Python have more of them; but the value of a constant may be None
            if is_constant or (item is not None and item != []):
                self._parts.append(f" {name}=")
                self._value(item)
        self._parts.append(")")
        self._local = before

    def _field(self, node: ast.AST, name: str) -> Any:
        """A field of a node, without messages for people."""
        item = getattr(node, name, None)
        if name == "id" and self._local:
            return self._local.get(str(item), item)
        if self._unread is not None and name == "exc" and isinstance(item, ast.Call):
            return _without_texts(item) if _last_name(item.func) in self._unread else item
        if self._unread is not None and isinstance(node, ast.Expr) and isinstance(item, ast.Call):
            return _without_texts(item) if _is_log_line(item) else item
        return item

    def _value(self, value: Any) -> None:
        if isinstance(value, ast.AST):
            self.node(value)
        elif isinstance(value, list):
            self._parts.append("[")
            for item in value:
                if not is_idle(item):
                    self._value(item)
            self._parts.append("]")
        else:
            self._parts.append(repr(value))


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes of a tree, like ``ast.walk`` but three times as fast."""
    pending = [node]
    while pending:
        node = pending.pop()
        yield node
        for item in node.__dict__.values():
            if isinstance(item, ast.AST):
                pending.append(item)
            elif item.__class__ is list:
                pending += [each for each in item if isinstance(each, ast.AST)]


def is_idle(item: Any) -> bool:
    """Whether a statement does nothing: ``pass``, or a docstring of a module, class, function or field."""
    return isinstance(item, ast.Pass) or (
        isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant) and isinstance(item.value.value, str)
    )


def _without_texts(call: ast.Call) -> ast.Call:
    """A call without the arguments that are texts."""
    return ast.Call(call.func, [argument for argument in call.args if not _is_text(argument)], call.keywords)


def _is_text(node: ast.AST) -> bool:
    """Whether an expression is a text or a concatenation of texts."""
    if isinstance(node, ast.JoinedStr):
        return not any(isinstance(inner, ast.NamedExpr | ast.Await | ast.Yield) for inner in walk(node))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _is_text(node.left) and _is_text(node.right)
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_log_line(call: ast.Call) -> bool:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr in _LOGGED and _last_name(call.func.value).strip("_").lower() in _LOGGERS
    return isinstance(call.func, ast.Name) and call.func.id == "print"


def _last_name(node: ast.AST | None) -> str:
    """The name ``b`` in ``b`` and ``a.b``; empty for other expressions."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _local_names(function: ast.AST, outer: Collection[str]) -> dict[str, str]:
    """Local variable of a function -> the number that replaces its name.

    Some names are kept: names also bound outside, which the function may refer to elsewhere; names not bound by
    assignment, such as parameters; and all names if a text could refer to one.
    """
    stored: dict[str, None] = {}
    kept: set[str] = set()
    for node in walk(function):
        if isinstance(node, ast.Name):
            stored |= {node.id: None} if isinstance(node.ctx, ast.Store) else {}
            if node.id in _READS_NAMES:
                return {}
        elif isinstance(node, ast.Attribute):
            if node.attr in _READS_NAMES:
                return {}
        elif isinstance(node, ast.ClassDef):
            kept |= {inner.id for inner in walk(node) if isinstance(inner, ast.Name)} | {node.name}
        elif not isinstance(node, ast.keyword | ast.Constant):
            kept |= set(_texts(node))
    return {name: f"#{number}" for number, name in enumerate(stored) if name not in kept and name not in outer}


def _texts(node: ast.AST) -> Iterator[str]:
    """Names that a node stores as texts, as of a parameter, an import or a global variable."""
    for name in node._fields:
        item = getattr(node, name, None)
        for each in item if isinstance(item, list) else [item]:
            if isinstance(each, str):
                yield each


def unread_exceptions(trees: Collection[ast.Module]) -> frozenset[str]:
    """Exceptions whose message no code of some modules reads, except to raise or to log it."""
    bases = _exceptions(trees)
    handlers = [(_caught(node), node) for tree in trees for node in walk(tree) if isinstance(node, ast.ExceptHandler)]
    read: set[str] = set()
    while True:
        unread = frozenset(name for name in bases if not _ancestors(name, bases) & read)
        more = {
            name for names, handler in handlers if not names <= read and _reads_text(handler, unread) for name in names
        }
        if more <= read:
            return unread
        read |= more


def _exceptions(trees: Collection[ast.Module]) -> dict[str, set[str]]:
    """Name of an exception -> names of its bases."""
    known = {
        name: {base.__name__ for base in each.__mro__[1:-1]}
        for name, each in vars(builtins).items()
        if isinstance(each, type) and issubclass(each, BaseException)
    }
    classes = [node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)]
    while True:
        new = {}
        for node in classes:
            bases = {_last_name(base) for base in node.bases}
            if node.name not in known and bases & known.keys():
                new[node.name] = bases
        if not new:
            return known
        known |= new


def _ancestors(name: str, bases: Mapping[str, set[str]]) -> set[str]:
    """An exception and all its bases."""
    ancestors: set[str] = set()
    pending = {name}
    while pending:
        ancestors |= (new := pending - ancestors)
        pending = {base for each in new for base in bases.get(each, ())}
    return ancestors


def _caught(handler: ast.ExceptHandler) -> set[str]:
    nodes = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return {_last_name(node) for node in nodes}


def _reads_text(handler: ast.ExceptHandler, unread: Collection[str]) -> bool:
    """Whether a handler uses the exception it caught, other than in a message that is left out or to raise it again."""
    pending: list[ast.AST] = list(handler.body) if handler.name else []
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Name) and node.id == handler.name:
            return True
        if isinstance(node, ast.Raise):
            call = node.exc
            if call is None or (isinstance(call, ast.Name) and call.id == handler.name):
                continue
            if isinstance(call, ast.Call) and _last_name(call.func) in unread:
                pending += _without_texts(call).args
                continue
        pending += list(ast.iter_child_nodes(node))
    return False


# calls and decorators from here have no side effects on import
_PURE_MODULES = ("abc", "collections", "contextlib", "dataclasses", "enum", "functools", "math", "numpy", "operator",
                 "pathlib", "pydantic", "re", "typing")  # fmt: skip
_CONSTRUCTORS = ("__new__", "__init__", "__post_init__", "__setattr__")
_PURE_BUILTINS = ("classmethod", "dict", "float", "frozenset", "int", "len", "list", "max", "min", "property", "range",
                  "set", "sorted", "staticmethod", "str", "sum", "tuple", "zip")  # fmt: skip
_BY_NAME = ("getattr", "hasattr", "setattr", "delattr")
_RUNS_TEXT = {"eval", "exec", "globals", "__import__"}
_ASKS_FOR_CLASSES = {"__subclasses__", "__init_subclass__"}
_IMPORT = "import_module"
_INTERACTIVE = {"_", "display", "get_ipython"}  # added to the builtins by an interactive session or IPython
_LONGEST_NAME = 200  # longer texts are not taken for names


def records_in(tree: ast.Module) -> frozenset[str]:
    """The data classes of a module that only store what they are given."""
    return frozenset(
        node.name
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        and [_last_name(getattr(each, "func", each)) for each in node.decorator_list] == ["dataclass"]
        and not node.bases + node.keywords
        and not any(isinstance(each, ast.FunctionDef) and each.name in _CONSTRUCTORS for each in node.body)
    )


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
        records_of: Module of the package -> its data classes as in ``records_in``.
    """

    def __init__(
        self,
        module: str,
        tree: ast.Module,
        unread: Collection[str],
        modules: Collection[str],
        records_of: Callable[[str], Collection[str]] = lambda module: (),
    ) -> None:
        self._module, self._tree, self._unread, self._modules = module, tree, unread, modules
        self._records_of = records_of
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

    @cached_property
    def _records(self) -> frozenset[str]:
        return records_in(self._tree)

    def _is_pure(self, callee: ast.expr) -> bool:
        """Whether a call or decorator that runs on import only returns a value."""
        while isinstance(callee, ast.Call | ast.Attribute | ast.Subscript):
            callee = callee.func if isinstance(callee, ast.Call) else callee.value
        if not isinstance(callee, ast.Name):
            return isinstance(callee, ast.Constant)  # a method of a literal
        module, _, name = self.origins.get(callee.id, f"{self._module}.{callee.id}").rpartition(".")
        return (
            self.origins.get(callee.id, "").split(".")[0] in _PURE_MODULES
            or name in (self._records if module == self._module else self._records_of(module))
            or (callee.id in _PURE_BUILTINS and callee.id not in self.origins)
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


class _Search:
    """Follows names from part to part.

    Args:
        modules: Name -> definitions of the modules that the job imports.
        objects: Modules that the script, or the settings of the job, use as objects.
    """

    def __init__(self, modules: Mapping[str, Definitions], objects: set[str]) -> None:
        self._modules = modules
        objects = objects.union(*(each.objects for each in modules.values()))
        self._by_name: dict[str, list[tuple[str, Part]]] = {}
        for module, each in modules.items():
            for part in each.parts:
                if not part.imports or module in objects:
                    for name in part.names:
                        self._by_name.setdefault(name, []).append((module, part))
        self.found: dict[str, set[str]] = {module: set() for module in modules}
        self._seen: set[int] = set()
        self._pending: list[tuple[str, Part]] = []

    def add(self, module: str, part: Part) -> None:
        """Mark a part as reached."""
        if id(part) not in self._seen:
            self._seen.add(id(part))
            self._pending.append((module, part))
            if not part.imports:
                self.found[module] |= part.names

    def ask(self, module: str, name: str) -> None:
        """Follow the import of a name from a module. A lazy export of a package is found by its name."""
        if module not in self._modules or f"{module}.{name}" in self._modules:
            return
        if name == "*":
            for part in self._modules[module].parts:
                self.add(module, part)
        parts = self._modules[module].by_name.get(name, [])
        for part in parts:
            self.add(module, part)
        if not parts:
            self._name(name)
        elif parts[0].imports:  # re-exported
            self.found[module].add(name)

    def _name(self, name: str) -> None:
        for module, part in self._by_name.get(name, ()):
            self.add(module, part)
            if part.imports:
                self.found[module].add(name)

    def follow(self, outside: Iterable[Part]) -> None:
        """Reach everything that the parts marked so far, and parts outside the package, use."""
        self._pending += [("", part) for part in outside]
        while self._pending:
            module, part = self._pending.pop()
            if module and self._modules[module].is_obscure(part):
                for name, definitions in self._modules.items():
                    for each in definitions.parts:
                        self.add(name, each)
            for ask in part.asks:
                self.ask(*ask)
            if module:
                own = self._modules[module].by_name
                for name in part.reads & own.keys():
                    for each in own[name]:
                        self.add(module, each)
            for name in part.attributes & self._by_name.keys():
                self._name(name)


def reached(
    modules: Mapping[str, Definitions], script: Definitions, dynamic: Collection[str] = ()
) -> dict[str, frozenset[str]]:
    """Module -> its names that a job reaches; code that runs on import counts in addition.

    Args:
        modules: Name -> definitions of the modules that the job imports, directly or indirectly.
        script: The script of the job, all of which counts.
        dynamic: Modules that the job imports by a name in its settings; all their public names count, or of
            ``module:name`` only this name.
    """
    chosen = {(module, name) for module, _, name in (entry.partition(":") for entry in dynamic)}
    search = _Search(modules, {module for module, name in chosen if not name} | script.objects)
    for module, definitions in modules.items():
        for part in definitions.parts:
            public = (module, "") in chosen and any(not name.startswith("_") for name in part.names)
            named = any((module, name) in chosen for name in part.names)
            if part.runs or ((public or named) and not part.imports):
                search.add(module, part)
    search.follow(script.parts)
    return {module: frozenset(names) for module, names in search.found.items()}
