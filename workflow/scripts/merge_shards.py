"""Merge the shards of a measurement."""

from pathlib import Path

import sharpest.pipeline.startup  # noqa: F401  # isort: split
from sharpest.config.measures import declared
from sharpest.pipeline.job import Progress, job
from sharpest.results.file import attributes_of
from sharpest.results.paths import Paths
from sharpest.results.record import check_identity
from sharpest.results.shards import merge_shards


def main(shards: list[str], output: str, measure: str, expected: dict[str, str], progress: Progress) -> None:
    layout = declared(measure).layout
    for path in map(Path, shards):
        check_identity(path, attributes_of(path, layout), expected)
    count = merge_shards(shards, output, layout)
    progress.finish(f"{count} points")


if __name__ == "__main__":
    paths = Paths.of(snakemake.config["scale"])
    with job(snakemake.log[0], benchmark=paths.benchmark_of(snakemake.log[0])) as terminal:
        run, _, schedule = snakemake.wildcards.curve.rpartition("/")
        main(
            list(snakemake.input),
            snakemake.output[0],
            snakemake.wildcards.measure,
            {"run": run, "schedule": schedule, "scale": snakemake.config["scale"]},
            Progress("merge", snakemake.output[0], len(snakemake.input), "shards", terminal),
        )
