"""Find, verify and decode one data set."""

from pathlib import Path
from typing import Any

import sharpest.pipeline.startup  # noqa: F401  # isort: split
from sharpest.config.sources import SourceSettings
from sharpest.data.prepare import prepare
from sharpest.pipeline.job import Progress, job
from sharpest.pipeline.provenance import now
from sharpest.results.file import write_stored


def main(kind: str, source: str, place: dict[str, Any], code: str, output: str, progress: Progress) -> None:
    data = prepare(kind, source, SourceSettings.model_validate(place), Path(output).parent / "downloads")
    attributes = {
        "dataset": source,
        "sha256": data.sha256,
        "origin": data.origin,
        **data.attributes,
        "code": code,
        "created": now(),
    }
    write_stored(output, data.layout, data.arrays, attributes)
    progress.finish(f"{source}, {data.summary} from {data.origin}")


if __name__ == "__main__":
    with job(snakemake.log[0]) as terminal:
        main(
            snakemake.params.kind,
            snakemake.params.source,
            snakemake.params.place,
            snakemake.params.code,
            snakemake.output[0],
            Progress("data", snakemake.wildcards.dataset, 1, "files", terminal),
        )
