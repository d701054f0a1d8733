"""The forecast, compared with the plan of the workflow and with the measured cost."""

import csv
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from builders import spent
from forked import run_command

from sharpest.claims.ledger import read_ledgers
from sharpest.claims.plans import with_new_seeds
from sharpest.config.project import load_project
from sharpest.pipeline.forecast import CallTime, Job, Jobs, Speed, Speeds, need_of, net_of, sum_of
from sharpest.results.paths import Paths

from .conftest import ROOT, Project

LONGEST = 24  # GPU hours of one measuring job at the paper's scale


def jobs_of(folder: Path, scale: str) -> dict[str, Job]:
    project = load_project({"scale": scale}, folder / "config")
    ledgers = read_ledgers(folder / "config").items()
    claims = {ledger: with_new_seeds(claims, project) for ledger, claims in ledgers}
    jobs = Jobs(project, Paths.of(scale))
    listed = [*map(jobs.of_study, project.studies), jobs.of_claims(claims)]
    return {path: job for each in listed for path, job in each.items()}


@pytest.mark.parametrize("scale", ["quick", pytest.param("paper", marks=pytest.mark.slow)])
def test_its_jobs_are_those_that_snakemake_plans(checkout: Project, scale: str) -> None:
    """Rule by rule; jobs that several figures need are counted once. Every figure and table is made at every scale."""
    counted = Counter(job.rule for job in jobs_of(checkout.folder, scale).values())
    assert counted == checkout.planned("all", "--config", f"scale={scale}")
    project = load_project({"scale": scale}, checkout.folder / "config")
    assert counted["draw_figure"] == len(project.figures) + len(project.beyond) == 22 + 12
    assert counted["write_table"] == len(project.tables) == 7


def forecast(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_command("sharpest", ["forecast", *arguments], folder)


@pytest.mark.slow
def test_forecast_of_a_finished_scale(tiny: Project, tmp_path: Path) -> None:
    """Within a factor of 3 of the benchmark files: the cost of short jobs is sampled, on a possibly busy machine."""
    result = forecast(tiny.folder, "--scale", "tiny", "--csv", str(tmp_path / "tiny.csv"))
    assert result.returncode == 0, result.stderr
    with open(tmp_path / "tiny.csv", newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert set(rows) == {"fig01", "fig04", "fig06", "fig07", "fig12", "tab1", "all"}
    results = tiny.folder / "results/tiny"
    hours, memory = spent(results)
    assert hours / 3 < float(rows["all"]["cpu_hours"]) < 3 * hours
    assert memory / 2 < float(rows["all"]["memory_bytes"]) < 2 * memory
    disk = sum(path.stat().st_size for path in results.rglob("*") if path.suffix in (".h5", ".pdf", ".png"))
    assert float(rows["all"]["disk_bytes"]) < 30e6 + 3 * disk  # it includes a report of up to 20 MB
    # the sum counts jobs shared by figures once
    assert int(rows["all"]["jobs"]) == len(jobs_of(tiny.folder, "tiny"))
    assert sum(int(row["jobs"]) for row in rows.values()) > 2 * int(rows["all"]["jobs"])


def test_longest_measurement_at_the_papers_scale() -> None:
    """With the speeds assumed in docs/forecast.md for the largest nets, in GPU seconds per call on n examples."""
    gpu = {  # update, forward, product: counted operations, and floating-point operations per example
        "scnn": ((132, 117e6), (34, 40e6), (288, 350e6)),
        "scnnM": ((132, 2.4e9), (34, 0.8e9), (288, 7.2e9)),
        "r32": ((429, 414e6), (158, 138e6), (1321, 1.24e9)),
        "r32bn": ((708, 414e6), (345, 138e6), (3151, 1.24e9)),
        "vgg": ((307, 920e6), (125, 307e6), (1132, 2.76e9)),
        "vggp": ((196, 916e6), (58, 307e6), (515, 2.75e9)),
        "lstm": ((1916, 316e6), (562, 106e6), (6017, 947e6)),
        "imdb": ((82, 90e6), (23, 30e6), (202, 270e6)),
        "imdb2": ((82, 181e6), (23, 60e6), (202, 542e6)),
        "fcn": ((30, 11e6), (8, 4e6), (60, 22e6)),
        "fcn200": ((30, 11e6), (8, 4e6), (60, 22e6)),
        "tanh": ((30, 11e6), (8, 4e6), (60, 22e6)),
    }
    for width in (256, 512, 1024, 2048):  # eight layers, six operations per weight in an update
        weights = 3072 * width + 6 * width**2
        gpu |= dict.fromkeys(
            (f"deep{width}", f"zero{width}"), ((80, 6 * weights), (22, 2 * weights), (160, 12 * weights))
        )
    names = ("update", "forward", "product")

    def speed(net: str) -> Speed:
        costs = {
            name: CallTime(0, 0, operations * 1e-5, flops / 3e12)
            for name, (operations, flops) in zip(names, gpu[net.split("-")[0]], strict=True)
        }
        return Speed(costs, 0, 1, 0)

    jobs = jobs_of(ROOT, "paper")
    speeds = Speeds({net_of(job.run): speed(net_of(job.run)) for job in jobs.values() if job.run}, 3, 1, 0, 0, "")
    hours = {path: need_of(job, speeds).gpu_hours for path, job in jobs.items() if job.rule != "train_run"}
    longest = max(hours, key=lambda path: hours[path])
    assert hours[longest] <= LONGEST, longest
    # an unsplit schedule would be too long
    whole = sum_of(need_of(job, speeds) for path, job in jobs.items() if Path(path).parent == Path(longest).parent)
    assert whole.gpu_hours > LONGEST
