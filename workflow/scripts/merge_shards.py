"""Put the shards of a spectrum or directions file together."""

from sharpest.job import job
from sharpest.progress import Progress
from sharpest.store.directions import DIRECTIONS
from sharpest.store.shards import merge_shards
from sharpest.store.spectrum import SPECTRUM

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
