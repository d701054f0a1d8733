"""Write the report."""

from pathlib import Path
from typing import Any

import sharpest.pipeline.startup  # noqa: F401  # isort: split
from sharpest.pipeline.job import job
from sharpest.pipeline.progress import Progress
from sharpest.report.facts import Facts
from sharpest.report.files import Results
from sharpest.report.page import build_page
from sharpest.report.render import render
from sharpest.results.file import written_whole


def main(facts: dict[str, Any], folder: str, html: str, progress: Progress) -> None:
    page = build_page(Facts.joined(facts), Results(Path(folder)))
    with written_whole(html) as temporary:
        temporary.write_text(render(page), encoding="utf-8")
    progress.finish(html)


if __name__ == "__main__":
    with job(snakemake.log[0]) as terminal:
        main(
            dict(snakemake.params.items()),
            snakemake.params.folder,
            snakemake.output[0],
            Progress("report", snakemake.params.scale, 1, "pages", terminal),
        )
