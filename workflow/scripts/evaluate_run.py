"""Evaluate the end points of a run."""

from typing import Any

import sharpest.pipeline.startup  # noqa: F401  # isort: split
from sharpest.config.measurement import EvaluationSettings
from sharpest.config.run import HessianSettings
from sharpest.measures.evaluations import EVALUATION
from sharpest.measures.evaluations.measure import accuracy_at, evaluate_run, median_seconds
from sharpest.pipeline.job import job
from sharpest.pipeline.progress import Progress
from sharpest.pipeline.provenance import derived_provenance
from sharpest.results.file import open_stored, write_stored
from sharpest.results.snapshots import SNAPSHOTS
from sharpest.trajectory.replay import open_run


def main(
    data: str,
    snapshots: str,
    history: str,
    output: str,
    evaluation: dict[str, Any],
    hessian: dict[str, Any],
    code: str,
    progress: Progress,
) -> None:
    settings = EvaluationSettings.model_validate(evaluation)
    with open_run(snapshots, data) as replay:
        run = replay.attributes
        arrays = evaluate_run(
            replay.problem,
            replay,
            run["best"],
            run["last"],
            settings,
            HessianSettings.model_validate(hessian),
            progress,
        )
    with open_stored(snapshots, SNAPSHOTS) as file:
        epoch_seconds = median_seconds(file["epoch_seconds"])
    facts = {
        "examples": min(settings.examples, len(replay.problem.data.train)),
        "num_probes": settings.num_probes,
        "tolerance": hessian["tolerance"],
        "mode": replay.problem.model.mode,
        "early_epoch": settings.early_epoch,
        "val_accuracy_early": accuracy_at(history, settings.early_epoch),
        "best_epoch": float(arrays["epoch"][0]),
        "diverged_epoch": replay.diverged_epoch,
        "epoch_seconds": epoch_seconds,
    }
    config = {"evaluation": evaluation, "hessian": hessian}
    write_stored(output, EVALUATION, arrays, derived_provenance(run, config, code) | facts)
    progress.finish()


if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.resources) as terminal:
        main(
            snakemake.input.data,
            snakemake.input.snapshots,
            snakemake.input.history,
            snakemake.output[0],
            snakemake.params.evaluation,
            snakemake.params.hessian,
            snakemake.params.code,
            Progress("evaluate", snakemake.wildcards.run, 2, "end points", terminal),
        )
