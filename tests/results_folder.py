"""A folder of small synthetic results files: each has the real layout of its kind, without any training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sharpest.config.measures import declared
from sharpest.results.file import write_stored
from sharpest.results.layout import Layout
from sharpest.results.paths import Paths
from sharpest.results.record import write_record
from sharpest.results.runs import Results
from sharpest.results.snapshots import SNAPSHOTS

LR = 0.03  # learning rate of a run for which the test gives none


class ResultsFolder:
    """Writes files of a scale. Arrays that a test does not give are zero; dimensions without a length are 0.

    Args:
        path: ``results/<scale>``.
    """

    def __init__(self, path: Path) -> None:
        self.paths = Paths(path)

    @property
    def results(self) -> Results:
        """Read the files as they are now; results cache what they have read."""
        return Results(self.paths.folder)

    def write_measure(
        self,
        measure: str,
        run: str,
        schedule: str,
        sizes: Mapping[str, int],
        arrays: Mapping[str, Any],
        **attributes: Any,
    ) -> Path:
        """Write the file of a measure.

        Args:
            measure: Its name.
            run: Id of the run.
            schedule: Name of the schedule.
            sizes: Lengths of dimensions by letter.
            arrays: By name.
            attributes: By name; the run did not diverge, and its learning rate is 0.03.
        """
        path = self.paths.measured(measure, run, schedule)
        known = {"run": run, "schedule": schedule, "lr": LR, "diverged_epoch": None, **self._origin}
        return self.write(path, declared(measure).layout, sizes, arrays, known | attributes)

    def write_snapshots(self, run: str, sizes: Mapping[str, int], arrays: Mapping[str, Any], **attributes: Any) -> Path:
        """Write the states of a run that did not diverge."""
        known = {"run": run, "diverged": -1, **self._origin}
        return self.write(self.paths.snapshots(run), SNAPSHOTS, sizes, arrays, known | attributes)

    def write_history(self, run: str, columns: Mapping[str, Any]) -> Path:
        """Write the history of a run."""
        path = self.paths.history(run)
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(columns).to_csv(path, index=False)
        write_record(self.paths, [path], {})
        return path

    @property
    def _origin(self) -> dict[str, Any]:
        """Provenance of files that were made from no others."""
        return {"scale": self.paths.folder.name, "made_from": {}}

    def write(
        self,
        path: Path,
        layout: Layout,
        sizes: Mapping[str, int],
        arrays: Mapping[str, Any],
        attributes: Mapping[str, Any],
    ) -> Path:
        """Write a file of any layout; attributes that are not given are placeholder texts."""
        empty = {
            dataset.name: np.zeros([sizes.get(letter, 0) for letter in dataset.dims], dataset.dtype)
            for dataset in layout.datasets
        }
        synthetic = dict.fromkeys(layout.attributes, "synthetic")
        synthetic |= {name: kind() for name, kind in (("reductions", list), ("packages", dict)) if name in synthetic}
        write_stored(path, layout, {**empty, **arrays}, {**synthetic, **attributes})
        return path
