"""Take a measure of a run at the points of a schedule."""

from pathlib import Path
from typing import Any

import sharpest.pipeline.startup  # noqa: F401  # isort: split
from sharpest.config.measures import declared
from sharpest.config.run import HessianSettings
from sharpest.measures.driver import measure_run
from sharpest.pipeline.job import Progress, job
from sharpest.pipeline.provenance import derived_provenance
from sharpest.results.paths import Paths
from sharpest.results.record import check_record
from sharpest.results.stored import Snapshots, reader_of
from sharpest.trajectory.replay import open_run


def main(
    measure: str,
    run: str,
    schedule: str,
    paths: Paths,
    output: str,
    work: Path,
    segments: list[list[int | str]],
    settings: dict[str, Any],
    hessian: dict[str, Any],
    code: str,
    progress: Progress,
) -> None:
    declaration = declared(measure)
    snapshots = Snapshots(paths.snapshots(run))
    check_record(snapshots.path, snapshots.attributes, paths, run=run)
    stored = {name: reader_of(name)(paths.measured(name, run, schedule)) for name in declaration.needs}
    for each in stored.values():
        check_record(each.path, each.attributes, paths, run=run, schedule=schedule)
    replay = open_run(snapshots, paths.data(snapshots.attributes["config"]["dataset_name"]))
    config = {"schedule": schedule, "settings": settings, "hessian": hessian}
    count = measure_run(
        declaration,
        replay,
        segments,
        declaration.settings.model_validate(settings),
        HessianSettings.model_validate(hessian),
        stored,
        derived_provenance(replay.attributes, config, code) | config,
        Path(output),
        work,
        progress.update,
    )
    progress.finish(f"{count} points")


if __name__ == "__main__":
    paths = Paths.of(snakemake.config["scale"])
    with job(snakemake.log[0], snakemake.resources, paths.benchmark_of(snakemake.log[0])) as terminal:
        segments = snakemake.params.segments
        main(
            snakemake.wildcards.measure,
            snakemake.wildcards.run,
            snakemake.wildcards.schedule,
            paths,
            snakemake.output[0],
            paths.work_on(snakemake.output[0]),
            segments,
            snakemake.params.settings,
            snakemake.params.hessian,
            snakemake.params.code,
            Progress(
                snakemake.wildcards.measure,
                " ".join([snakemake.wildcards.run, snakemake.wildcards.schedule]),
                sum(map(len, segments)),
                "points",
                terminal,
            ),
        )
