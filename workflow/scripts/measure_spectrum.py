"""Measure the spectrum of a run at the points of a schedule."""

from typing import Any

import sharpest.pipeline.startup  # noqa: F401  # isort: split
from sharpest.config.measurement import MeasurementSettings, SpectrumSettings
from sharpest.config.run import HessianSettings
from sharpest.measures.spectra import SPECTRUM
from sharpest.measures.spectra.measure import measure_spectrum
from sharpest.pipeline.job import job
from sharpest.pipeline.progress import Progress
from sharpest.pipeline.provenance import derived_provenance
from sharpest.results.file import create_stored
from sharpest.trajectory.replay import open_run


def main(
    data: str,
    snapshots: str,
    output: str,
    name: str,
    segments: list[list[int]],
    schedule: dict[str, Any],
    hessian: dict[str, Any],
    measurement: dict[str, Any],
    code: str,
    progress: Progress,
) -> None:
    with open_run(snapshots, data) as replay, create_stored(output, SPECTRUM) as file:
        arrays = measure_spectrum(
            replay.problem,
            replay,
            segments,
            SpectrumSettings.model_validate(schedule),
            HessianSettings.model_validate(hessian),
            MeasurementSettings.model_validate(measurement),
            file,
            progress,
        )
        facts = {
            "schedule": name,
            "examples": hessian["examples"],
            "tolerance": hessian["tolerance"],
            "hessian": hessian,
            "mode": replay.problem.model.mode,
            "diverged_epoch": replay.diverged_epoch,
            "planned_points": sum(map(len, segments)),
            "replays_checked": replay.checked,
            "replay_drift": replay.drift,
        }
        config = {"schedule": schedule, "hessian": hessian, "measurement": measurement}
        file.complete(arrays, derived_provenance(replay.attributes, config, code) | facts)
    progress.finish(f"{len(arrays['iteration'])} points, {arrays['hvps'].sum():,} Hessian-vector products")


if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.resources) as terminal:
        segments = snakemake.params.segments
        main(
            snakemake.input.data,
            snakemake.input.snapshots,
            snakemake.output[0],
            snakemake.wildcards.schedule,
            segments,
            snakemake.params.schedule,
            snakemake.params.hessian,
            snakemake.params.measurement,
            snakemake.params.code,
            Progress("spectra", " ".join(snakemake.wildcards), sum(map(len, segments)), "points", terminal),
        )
