"""Measure the spectrum of a run at the points of a schedule."""

from typing import Any

from sharpest.config.measurement import MeasurementSettings, SpectrumSettings
from sharpest.config.run import HessianSettings, RunSettings
from sharpest.job import job
from sharpest.progress import Progress
from sharpest.provenance import provenance
from sharpest.spectra.measure import measure_spectrum
from sharpest.store.file import open_stored, write_stored
from sharpest.store.snapshots import SNAPSHOTS
from sharpest.store.spectrum import SPECTRUM
from sharpest.training.problem import build_problem
from sharpest.training.replay import Replay


def main(
    data: str,
    snapshots: str,
    output: str,
    name: str,
    points: list[int],
    schedule: dict[str, Any],
    hessian: dict[str, Any],
    measurement: dict[str, Any],
    code: str,
    progress: Progress,
) -> None:
    with open_stored(snapshots, SNAPSHOTS) as file:
        source = file.attributes
        problem = build_problem(RunSettings.model_validate(source["config"]), data)
        replay = Replay(problem, file)
        arrays = measure_spectrum(
            problem,
            replay,
            points,
            SpectrumSettings.model_validate(schedule),
            HessianSettings.model_validate(hessian),
            MeasurementSettings.model_validate(measurement),
            progress,
        )
    config = {"run": source["config"], "schedule": schedule, "hessian": hessian, "measurement": measurement}
    facts = {
        "run": problem.settings.run,
        "schedule": name,
        "examples": hessian["examples"],
        "tolerance": hessian["tolerance"],
        "hessian": hessian,
        "planned_points": len(points),
        "replays_checked": replay.checked,
        "replay_drift": replay.drift,
    }
    attributes = provenance(source["scale"], config, source["dataset"], source["reductions"], code)
    write_stored(output, SPECTRUM, arrays, attributes | facts)
    progress.finish(f"{len(arrays['iteration'])} points, {arrays['hvps'].sum():,} Hessian-vector products")


if __name__ == "__main__":
    with job(snakemake.log[0]) as terminal:
        points = list(snakemake.params.points)
        subject = f"{snakemake.wildcards.run} {snakemake.wildcards.schedule}"
        main(
            snakemake.input.data,
            snakemake.input.snapshots,
            snakemake.output[0],
            snakemake.wildcards.schedule,
            points,
            snakemake.params.schedule,
            snakemake.params.hessian,
            snakemake.params.measurement,
            snakemake.params.code,
            Progress("spectra", subject, len(points), "points", terminal),
        )
