"""Print the forecast of a scale."""

import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from sharpest.claims.ledger import Claim
from sharpest.config.project import Project
from sharpest.pipeline.forecast.table import Need, Speeds, cells, need_of, plain_table, sum_of
from sharpest.pipeline.forecast.work import check_sizes, jobs_of_claims, jobs_of_study, net_of
from sharpest.results.paths import Paths


def forecast(
    project: Project, ledgers: Mapping[str, Sequence[Claim]], speeds: Speeds
) -> tuple[dict[str, Need], dict[str, Need], set[str]]:
    """Forecast the needs of figures, tables and jobs.

    Args:
        project: The project.
        ledgers: Ledger -> its claims.
        speeds: Speeds of this machine.

    Returns:
        Figure or table -> need, with shared jobs counted in each; path of a job -> need, for all jobs including
        verdicts and report; and the paths of training jobs.
    """
    paths = Paths.of(project.settings.scale)
    by_study = {name: jobs_of_study(project, paths, name) for name in project.studies}
    jobs = {job.path: job for jobs in (*by_study.values(), jobs_of_claims(project, paths, ledgers)) for job in jobs}
    needs = {path: need_of(job, speeds) for path, job in jobs.items()}
    training = {path for path, job in jobs.items() if job.rule == "train_run"}
    return {name: sum_of(needs[job.path] for job in jobs) for name, jobs in by_study.items()}, needs, training


def measure_speeds(project: Project) -> Speeds:
    """Time the nets of a scale on this machine."""
    from sharpest.pipeline.forecast import speeds

    nets = {net_of(project.run(run)): run for run in project.run_ids}
    measured = {}
    for net, run in nets.items():
        print(f"timing {net}", file=sys.stderr, flush=True)
        measured[net] = speeds.measure_speed(project.run(run), project.hessian(run))
    return speeds.all_speeds(measured)


def print_forecast(project: Project, ledgers: Mapping[str, Sequence[Claim]], table: Path | None) -> None:
    """Time the nets of a scale, and print a row for each figure and table.

    Args:
        project: The project.
        ledgers: Ledger -> its claims.
        table: csv file to write the rows to; None = do not write.

    Raises:
        ConfigError: If the size of a data set is unknown until its files are read.
    """
    check_sizes(project)
    speeds = measure_speeds(project)
    by_study, needs, training = forecast(project, ledgers, speeds)
    total = sum_of(needs.values())
    rows = [cells(name, need) for name, need in by_study.items()]
    print(f"scale {project.settings.scale}: {project.scale.description}\n")
    print(plain_table([*rows, cells("all", total)]))
    print("\nJobs shared by several figures count in each of them, and once in the total.")
    for trains in (True, False):
        path = max((path for path in needs if (path in training) == trains), key=lambda path: needs[path].gpu_hours)
        print(f"longest: {path}, {needs[path].cpu_hours:.3g} CPU h or {needs[path].gpu_hours:.3g} GPU h")
    print(f"CPU hours are measured, for one core of this machine. GPU: {speeds.gpu}.")
    print("Assumed: products per measurement and lengths of plateau runs; see sharpest.pipeline.forecast.work.")
    if table:
        with open(table, "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["name", "jobs", "cpu_hours", "gpu_hours", "memory_bytes", "disk_bytes"])
            for name, need in {**by_study, "all": total}.items():
                writer.writerow([name, need.jobs, need.cpu_hours, need.gpu_hours, need.memory, need.disk])
