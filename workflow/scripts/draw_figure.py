"""Draw one figure."""

from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from sharpest.config.studies import AnyStudy
from sharpest.figures.style import save
from sharpest.job import job
from sharpest.progress import Progress


def main(
    study: dict[str, Any],
    spectra: list[str],
    directions: list[str],
    windows: list[float],
    foot: str,
    outputs: tuple[str, str, str],
    progress: Progress,
) -> None:
    typed: Any = TypeAdapter(AnyStudy).validate_python(study)
    draw = import_module(f"sharpest.figures.{typed.kind}").draw
    figure, table = draw(
        typed, [Path(path) for path in spectra], [Path(path) for path in directions], foot, [w or None for w in windows]
    )
    save(figure, table, *(Path(path) for path in outputs))
    progress.finish(outputs[1])


if __name__ == "__main__":
    with job(snakemake.log[0]) as terminal:
        main(
            snakemake.params.study,
            list(snakemake.input.spectra),
            list(snakemake.input.directions),
            snakemake.params.windows,
            snakemake.params.foot,
            (snakemake.output.pdf, snakemake.output.png, snakemake.output.csv),
            Progress("figure", snakemake.wildcards.figure, 1, "figures", terminal),
        )
