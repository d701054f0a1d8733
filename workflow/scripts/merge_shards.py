"""Put the shards of a measurement together."""

import sharpest.pipeline.startup  # noqa: F401  # isort: split
from sharpest.config.measures import declared
from sharpest.pipeline.job import job
from sharpest.pipeline.progress import Progress
from sharpest.results.paths import Paths
from sharpest.results.shards import merge_shards


def main(shards: list[str], output: str, measure: str, progress: Progress) -> None:
    count = merge_shards(shards, output, declared(measure).layout)
    progress.finish(f"{count} points")


if __name__ == "__main__":
    paths = Paths.of(snakemake.config["scale"])
    with job(snakemake.log[0], benchmark=paths.benchmark_of(snakemake.log[0])) as terminal:
        main(
            list(snakemake.input),
            snakemake.output[0],
            snakemake.wildcards.measure,
            Progress("merge", snakemake.output[0], len(snakemake.input), "shards", terminal),
        )
