"""Write one table."""

from importlib import import_module
from pathlib import Path
from typing import Any

import sharpest.pipeline.startup  # noqa: F401  # isort: split
from sharpest.config.studies import KINDS
from sharpest.pipeline.job import Progress, job
from sharpest.results.record import write_record
from sharpest.results.runs import Results
from sharpest.results.whole import written_whole


def main(
    study: dict[str, Any], results: Results, differences: str, csv: str, md: str, tex: str, progress: Progress
) -> None:
    typed = KINDS[study["kind"]].model_validate(study)
    kind = import_module(f"sharpest.{typed.made_by}")
    table = kind.build(typed, results)
    with written_whole(md) as path:
        path.write_text(kind.markdown(typed, table, differences))
    with written_whole(tex) as path:
        path.write_text(kind.latex(typed, table, differences))
    with written_whole(csv) as path:
        table.to_csv(path, index=False)
    write_record(results.paths, (csv, md, tex), results.made_from)
    progress.finish(md)


if __name__ == "__main__":
    with job(snakemake.log[0]) as terminal:
        main(
            snakemake.params.study,
            Results(Path(snakemake.output.csv).parents[1]),
            snakemake.params.differences,
            snakemake.output.csv,
            snakemake.output.md,
            snakemake.output.tex,
            Progress("table", snakemake.wildcards.table, 1, "tables", terminal),
        )
