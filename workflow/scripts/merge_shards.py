"""Put the shards of a spectrum or directions file together."""

from sharpest.measures.directions import DIRECTIONS
from sharpest.measures.spectra import SPECTRUM
from sharpest.pipeline.job import job
from sharpest.pipeline.progress import Progress
from sharpest.results.shards import merge_shards

LAYOUTS = {layout.name: layout for layout in (SPECTRUM, DIRECTIONS)}


def main(shards: list[str], output: str, layout: str, progress: Progress) -> None:
    count = merge_shards(shards, output, LAYOUTS[layout])
    progress.finish(f"{count} points")


if __name__ == "__main__":
    with job(snakemake.log[0]) as terminal:
        main(
            list(snakemake.input),
            snakemake.output[0],
            snakemake.params.layout,
            Progress("merge", snakemake.output[0], len(snakemake.input), "shards", terminal),
        )
