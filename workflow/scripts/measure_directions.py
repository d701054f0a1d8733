"""Measure gradients, scaled steps and loss profiles along the eigenvectors of a spectrum."""

from typing import Any

import sharpest.pipeline.startup  # noqa: F401  # isort: split
from sharpest.config.measurement import DirectionSettings, MeasurementSettings
from sharpest.measures.directions import DIRECTIONS
from sharpest.measures.directions.measure import measure_directions
from sharpest.measures.spectra import SPECTRUM
from sharpest.pipeline.job import job
from sharpest.pipeline.progress import Progress
from sharpest.pipeline.provenance import derived_provenance
from sharpest.results.file import open_stored, write_stored
from sharpest.trajectory.replay import open_run


def main(
    data: str,
    snapshots: str,
    spectrum: str,
    output: str,
    segments: list[list[int]],
    directions: dict[str, Any],
    measurement: dict[str, Any],
    chunk_size: int,
    code: str,
    progress: Progress,
) -> None:
    with open_run(snapshots, data) as replay, open_stored(spectrum, SPECTRUM) as vectors:
        arrays = measure_directions(
            replay.problem,
            replay,
            vectors,
            segments,
            DirectionSettings.model_validate(directions),
            MeasurementSettings.model_validate(measurement),
            chunk_size,
            progress,
        )
    facts = {
        "schedule": vectors.attributes["schedule"],
        "lr": replay.problem.settings.lr,
        "measurement": measurement,
        "mode": replay.problem.model.mode,
        "replays_checked": replay.checked,
        "replay_drift": replay.drift,
    }
    config = {"directions": directions, "measurement": measurement}
    write_stored(output, DIRECTIONS, arrays, derived_provenance(replay.attributes, config, code) | facts)
    progress.finish(f"{len(arrays['iteration'])} points")


if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.resources) as terminal:
        segments = snakemake.params.segments
        main(
            snakemake.input.data,
            snakemake.input.snapshots,
            snakemake.input.spectrum,
            snakemake.output[0],
            segments,
            snakemake.params.directions,
            snakemake.params.measurement,
            snakemake.params.chunk_size,
            snakemake.params.code,
            Progress("directions", " ".join(snakemake.wildcards), sum(map(len, segments)), "points", terminal),
        )
