"""Errors that a user can fix: each message names the key or file, the limit, and the remedy."""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager


class SharpestError(Exception):
    """Base of the errors that are reported to a person in one line, without a traceback."""


class ConfigError(SharpestError):
    """A setting is unknown, of the wrong type, out of range, or inconsistent with another setting."""


class DataError(SharpestError):
    """A data file is missing or incomplete, or does not match its checksum."""


class StoreError(SharpestError):
    """A results file is missing, truncated, of another kind, or of another layout version."""


class MissingPackageError(SharpestError, ImportError):
    """A function needs packages of the pipeline, but only the core is installed."""


@contextmanager
def needs_pipeline(what: str) -> Iterator[None]:
    """Turn a failed import of a pipeline package into a one-line error.

    Args:
        what: The function that needs the package, for the message.

    Raises:
        MissingPackageError: If an import in the block fails; names the missing package and the remedy.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("", "sharpest"):
            raise
        raise MissingPackageError(
            f"{what} needs sharpest[pipeline]: pip install 'sharpest[pipeline]' (package {missing} is not installed)"
        ) from error


def some_of(numbers: Sequence[int]) -> str:
    """Numbers for a message; of more than six, the first six and the last.

    >>> some_of(range(10))
    '0, 1, 2, 3, 4, 5, ... 9'
    """
    return ", ".join(map(str, numbers[:6])) + (f", ... {numbers[-1]}" if len(numbers) > 6 else "")


def refuse(place: str, *mistakes: tuple[object, str]) -> None:
    """Refuse the first mistake that was made.

    Args:
        place: Beginning of the message.
        mistakes: Whether each was made (anything but None, False, 0 or empty), and what is wrong, with the remedy.

    Raises:
        ConfigError: For the first mistake, in one line.

    >>> refuse("seeds: ", (False, "too few; raise seeds"))
    """
    for was_made, message in mistakes:
        if was_made:
            raise ConfigError(f"{place}{message}")


def meant(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """The remedy for an unknown name: the most similar known one; ``otherwise`` if none is similar.

    >>> meant("lambda_mx", ["lambda_max", "trace"])
    'did you mean lambda_max?'
    """
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]}?" if close else otherwise
