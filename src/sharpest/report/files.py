"""Where the files behind a report are."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sharpest.errors import StoreError
from sharpest.report.facts import Facts


@dataclass(frozen=True)
class Results:
    """The folder ``results/<scale>``."""

    folder: Path

    @property
    def claims(self) -> Path:
        return self.folder / "claims.csv"

    def drawing(self, figure: str) -> Path:
        return self.folder / "figures" / f"{figure}.png"

    def points(self, figure: str) -> Path:
        return self.folder / "figures" / f"{figure}.csv"

    def table(self, table: str) -> Path:
        return self.folder / "tables" / f"{table}.csv"

    def data(self, dataset: str) -> Path:
        return self.folder / "data" / f"{dataset}.h5"

    def snapshots(self, run: str) -> Path:
        return self.folder / "runs" / run / "snapshots.h5"

    def spectrum(self, run: str, schedule: str) -> Path:
        return self.folder / "spectra" / run / f"{schedule}.h5"

    def directions(self, run: str, schedule: str) -> Path:
        return self.folder / "directions" / run / f"{schedule}.h5"

    def evaluation(self, run: str) -> Path:
        return self.folder / "evaluations" / f"{run}.h5"

    def inputs(self, facts: Facts) -> list[Path]:
        """Every file that a report reads."""
        figures = [name for name in facts.studies if is_figure(name)]
        return [
            self.claims,
            *map(self.drawing, figures),
            *map(self.points, figures),
            *(self.table(name) for name in facts.studies if not is_figure(name)),
            *map(self.data, facts.sources),
            *map(self.snapshots, facts.runs),
            *(self.spectrum(*curve) for curve in facts.spectra()),
            *(self.directions(*curve) for curve in facts.directions()),
            *map(self.evaluation, facts.evaluations()),
        ]

    def benchmarks(self, facts: Facts) -> Mapping[str, list[Path]]:
        """The records of time, by what was done; those that are not there are left out of the cost."""
        folder = self.folder / "benchmarks"
        return {
            "training": [folder / "train" / f"{run}.tsv" for run in facts.runs],
            "eigenpairs": [folder / "spectra" / run / f"{schedule}.tsv" for run, schedule in facts.spectra()],
            "steps along directions": [
                folder / "directions" / run / f"{schedule}.tsv" for run, schedule in facts.directions()
            ],
            "end points": [folder / "evaluate" / f"{run}.tsv" for run in facts.evaluations()],
        }


def is_figure(study: str) -> bool:
    """Whether a study makes a figure; others make tables."""
    return study.startswith("fig")


def present(path: Path) -> Path:
    """The path itself.

    Raises:
        StoreError: If there is no such file.
    """
    if not path.exists():
        raise StoreError(f"{path}: does not exist; make it with: snakemake --cores all {path}")
    return path
