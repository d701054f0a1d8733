"""Spell out what code does: its syntax without comments, docstrings, formatting, local names and messages for people.

The spelling is the same in every version of Python that parses the source.
"""

import ast
import builtins
from collections.abc import Collection, Iterator, Mapping
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
