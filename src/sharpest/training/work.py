"""The work folder of a run: all that survives a kill, kept outside of declared outputs."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpest.errors import StoreError


class WorkFolder:
    """States and journals of an unfinished run.

    Use it under a lock (:func:`sharpest.training.run.train_run`). A folder of another identity (parameters, data, code,
    device) is emptied: stale state is never resumed.

    Args:
        path: Made where it does not exist.
        identity: What the states depend on.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self._path = path
        self._states = path / "states"
        self._vectors = path / "vectors"
        mark = path / "identity"
        if not mark.exists() or mark.read_text() != identity:
            for old in (mark, path / "history.jsonl", path / "refreshes.jsonl"):
                old.unlink(missing_ok=True)
            shutil.rmtree(self._states, ignore_errors=True)
            shutil.rmtree(self._vectors, ignore_errors=True)
            try:
                self._states.mkdir(parents=True)
                self._vectors.mkdir(parents=True)
                mark.write_text(identity)
            except OSError as error:
                raise self._cannot_write(error) from error

    def iterations(self) -> list[int]:
        """Iterations whose states are kept, increasing."""
        return sorted(int(path.stem) for path in self._states.glob("*.npz"))

    def save(self, iteration: int, arrays: dict[str, NDArray[Any]]) -> None:
        """Keep a state; it is there whole or not at all.

        Raises:
            StoreError: If it cannot be written.
        """
        self._save(self._states / f"{iteration}.npz", arrays)

    def save_vectors(self, iteration: int, vectors: NDArray[np.float32]) -> None:
        """Keep eigenvectors (k, p) that were computed at an iteration.

        Raises:
            StoreError: If they cannot be written.
        """
        self._save(self._vectors / f"{iteration}.npz", {"vectors": vectors})

    def load_vectors(self, iteration: int) -> NDArray[np.float32]:
        """Kept eigenvectors, (k, p)."""
        with np.load(self._vectors / f"{iteration}.npz") as file:
            return file["vectors"]  # type: ignore[no-any-return]

    def _save(self, path: Path, arrays: dict[str, NDArray[Any]]) -> None:
        temporary = path.with_suffix(".partial")
        try:
            with open(temporary, "wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
            os.replace(temporary, path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise self._cannot_write(error) from error

    def _cannot_write(self, error: OSError) -> StoreError:
        return StoreError(
            f"{self._path}: cannot be written ({error}); free space or correct the folder's rights, then run "
            "snakemake again: training goes on from the last state"
        )

    def load(self, iteration: int) -> dict[str, NDArray[Any]]:
        """A kept state."""
        with np.load(self._states / f"{iteration}.npz") as file:
            return dict(file)

    def drop(self, iteration: int) -> None:
        """Forget a state."""
        (self._states / f"{iteration}.npz").unlink()

    def append(self, journal: str, row: dict[str, Any]) -> None:
        """Add a row with the key ``iteration`` to a journal.

        Raises:
            StoreError: If it cannot be written.
        """
        try:
            with open(self._path / f"{journal}.jsonl", "a") as file:
                # on a line of its own, also after a row that a kill or a full disk cut short
                file.write("\n" + json.dumps(row))
        except OSError as error:
            raise self._cannot_write(error) from error

    def rows(self, journal: str) -> list[dict[str, Any]]:
        """The rows of a journal; a row that a kill cut short is left out, of rows written twice the last counts."""
        path = self._path / f"{journal}.jsonl"
        rows: dict[int, dict[str, Any]] = {}
        for line in path.read_text().splitlines() if path.exists() else ():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue
            rows[row["iteration"]] = row
        return [rows[iteration] for iteration in sorted(rows)]

    def remove(self) -> None:
        """Delete everything but the lock."""
        for path in (self._path / "identity", self._path / "history.jsonl", self._path / "refreshes.jsonl"):
            path.unlink(missing_ok=True)
        shutil.rmtree(self._states)
        shutil.rmtree(self._vectors)
