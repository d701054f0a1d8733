"""Measure gradients, scaled steps and loss profiles along the eigenvectors of a spectrum."""

from typing import Any

from sharpest.config.measurement import DirectionSettings, MeasurementSettings
from sharpest.config.run import RunSettings
from sharpest.directions.measure import measure_directions
from sharpest.job import job
from sharpest.progress import Progress
from sharpest.provenance import provenance
from sharpest.store.directions import DIRECTIONS
from sharpest.store.file import open_stored, write_stored
from sharpest.store.snapshots import SNAPSHOTS
from sharpest.store.spectrum import SPECTRUM
from sharpest.training.problem import build_problem
from sharpest.training.replay import Replay


def main(
    data: str,
    snapshots: str,
    spectrum: str,
    output: str,
    directions: dict[str, Any],
    measurement: dict[str, Any],
    chunk_size: int,
    code: str,
    make_progress: Any,
) -> None:
    with open_stored(snapshots, SNAPSHOTS) as file, open_stored(spectrum, SPECTRUM) as vectors:
        source = file.attributes
        problem = build_problem(RunSettings.model_validate(source["config"]), data)
        replay = Replay(problem, file)
        progress = make_progress(vectors.shape("vector_index")[0])
        arrays = measure_directions(
            problem,
            replay,
            vectors,
            DirectionSettings.model_validate(directions),
            MeasurementSettings.model_validate(measurement),
            chunk_size,
            progress,
        )
        schedule = vectors.attributes["schedule"]
    config = {"run": source["config"], "directions": directions, "measurement": measurement}
    facts = {
        "run": problem.settings.run,
        "schedule": schedule,
        "lr": problem.settings.lr,
        "measurement": measurement,
        "replays_checked": replay.checked,
        "replay_drift": replay.drift,
    }
    attributes = provenance(source["scale"], config, source["dataset"], source["reductions"], code)
    write_stored(output, DIRECTIONS, arrays, attributes | facts)
    progress.finish(f"{len(arrays['iteration'])} points")


if __name__ == "__main__":
    with job(snakemake.log[0]) as terminal:
        subject = f"{snakemake.wildcards.run} {snakemake.wildcards.schedule}"
        main(
            snakemake.input.data,
            snakemake.input.snapshots,
            snakemake.input.spectrum,
            snakemake.output[0],
            snakemake.params.directions,
            snakemake.params.measurement,
            snakemake.params.chunk_size,
            snakemake.params.code,
            lambda total: Progress("directions", subject, total, "points", terminal),
        )
