"""Judge the claims of a ledger."""

from pathlib import Path
from typing import Any

import sharpest.pipeline.startup  # noqa: F401  # isort: split
from sharpest.claims.judgement import judge
from sharpest.claims.ledger import parse_claim
from sharpest.claims.quantity import RunSource
from sharpest.claims.report import markdown
from sharpest.pipeline.job import Progress, job
from sharpest.results.paths import Paths
from sharpest.results.record import write_record
from sharpest.results.whole import written_whole


def main(
    ledger: list[dict[str, str]],
    plans: dict[str, list[dict[str, Any]]],
    paper_scale: bool,
    foot: str,
    csv: str,
    chance: str,
    by_seed: str,
    md: str,
    progress: Progress,
) -> None:
    claims = list(map(parse_claim, ledger))
    sources = {claim: tuple(map(RunSource.model_validate, runs)) for claim, runs in plans.items()}
    judged = judge(claims, sources, Path(csv).parent, paper_scale)
    with written_whole(md) as path:
        path.write_text(markdown(judged.claims, judged.chance, foot))
    for name, table in ((chance, judged.chance), (by_seed, judged.by_seed), (csv, judged.claims)):
        with written_whole(name) as path:
            table.to_csv(path, index=False)
    write_record(Paths(Path(csv).parent), (csv, chance, by_seed, md), judged.made_from)
    counts = judged.claims["verdict"].value_counts()
    progress.finish(", ".join(f"{count} {verdict.replace('_', ' ')}" for verdict, count in counts.items()))


if __name__ == "__main__":
    with job(snakemake.log[0]) as terminal:
        main(
            snakemake.params.ledger,
            snakemake.params.plans,
            snakemake.params.paper_scale,
            snakemake.params.foot,
            snakemake.output.csv,
            snakemake.output.chance,
            snakemake.output.by_seed,
            snakemake.output.md,
            Progress("claims", snakemake.wildcards.ledger, 1, "ledger", terminal),
        )
