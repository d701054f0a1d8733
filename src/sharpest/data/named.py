"""Objects of the user's own modules, by name."""

import hashlib
import inspect
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from sharpest.errors import DataError


def named(text: str, what: str) -> Any:
    """The object ``module:name``; modules are searched in the current folder, then on Python's path.

    Args:
        text: The name.
        what: The option that names it, for messages.

    Raises:
        DataError: If it does not exist, or its module cannot be imported; in one line.
    """
    module, _, name = text.partition(":")
    if not module or not name:
        raise DataError(f"{what} {text!r} should be module:name, such as mine:{name or 'build'}")
    if (folder := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, folder)
    with users_code(f"{what} {text}"):
        imported = import_module(module)
    if not hasattr(imported, name):
        raise DataError(f"{what} {text}: {imported.__file__ or module} has no {name}; correct it")
    return getattr(imported, name)


def source_digest(text: str) -> str:
    """SHA-256 of the source of the module in ``module:name``, which must be imported already."""
    return hashlib.sha256(inspect.getsource(sys.modules[text.partition(":")[0]]).encode()).hexdigest()


class users_code:  # noqa: N801 - a context manager
    """Turns an exception in the user's own code into a one-line ``DataError``.

    Args:
        what: What the code was called for, to begin the message with.
    """

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, DataError):
            reason = " ".join(str(error).split()) or "no message"
            raise DataError(f"{self._what}: fails with {type(error).__name__}: {reason}; correct it") from error
