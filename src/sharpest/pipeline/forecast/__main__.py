"""Print what a scale will take: ``python -m sharpest.pipeline.forecast --scale quick [--csv FILE]``."""

import argparse
import csv
import sys
from pathlib import Path

from sharpest.config.project import Project, load_project
from sharpest.config.reading import read_yaml
from sharpest.errors import SharpestError
from sharpest.pipeline.forecast.table import Need, Speeds, cells, need_of, plain_table, sum_of
from sharpest.pipeline.forecast.work import check_sizes, jobs_of_claims, jobs_of_study, net_of


def forecast(project: Project, speeds: Speeds) -> tuple[dict[str, Need], dict[str, Need]]:
    """What figures and tables will take, and all jobs.

    Returns:
        By figure or table, shared jobs counted in each; by path of each job, those of verdicts and report included.
    """
    by_study = {name: jobs_of_study(project, name) for name in project.studies}
    jobs = {job.path: job for jobs in (*by_study.values(), jobs_of_claims(project)) for job in jobs}
    needs = {path: need_of(job, speeds) for path, job in jobs.items()}
    return {name: sum_of(needs[job.path] for job in jobs) for name, jobs in by_study.items()}, needs


def measure_speeds(project: Project) -> Speeds:
    """Time this machine on the nets of a scale."""
    from sharpest.pipeline.forecast import speeds

    nets = {net_of(project.run(run)): run for run in project.run_ids}
    measured = {}
    for net, run in nets.items():
        print(f"timing {net}", file=sys.stderr, flush=True)
        measured[net] = speeds.measure_speed(project.run(run), project.hessian(run))
    return speeds.all_speeds(measured)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m sharpest.pipeline.forecast", description=__doc__)
    parser.add_argument("--scale", help="a file in config/scales; else that of config/config.yaml")
    parser.add_argument("--csv", type=Path, help="write the rows to this file as well")
    options = parser.parse_args()
    folder = Path("config")
    try:
        config = read_yaml(folder / "config.yaml")
        project = load_project({**config, **({"scale": options.scale} if options.scale else {})}, folder)
        check_sizes(project)
    except SharpestError as error:
        sys.exit(f"error: {error}")
    speeds = measure_speeds(project)
    by_study, needs = forecast(project, speeds)
    total = sum_of(needs.values())
    rows = [cells(name, need) for name, need in by_study.items()]
    print(f"scale {project.settings.scale}: {project.scale.description}\n")
    print(plain_table([*rows, cells("all", total)]))
    trained = max((path for path in needs if path.startswith("runs/")), key=lambda path: needs[path].gpu_hours)
    others = max((path for path in needs if not path.startswith("runs/")), key=lambda path: needs[path].gpu_hours)
    print("\nJobs that figures share are counted in each, and once in all.")
    for path in (trained, others):
        print(f"longest: {path}, {needs[path].cpu_hours:.3g} CPU h or {needs[path].gpu_hours:.3g} GPU h")
    print(f"CPU hours are of one core of this machine, measured; GPU: {speeds.gpu}.")
    print("Assumed: products of a measurement and lengths of plateau runs, as in sharpest.pipeline.forecast.work.")
    if options.csv:
        with open(options.csv, "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["name", "jobs", "cpu_hours", "gpu_hours", "memory_bytes", "disk_bytes"])
            for name, need in {**by_study, "all": total}.items():
                writer.writerow([name, need.jobs, need.cpu_hours, need.gpu_hours, need.memory, need.disk])


if __name__ == "__main__":
    main()
