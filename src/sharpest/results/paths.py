"""Where each file of a scale is: paths are spelled here, for rules, readers and people alike."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class Paths:
    """The folder of a scale. Names may hold wildcards of Snakemake.

    Attributes:
        folder: ``results/<scale>``.
    """

    folder: Path

    @classmethod
    def of(cls, scale: str, results: str | Path = "results") -> Self:
        """Those of a scale by its name."""
        return cls(Path(results) / scale)

    def data(self, dataset: str) -> Path:
        """A decoded data set."""
        return self.folder / "data" / f"{dataset}.h5"

    def snapshots(self, run: str) -> Path:
        """The states of a run."""
        return self.folder / "runs" / run / "snapshots.h5"

    def history(self, run: str) -> Path:
        """Losses and accuracies of a run, a row an epoch."""
        return self.folder / "runs" / run / "history.csv"

    def made(self, path: str | Path) -> Path:
        """The record of a finished file that is no HDF5, and of those made with it: digests of them and their sources.

        Of ``fig06.csv`` it is ``fig06.made.json``, also for what stands beside it.
        """
        path = Path(path)
        return path.with_name(f"{path.name.partition('.')[0]}.made.json")

    def place(self, path: str | Path) -> str:
        """Where a file is within the folder of the scale."""
        return Path(path).relative_to(self.folder).as_posix()

    def work(self, run: str) -> Path:
        """What survives a kill of the training of a run."""
        return self.folder / "work" / run

    def work_on(self, measured: str | Path) -> Path:
        """What survives a kill of the job that measures a file: no run has the name of a measure, nor ``shards``."""
        return self.folder / "work" / Path(measured).relative_to(self.folder).with_suffix("")

    def measured(self, measure: str, run: str, schedule: str) -> Path:
        """What a measure took of a run at the points of a schedule."""
        return self.curve(measure, f"{run}/{schedule}")

    def curve(self, measure: str, curve: str) -> Path:
        """The same by ``<run>/<schedule>``."""
        return self.folder / measure / f"{curve}.h5"

    def shard(self, measure: str, run: str, schedule: str, number: int | str) -> Path:
        """The part of it that one job measured."""
        return self.folder / "shards" / measure / run / schedule / f"{number}.h5"

    def figure(self, name: str, suffix: str) -> Path:
        """A figure, or its points with the suffix ``csv``."""
        return self.folder / "figures" / f"{name}.{suffix}"

    def table(self, name: str, suffix: str) -> Path:
        """A table as ``csv``, ``md`` or ``tex``."""
        return self.folder / "tables" / f"{name}.{suffix}"

    def claims(self, suffix: str) -> Path:
        """The verdicts as ``csv`` or ``md``."""
        return self.folder / f"claims.{suffix}"

    def report(self) -> Path:
        """The page of everything."""
        return self.folder / "report.html"

    def log(self, *parts: str) -> Path:
        """What a job wrote while it ran; the last part is without a suffix."""
        return self.folder.joinpath("logs", *parts[:-1], f"{parts[-1]}.log")

    def benchmark_of(self, log: str | Path) -> Path:
        """The same of the job that writes a log."""
        return self.benchmark(*Path(log).with_suffix("").relative_to(self.folder / "logs").parts)

    def benchmark(self, *parts: str) -> Path:
        """Time and memory of a job, as it recorded them; the last part is without a suffix."""
        return self.folder.joinpath("benchmarks", *parts[:-1], f"{parts[-1]}.tsv")
