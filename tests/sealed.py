"""Change a results file as a program that recomputes its checksum would."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from sharpest.results.whole import seal


@contextmanager
def changed(path: Path) -> Iterator[h5py.File]:
    """The open file; the checksum is recomputed at the end."""
    with h5py.File(path, "r+") as file:
        yield file
    seal(path)
