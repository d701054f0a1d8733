"""The errors a user can mend: each message names the key or file, the limit, and the remedy."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class SharpestError(Exception):
    """Base of the errors that are reported to a person in one line, without a traceback."""


class ConfigError(SharpestError):
    """A setting is unknown, of the wrong type, out of range, or at odds with another one."""


class DataError(SharpestError):
    """A data file is missing, incomplete, or not what its checksum says."""


class StoreError(SharpestError):
    """A results file is missing, truncated, foreign, or of another layout version."""


class MissingPackageError(SharpestError, ImportError):
    """The core alone is installed, and what is asked for needs packages of the pipeline."""


@contextmanager
def needs_pipeline(what: str) -> Iterator[None]:
    """Say in one line which installation lacks, where an import fails for a package that the core does not ask for.

    Args:
        what: Is asked for.

    Raises:
        MissingPackageError: Names the missing package, and the remedy.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("", "sharpest"):
            raise
        raise MissingPackageError(
            f"{what} needs sharpest[pipeline]: pip install 'sharpest[pipeline]' (there is no package {missing})"
        ) from error


def some_of(numbers: Sequence[int]) -> str:
    """Numbers for a message: the first six, and the last.

    >>> some_of(range(10))
    '0, 1, 2, 3, 4, 5, ... 9'
    """
    return ", ".join(map(str, numbers[:6])) + (f", ... {numbers[-1]}" if len(numbers) > 6 else "")
