"""Draw one figure."""

from importlib import import_module
from pathlib import Path
from typing import Any

import sharpest.pipeline.startup  # noqa: F401  # isort: split
from sharpest.config.studies.base import study_class
from sharpest.figures.files import FigureFiles
from sharpest.figures.style import save
from sharpest.pipeline.job import job
from sharpest.pipeline.progress import Progress


def main(
    study: dict[str, Any], files: FigureFiles, foot: str, outputs: tuple[str, str, str], progress: Progress
) -> None:
    typed = study_class(study["kind"]).model_validate({**study, "caption": ""})
    figure, table = import_module(f"sharpest.figures.{typed.kind}").draw(typed, files, foot)
    save(figure, table, *(Path(path) for path in outputs))
    progress.finish(outputs[1])


if __name__ == "__main__":
    with job(snakemake.log[0]) as terminal:
        main(
            snakemake.params.study,
            FigureFiles(
                **{
                    name: [Path(path) for path in snakemake.input.get(name)]
                    for name in ("spectra", "directions", "snapshots", "histories", "evaluations")
                },
                windows=[window or None for window in snakemake.params.windows],
            ),
            snakemake.params.foot,
            (snakemake.output.pdf, snakemake.output.png, snakemake.output.csv),
            Progress("figure", snakemake.wildcards.figure, 1, "figures", terminal),
        )
