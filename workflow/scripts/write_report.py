"""Write the report."""

from typing import Any

import sharpest.pipeline.startup  # noqa: F401  # isort: split
from sharpest.pipeline.job import Progress, job
from sharpest.report.build import build_page
from sharpest.report.page import render
from sharpest.report.setup import Setup
from sharpest.results.record import write_record
from sharpest.results.runs import Results
from sharpest.results.whole import written_whole


def main(setup: dict[str, Any], folder: str, html: str, progress: Progress) -> None:
    results = Results(folder)
    page = build_page(Setup.joined(setup), results)
    with written_whole(html) as temporary:
        temporary.write_text(render(page), encoding="utf-8")
    write_record(results.paths, [html], results.made_from)
    progress.finish(html)


if __name__ == "__main__":
    with job(snakemake.log[0]) as terminal:
        main(
            dict(snakemake.params.items()),
            snakemake.params.folder,
            snakemake.output[0],
            Progress("report", snakemake.params.scale, 1, "pages", terminal),
        )
