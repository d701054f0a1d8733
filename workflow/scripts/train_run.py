"""Train one run."""

from pathlib import Path
from typing import Any

import sharpest.pipeline.startup  # noqa: F401  # isort: split
from sharpest.config.run import RunSettings
from sharpest.pipeline.job import job
from sharpest.pipeline.progress import Progress
from sharpest.pipeline.provenance import provenance
from sharpest.results.paths import Paths
from sharpest.training.run import train_run
from sharpest.trajectory.problem import build_problem


def main(
    settings: RunSettings,
    data: str,
    paths: Paths,
    scale: str,
    notes: dict[str, Any],
    code: str,
    progress: Progress,
) -> None:
    problem = build_problem(settings, data)
    solver = None
    if settings.nudge:
        from sharpest.trajectory.eigenpairs import direction_solver

        solver = direction_solver(problem)
    config = settings.model_dump(mode="json")
    attributes = provenance(scale, config, problem.data.name, notes.pop("reductions"), code) | notes
    train_run(problem, solver, paths, attributes, progress.update)
    progress.finish()


if __name__ == "__main__":
    # imported here, so that the whole configuration is not part of a run's fingerprint
    from sharpest.config.project import load_project

    paths = Paths.of(snakemake.config["scale"])
    with job(snakemake.log[0], snakemake.resources, paths.benchmark_of(snakemake.log[0])) as terminal:
        settings = RunSettings.model_validate(snakemake.params.settings)
        # notes for readers of the file; not parameters, since training does not depend on them
        project = load_project(snakemake.config, Path(snakemake.scriptdir).resolve().parents[1] / "config")
        notes = {
            "reductions": project.reductions([settings.run]),
            "hessian": project.hessian(settings.run).model_dump(mode="json"),
        }
        main(
            settings,
            snakemake.input.data,
            paths,
            project.settings.scale,
            notes,
            snakemake.params.code,
            Progress("train", settings.run, settings.num_iterations, "iterations", terminal),
        )
