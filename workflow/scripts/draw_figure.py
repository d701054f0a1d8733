"""Draw one figure."""

from importlib import import_module
from pathlib import Path
from typing import Any

import sharpest.pipeline.startup  # noqa: F401  # isort: split
from sharpest.config.studies import KINDS
from sharpest.figures.canvas import FigureInputs, save
from sharpest.pipeline.job import Progress, job
from sharpest.results.record import write_record
from sharpest.results.runs import Results


def main(
    study: dict[str, Any],
    inputs: FigureInputs,
    differences: str,
    foot: str,
    width: str,
    png: str,
    progress: Progress,
) -> None:
    typed = KINDS[study["kind"]].model_validate({**study, "caption": ""})
    module, _, name = typed.made_by.partition(":")
    figure, table = getattr(import_module(f"sharpest.{module}"), name)(typed, inputs, differences)
    save(figure, table, foot, width, Path(png).with_suffix(""))
    written = [Path(png).with_suffix(f".{suffix}") for suffix in ("pdf", "png", "csv", "md")]
    write_record(inputs.results.paths, written, inputs.results.made_from)
    progress.finish(png)


if __name__ == "__main__":
    with job(snakemake.log[0]) as terminal:
        main(
            snakemake.params.study,
            FigureInputs(
                Results(Path(snakemake.output.png).parents[1]),
                {(run, schedule): window for run, schedule, window in snakemake.params.windows},
            ),
            snakemake.params.differences,
            snakemake.params.foot,
            snakemake.params.width,
            snakemake.output.png,
            Progress("figure", snakemake.wildcards.figure, 1, "figures", terminal),
        )
