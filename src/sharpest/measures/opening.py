"""Open a run at an iteration."""

from __future__ import annotations

from pathlib import Path

from sharpest.config.measures import measure_names
from sharpest.config.run import HessianSettings
from sharpest.measures.point import Point
from sharpest.results.abridged import check_unabridged
from sharpest.results.runs import RunResults, open_results, scale_in
from sharpest.results.stored import Measured, reader_of
from sharpest.trajectory.replay import open_run


def open_point(run: str, iteration: int, scale: str | None = None, results: str | Path = "results") -> Point:
    """Open any iteration of a trained run, measured or not, by replay from the snapshot before it.

    Args:
        run: Run id.
        iteration: Completed updates, from 0 to the end of the run.
        scale: Name of the scale; None = that of config/config.yaml, or the only one with results.
        results: The results folder.

    Raises:
        StoreError: If the run has not been trained at that scale, or came in a bundle; if a file is damaged; or if the
            run is imported and the iteration is not one of its checkpoints.
        ValueError: If the iteration lies outside the run.

    Source: design, section 5.
    """
    files = open_results(results, scale or scale_in(results))
    snapshots = files[run].snapshots
    check_unabridged(snapshots.path, snapshots.attributes)
    replay = open_run(snapshots, files.paths.data(snapshots.attributes["config"]["dataset_name"]))
    if not replay.start <= iteration <= replay.end:
        raise ValueError(
            f"run {run}: iteration {iteration} lies outside the run, which has {replay.start} to {replay.end}"
        )
    replay.check([iteration])
    stored = {
        name: measured for name in measure_names() if (measured := _best(files[run], name, iteration)) is not None
    }
    # settings of the measured Hessian; the run may have been trained before they were configured
    hessian = stored["spectra"].hessian if "spectra" in stored else snapshots.attributes["hessian"]
    return Point(replay, replay.walk(), iteration, HessianSettings.model_validate(hessian), stored)


def _best(run: RunResults, measure: str, iteration: int) -> Measured | None:
    """The file of a measure with the most values at a point; any file if none has some, for its settings; or None."""
    reader = reader_of(measure)
    files = [run.read(reader, schedule) for schedule in run.schedules(measure)]
    return max(files, key=lambda measured: len(measured.at(iteration) or {}), default=None)
