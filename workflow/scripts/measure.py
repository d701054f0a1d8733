"""Take a measure of a run at the points of a schedule."""

from pathlib import Path
from typing import Any

import sharpest.pipeline.startup  # noqa: F401  # isort: split
from sharpest.config.measures import declared
from sharpest.config.run import HessianSettings
from sharpest.measures.driver import measure_run
from sharpest.pipeline.job import job
from sharpest.pipeline.progress import Progress
from sharpest.pipeline.provenance import derived_provenance
from sharpest.results.paths import Paths
from sharpest.results.readers import reader_of
from sharpest.results.states import Snapshots
from sharpest.trajectory.replay import open_run


def main(
    measure: str,
    schedule: str,
    data: str,
    snapshots: str,
    needed: dict[str, str],
    output: str,
    work: Path,
    segments: list[list[int | str]],
    settings: dict[str, Any],
    hessian: dict[str, Any],
    code: str,
    progress: Progress,
) -> None:
    declaration = declared(measure)
    replay = open_run(Snapshots(snapshots), data)
    config = {"schedule": schedule, "settings": settings, "hessian": hessian}
    count = measure_run(
        declaration,
        replay,
        segments,
        declaration.settings.model_validate(settings),
        HessianSettings.model_validate(hessian),
        {name: reader_of(name)(path) for name, path in needed.items()},
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
            snakemake.wildcards.schedule,
            snakemake.input.data,
            snakemake.input.snapshots,
            dict(zip(snakemake.params.needs, snakemake.input.needed, strict=True)),
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
