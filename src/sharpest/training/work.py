"""The work folder of a run in training: everything that survives a kill, outside the declared outputs."""

import json
import os
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpest.errors import StoreError
from sharpest.results.work import WorkFolder, cannot_write


class TrainingWork(WorkFolder):
    """States and journals of an unfinished run.

    Args:
        path: The folder.
        identity: A hash of everything that the states depend on.
    """

    def __init__(self, path: Path, identity: str) -> None:
        super().__init__(path, identity, ("states", "vectors"))
        self._states = path / "states"
        self._vectors = path / "vectors"
        self._midway = path / "midway.npz"

    def iterations(self) -> list[int]:
        """Iterations whose states are kept, increasing."""
        return sorted(int(path.stem) for path in self._states.glob("*.npz"))

    def save(self, iteration: int, arrays: dict[str, NDArray[Any]]) -> None:
        """Keep a state; the file is complete or does not exist.

        Raises:
            StoreError: If it cannot be written.
        """
        self._save(self._states / f"{iteration}.npz", arrays)

    def save_midway(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Keep a state within an epoch, replacing the previous one; ``arrays`` contains its ``iteration``.

        Raises:
            StoreError: If it cannot be written.
        """
        self._save(self._midway, arrays)

    def midway(self) -> dict[str, NDArray[Any]] | None:
        """The kept state within an epoch; None if it is missing or damaged."""
        return _read(self._midway)

    def save_vectors(self, iteration: int, vectors: NDArray[np.float32]) -> None:
        """Keep eigenvectors (k, p) that were computed at an iteration.

        Raises:
            StoreError: If they cannot be written.
        """
        self._save(self._vectors / f"{iteration}.npz", {"vectors": vectors})

    def load_vectors(self, iteration: int) -> NDArray[np.float32]:
        """Kept eigenvectors, (k, p)."""
        return self._load(self._vectors / f"{iteration}.npz")["vectors"]

    def _save(self, path: Path, arrays: dict[str, NDArray[Any]]) -> None:
        temporary = path.with_suffix(".partial")
        try:
            with open(temporary, "wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
            os.replace(temporary, path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise cannot_write(self.path, error) from error

    def load(self, iteration: int) -> dict[str, NDArray[Any]]:
        """A kept state."""
        return self._load(self._states / f"{iteration}.npz")

    def _load(self, path: Path) -> dict[str, NDArray[Any]]:
        arrays = _read(path)
        if arrays is None:
            raise StoreError(f"{path}: missing or damaged; run snakemake again: training resumes from an earlier state")
        return arrays

    def drop_damaged(self, epoch_ends: Iterable[int]) -> None:
        """Drop states damaged by a power loss or a bad disk, and all later ones: training computes them again.

        Args:
            epoch_ends: Iterations at which an epoch ends, each with a row in the journal ``history`` if it was trained.
        """
        rows = {row["iteration"] for row in self.rows("history")}
        bad = [iteration for iteration in self.iterations() if _read(self._states / f"{iteration}.npz") is None]
        bad += [end for end in epoch_ends if end not in rows][:1]
        if any(self._vectors.iterdir()):
            refreshed = (row["iteration"] for row in self.rows("refreshes"))
            bad += [iteration + 1 for iteration in refreshed if _read(self._vectors / f"{iteration}.npz") is None]
        for iteration in self.iterations():
            if bad and iteration >= min(bad):
                self.drop(iteration)
        midway = self.midway()
        if midway is not None and bad and midway["iteration"] >= min(bad):
            self._midway.unlink()

    def drop(self, iteration: int) -> None:
        """Delete a state."""
        (self._states / f"{iteration}.npz").unlink()

    def append(self, journal: str, row: dict[str, Any]) -> None:
        """Add a row with the key ``iteration`` to a journal.

        Raises:
            StoreError: If it cannot be written.
        """
        try:
            with open(self.path / f"{journal}.jsonl", "a") as file:
                # start a new line, because a kill or a full disk may have cut the last row short
                text = json.dumps(row)
                file.write(f"\n{_checksum(text)} {text}")
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def rows(self, journal: str) -> list[dict[str, Any]]:
        """The rows of a journal. Truncated or damaged rows are skipped; of rows written twice, the last one counts."""
        path = self.path / f"{journal}.jsonl"
        rows: dict[int, dict[str, Any]] = {}
        for line in path.read_text(errors="replace").split("\n") if path.exists() else ():
            checksum, _, text = line.partition(" ")
            if text and checksum == _checksum(text):
                row = json.loads(text)
                rows[row["iteration"]] = row
        return [rows[iteration] for iteration in sorted(rows)]


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


def _read(path: Path) -> dict[str, NDArray[Any]] | None:
    """The arrays of a file, whose format has checksums; None if it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:  # noqa: TID251 - no pickles
            return dict(file)
    except Exception:  # a damaged archive may raise anything
        return None
