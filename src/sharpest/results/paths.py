"""Where each file lies, and the ledgers of claims."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

_STORED = ".h5"


def is_stored(name: str | Path) -> bool:
    """Whether a file name has the ending of HDF5 files."""
    return Path(name).suffix == _STORED


def is_inside(place: str) -> bool:
    """Whether a place that a record or a bundle names is a path within a folder, and can be printed in a line."""
    return place.isprintable() and not {"", ".", ".."} & set(place.split("/"))


@dataclass(frozen=True)
class Paths:
    """The folder of a scale. Names may contain Snakemake wildcards.

    Attributes:
        folder: ``results/<scale>``.
    """

    folder: Path

    @classmethod
    def of(cls, scale: str, results: str | Path = "results") -> Self:
        """The paths of a scale, by its name."""
        return cls(Path(results) / scale)

    def data(self, dataset: str) -> Path:
        """A decoded data set."""
        return self.folder / "data" / f"{dataset}.h5"

    def snapshots(self, run: str) -> Path:
        """The states of a run."""
        return self.folder / "runs" / run / "snapshots.h5"

    def history(self, run: str) -> Path:
        """Losses and accuracies of a run, one row per epoch."""
        return self.folder / "runs" / run / "history.csv"

    def made(self, path: str | Path) -> Path:
        """The record of a finished file other than HDF5 and of the files made with it: their digests and sources.

        For ``fig06.csv``, ``fig06.png`` and ``fig06.pdf`` it is ``fig06.made.json``.
        """
        path = Path(path)
        return path.with_name(f"{path.name.partition('.')[0]}.made.json")

    def place(self, path: str | Path) -> str:
        """The path of a file relative to the folder of the scale."""
        return Path(path).relative_to(self.folder).as_posix()

    def work(self, run: str) -> Path:
        """The work folder of a run's training, which survives a kill."""
        return self.folder / "work" / run

    def work_on(self, measured: str | Path) -> Path:
        """The work folder of the job that measures a file. No run is named like a measure or ``shards``."""
        return self.folder / "work" / Path(measured).relative_to(self.folder).with_suffix("")

    def measured(self, measure: str, run: str, schedule: str) -> Path:
        """The values of a measure on a run, at the points of a schedule."""
        return self.curve(measure, f"{run}/{schedule}")

    def measures(self, run: str) -> list[str]:
        """Names of the measures that have files for a run."""
        files = self.folder.glob(str(self.measured("*", run, "*").relative_to(self.folder)))
        return sorted({path.relative_to(self.folder).parts[0] for path in files} - {self.snapshots("").parent.name})

    def curve(self, measure: str, curve: str) -> Path:
        """The same as ``measured``, by ``<run>/<schedule>``."""
        return self.folder / measure / f"{curve}.h5"

    def shard(self, measure: str, run: str, schedule: str, number: int | str) -> Path:
        """The part of a measured file that one job measures."""
        return self.folder / "shards" / measure / run / schedule / f"{number}.h5"

    def figure(self, name: str, suffix: str) -> Path:
        """A figure; with the suffix ``csv``, the points drawn in it."""
        return self.folder / "figures" / f"{name}.{suffix}"

    def table(self, name: str, suffix: str) -> Path:
        """A table as ``csv``, ``md`` or ``tex``."""
        return self.folder / "tables" / f"{name}.{suffix}"

    def claims(self, suffix: str) -> Path:
        """The verdicts as ``csv`` or ``md``."""
        return self.folder / f"claims.{suffix}"

    def report(self, full: bool = False) -> Path:
        """The report page on the paper; the full one adds later papers."""
        return self.folder / f"{'full_' * full}report.html"

    def log(self, *parts: str) -> Path:
        """The log of a job; the last part has no suffix."""
        return self.folder.joinpath("logs", *parts[:-1], f"{parts[-1]}.log")

    def benchmark_of(self, log: str | Path) -> Path:
        """The benchmark of the job that writes a log."""
        return self.benchmark(*Path(log).with_suffix("").relative_to(self.folder / "logs").parts)

    def benchmark(self, *parts: str) -> Path:
        """Recorded time and memory of a job; the last part has no suffix."""
        return self.folder.joinpath("benchmarks", *parts[:-1], f"{parts[-1]}.tsv")


PAPER, BEYOND = "claims", "beyond"
"""The paper's ledger, and the ledgers of all later papers together."""


def verdicts(paths: Paths, ledger: str, suffix: str) -> Path:
    """The verdicts on a ledger as ``csv`` or ``md``, and files beside them; the ledger may be a wildcard."""
    return paths.claims(suffix).with_name(f"{ledger}.{suffix}")
