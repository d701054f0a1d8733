"""Train one run."""

from typing import Any

import sharpest.pipeline.startup  # noqa: F401  # isort: split
from sharpest.config.run import RunSettings
from sharpest.pipeline.job import Progress, job
from sharpest.pipeline.provenance import provenance
from sharpest.results.paths import Paths
from sharpest.training.run import train_run
from sharpest.trajectory.problem import build_problem


def main(
    settings: RunSettings,
    data: str,
    paths: Paths,
    scale: str,
    hessian: dict[str, Any],
    reductions: list[str],
    code: str,
    progress: Progress,
) -> None:
    problem = build_problem(settings, data)
    solver = None
    if settings.nudge:
        from sharpest.trajectory.eigenpairs import direction_solver

        solver = direction_solver(problem)
    config = settings.model_dump(mode="json")
    attributes = provenance(scale, config, problem.data.name, reductions, code) | {"hessian": hessian}
    train_run(problem, solver, paths, attributes, progress.update)
    progress.finish()


if __name__ == "__main__":
    paths = Paths.of(snakemake.config["scale"])
    with job(snakemake.log[0], snakemake.resources, paths.benchmark_of(snakemake.log[0])) as terminal:
        settings = RunSettings.model_validate(snakemake.params.settings)
        main(
            settings,
            snakemake.input.data,
            paths,
            snakemake.config["scale"],
            snakemake.params.hessian,
            snakemake.params.reductions,
            snakemake.params.code,
            Progress("train", settings.run, settings.num_iterations, "iterations", terminal),
        )
