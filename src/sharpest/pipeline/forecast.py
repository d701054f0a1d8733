"""Forecast the cost of a scale before it runs: hours, memory and disk space, by figure and table and in total.

The jobs are those of the workflow; the calls of the net in each are counted here, and timed in
``sharpest.pipeline.speeds``.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sharpest import grids
from sharpest.claims.ledger import Claim
from sharpest.claims.plans import plan_claims
from sharpest.config.measures import Measure, Planned, declared
from sharpest.config.project import Project
from sharpest.config.run import DatasetSettings, HessianSettings, ImageSettings, RunSettings, TokenSettings, targets_of
from sharpest.config.run_id import RunId
from sharpest.config.sources import SOURCES, ImageSource, ImportedSource
from sharpest.config.studies import RUN_FILES, Input
from sharpest.curvature.sizes import basis_size
from sharpest.errors import ConfigError
from sharpest.pipeline.needs import DATA, Needs, inputs_of_claims
from sharpest.results.paths import BEYOND, Paths, verdicts


def check_sizes(project: Project) -> None:
    """Check that the sizes of all data sets of a scale are known without reading their files.

    Raises:
        ConfigError: If one is not; the message names the data set.
    """
    for name, dataset in project.scale.datasets.items():
        source = SOURCES[dataset.source]
        if isinstance(source, ImportedSource) or (isinstance(source, ImageSource) and source.shape is None):
            raise ConfigError(
                f"datasets.{name}: the size of {dataset.source} is unknown until its files are read, so this scale has "
                f"no forecast; make one figure, and see the times in {Paths.of('<scale>').benchmark('').parent}"
            )


def image_shape(run: RunSettings) -> tuple[int, int, int]:
    """Shape (channels, height, width) of the images in the source of a run."""
    source = SOURCES[run.dataset.source]
    assert isinstance(source, ImageSource)
    assert source.shape is not None  # see check_sizes
    return source.shape


def stored_bytes(run: RunSettings) -> float:
    """Bytes of the decoded data set of a run on disk."""
    source: Any = SOURCES[run.dataset.source]
    if isinstance(source, ImageSource):
        return float(math.prod(image_shape(run)) * (source.num_train + source.num_test))  # type: ignore[operator]
    if isinstance(run.dataset, TokenSettings):
        return 4.0 * (run.dataset.train + run.dataset.val + run.dataset.test)
    return 4.0 * (source.num_train + source.num_test) * getattr(run.dataset, "length", 0)


def data_bytes(run: RunSettings) -> float:
    """Bytes of the data set of a run in memory.

    Images: the integers of the file, float32 pixels, and float64 pixels while their spread is computed. Text: int64
    words.
    """
    if isinstance(run.dataset, ImageSettings):
        channels, height, _ = image_shape(run)
        pixels = channels * (run.model["image_size"] or height) ** 2
        return stored_bytes(run) + pixels * (16.0 * run.dataset.train + 8.0 * (run.dataset.val + run.dataset.test))
    return 4 * stored_bytes(run)


def point_bytes(measure: Measure, settings: Any, dataset: DatasetSettings) -> float:
    """Bytes of one point in the file of a measure, without vectors of p parameters."""
    datasets = {dataset.name: dataset for dataset in measure.layout.datasets}
    sizes = {datasets[name].dims[0]: len(values) for name, values in measure.constants(settings).items()}
    sizes |= {"x": dataset.test, **measure.sizes(settings, 10**9)}
    return sum(
        np.dtype(array.dtype).itemsize * math.prod(sizes[letter] for letter in array.dims[1:])
        for array in datasets.values()
        if array.dims[0] == "t" and "p" not in array.dims
    )


def net_of(run: RunSettings) -> str:
    """Architecture and data set of a run: runs of the same net have the same cost per call, apart from momentum."""
    return f"{RunId.parse(run.run).model}-{run.dataset_name}"


# number of eigenpairs -> Hessian-vector products of one measurement: means of hvps at the quick scale, with a tolerance
# of 1e-3 as at all scales; the entry for 50 is from inventory 4.3
PRODUCTS = {1: 7, 2: 10, 5: 16, 10: 27, 20: 52, 30: 65, 50: 128}
# runs -> mean number of epochs after which the plateau rule ends them; inventory 4.3
PLATEAU_EPOCHS = {
    "imdb*": 100,
    "*-m0.9-*": 450,
    "r32-c10-*-lr0.1-*": 450,
    "r32-c10-*": 700,
    "r32-c100-*": 500,
    "scnnM-fm-*": 400,
    "*": 450,
}

What = Literal["update", "forward", "product"]


@dataclass
class Job:
    """One job.

    Attributes:
        rule: Rule of the workflow.
        path: Output, within the folder of the scale.
        run: Run whose net is called; None if no net is called.
        data_bytes: Bytes of the data set in memory.
        calls: What is called, how often, and on how many examples: updates, forward passes, chunks of products.
        products: Steps of the eigensolver; its own work is added to the chunks of the products.
        eigenpairs: Largest number of eigenpairs computed at once.
        held: Further vectors of p parameters in memory.
        vectors: Vectors of p parameters written to disk.
        temporary: Whether the output is deleted after use.
        written: Bytes written besides the vectors.
    """

    rule: str
    path: str
    run: RunSettings | None = None
    data_bytes: float = 0
    calls: list[tuple[What, float, int]] = field(default_factory=list)
    products: float = 0
    eigenpairs: int = 0
    held: float = 0
    vectors: float = 0
    temporary: bool = False
    written: float = 0

    def solve(self, count: float, num_eigenpairs: int, hessian: HessianSettings) -> None:
        """Add computations of eigenpairs."""
        products = count * products_of(num_eigenpairs)
        self.product(products, hessian)
        self.products += products
        self.eigenpairs = max(self.eigenpairs, num_eigenpairs)

    def product(self, count: float, hessian: HessianSettings) -> None:
        """Add Hessian-vector products."""
        chunk = min(hessian.chunk_size, hessian.examples)
        self.calls.append(("product", count * -(-hessian.examples // chunk), chunk))

    def add(self, what: What, count: float, examples: int) -> None:
        """Add other calls."""
        self.calls.append((what, count, examples))


def products_of(num_eigenpairs: int) -> float:
    """Expected number of Hessian-vector products of one measurement."""
    return float(np.interp(num_eigenpairs, list(PRODUCTS), list(PRODUCTS.values())))


def expected_end(run: RunSettings) -> int:
    """Expected number of updates at the end of a run, which the plateau rule may end early."""
    epochs = run.epochs
    if run.rule == "plat":
        epochs = min(epochs, next(mean for pattern, mean in PLATEAU_EPOCHS.items() if fnmatchcase(run.run, pattern)))
    return max(epochs * run.steps_per_epoch, run.start)


@dataclass(frozen=True)
class Jobs:
    """The jobs of a scale, with their sizes.

    Attributes:
        project: The project.
        paths: Paths of the scale.
    """

    project: Project
    paths: Paths

    def of_study(self, name: str) -> dict[str, Job]:
        """Path -> job, for all jobs that a figure or table needs, including data."""
        study = self.project.study(name)
        jobs = {job.path: job for source in study.inputs() for job in self._behind(source)}
        rule, written = ("write_table", 1e4) if study.is_table else ("draw_figure", 3e5)
        return {**jobs, name: Job(rule, name, written=written)}

    def of_claims(self, ledgers: Mapping[str, Sequence[Claim]]) -> dict[str, Job]:
        """The same for the verdicts and the report; they may include jobs of figures and tables."""
        jobs: list[Job] = []
        for ledger, claims in ledgers.items():
            for source in inputs_of_claims(claims, plan_claims(claims, self.project)):
                jobs += self._behind(source)
            if claims:
                jobs.append(Job("judge_claims", self._name(verdicts(self.paths, ledger, "csv")), written=5e5))
        for full in (False, True)[: 1 + bool(self.project.beyond or ledgers.get(BEYOND))]:
            jobs.append(Job(f"write_{full * 'full_'}report", self._name(self.paths.report(full)), written=2e7))
        return {job.path: job for job in jobs}

    def _behind(self, source: Input) -> Iterator[Job]:
        """The jobs that make a file, in order: its dependencies, then one job, or its shards and their merge."""
        needs = Needs(self.project, self.paths)
        for each in needs.before(source):
            yield from self._behind(each)
        run, path = self.project.run(source.run), self._name(needs.path(source))
        if source.kind == DATA:
            stored = stored_bytes(run)
            yield Job("prepare_data", path, data_bytes=stored, written=stored)
        elif source.kind in RUN_FILES:
            yield _trained(self._name(self.paths.snapshots(source.run)), run)
        else:
            yield from self._measured(source, path)

    def _name(self, path: Path) -> str:
        return self.paths.place(path)

    def _measured(self, source: Input, path: str) -> Iterator[Job]:
        run, schedule = self.project.run(source.run), self.project.schedule(source.run, str(source.schedule))
        hessian, settings = self.project.hessian(source.run), schedule.measures[source.kind]
        if len(schedule.segments) == 1:
            yield measured(path, run, hessian, source.kind, settings, schedule.segments[0])
            return
        shards = []
        for number, segment in enumerate(schedule.segments):
            shard = self._name(self.paths.shard(source.kind, source.run, schedule.name, number))
            shards.append(measured(shard, run, hessian, source.kind, settings, segment, temporary=True))
        yield from shards
        vectors, written = sum(shard.vectors for shard in shards), sum(shard.written for shard in shards)
        yield Job("merge_shards", path, run, vectors=vectors, written=written)


def _trained(path: str, run: RunSettings) -> Job:
    """The job that trains a run."""
    updates = expected_end(run) - run.start
    epochs = updates / run.steps_per_epoch
    job = Job("train_run", path, run, data_bytes(run), written=1e5)
    job.add("update", updates, run.batch_size)
    job.add("forward", epochs, targets_of(run.dataset, run.dataset.val))
    per_state = 1 + run.has_velocity + run.is_adaptive
    if nudge := run.nudge:
        refreshes = updates / nudge.refresh_every if nudge.refresh_every else epochs
        job.solve(refreshes, nudge.num_eigenpairs, nudge.hessian)
        if nudge.loss_examples:
            job.add("forward", refreshes, nudge.loss_examples)
        per_state += 1 + (nudge.num_directions if nudge.refresh_every else 0)
        job.vectors = refreshes * nudge.num_eigenpairs if nudge.keep_vectors else 0
    job.vectors += (epochs / run.snapshot_every + 1) * per_state
    return job


def measured(
    path: str,
    run: RunSettings,
    hessian: HessianSettings,
    measure: str,
    settings: Any,
    segment: Sequence[int | str],
    temporary: bool = False,
) -> Job:
    """One job of a measure, from the cost that the measure declares for each point.

    Args:
        path: Its output.
        run: The run.
        hessian: The Hessian that is measured on the run.
        measure: Name of the measure.
        settings: Its settings.
        segment: The points of the job.
        temporary: Whether the job measures a shard.
    """
    declaration, end = declared(measure), expected_end(run)
    points = [point for each in segment if (point := end if isinstance(each, str) else each) <= end]
    costs = [declaration.cost(settings, Planned(run, hessian, point, index)) for index, point in enumerate(points)]
    job = Job(f"measure{'_shard' * temporary}", path, run, data_bytes(run), temporary=temporary)
    needs_state = [bool(cost.gradients or cost.eigenpairs or cost.products or cost.forwards) for cost in costs]
    _replay(job, run, [point for point, needs in zip(points, needs_state, strict=True) if needs], end)
    for cost in costs:
        used = hessian.model_copy(update={"examples": min(cost.examples or hessian.examples, run.dataset.num_train)})
        if cost.eigenpairs:
            job.solve(1, cost.eigenpairs, used)
        if cost.products:
            job.product(cost.products, used)
        if cost.gradients:
            job.add("update", cost.gradients, run.batch_size)
        if cost.forwards:
            job.add("forward", 1, round(cost.forwards))
        job.held, job.vectors = max(job.held, cost.held), job.vectors + cost.vectors
    job.written = 3e4 + len(points) * point_bytes(declaration, settings, run.dataset)
    return job


def _replay(job: Job, run: RunSettings, points: Sequence[int], end: int) -> None:
    """Add the replays: from one snapshot to the next, for each interval with a point inside."""
    interval = run.snapshot_every * run.steps_per_epoch
    replayed = {point // interval for point in points if point % interval and point != end}
    updates = sum(min(interval, end - number * interval) for number in replayed)
    job.add("update", updates, run.batch_size)
    epochs = updates / run.steps_per_epoch
    if run.rule == "plat":
        job.add("forward", epochs, targets_of(run.dataset, run.dataset.val))
    if run.nudge and not run.nudge.keep_vectors:
        refreshes = updates / run.nudge.refresh_every if run.nudge.refresh_every else epochs
        job.solve(refreshes, run.nudge.num_eigenpairs, run.nudge.hessian)


PRODUCT_GRAPHS = 3  # graphs in memory during a product: of the loss, of its gradient, of the product


@dataclass(frozen=True)
class CallTime:
    """Seconds of a call on n examples, ``fixed + each * n``, on one CPU thread and on a GPU."""

    fixed: float
    each: float
    gpu_fixed: float
    gpu_each: float


@dataclass(frozen=True)
class Speed:
    """The speed of a net.

    Attributes:
        costs: Kind of call (update, forward, product) -> its time.
        solver: Seconds of the eigensolver's own work per product.
        num_parameters: Number of parameters p.
        bytes_each: Bytes per example that the graph of a gradient keeps.
    """

    costs: Mapping[str, CallTime]
    solver: float
    num_parameters: int
    bytes_each: float


@dataclass(frozen=True)
class Speeds:
    """Speeds of all nets, and CPU seconds and memory of an empty job with and without torch."""

    nets: Mapping[str, Speed]
    torch_job: float
    plain_job: float
    torch_bytes: float
    plain_bytes: float
    gpu: str


@dataclass(frozen=True)
class Need:
    """Forecast need of one or several jobs.

    Attributes:
        jobs: Number of jobs.
        cpu_hours: Hours on one core, if no GPU is used.
        gpu_hours: Hours of the jobs that use a GPU, if one is used.
        memory: Largest memory of a single job, bytes.
        disk: Size of the files that are kept, bytes.
    """

    jobs: int
    cpu_hours: float
    gpu_hours: float
    memory: float
    disk: float


def need_of(job: Job, speeds: Speeds) -> Need:
    """Forecast the need of one job."""
    if job.run is None or not job.calls:
        net = speeds.nets[net_of(job.run)] if job.run else None
        written = job.written + (4.0 * job.vectors * net.num_parameters if net else 0)
        return Need(1, speeds.plain_job / 3600, 0, speeds.plain_bytes + 2 * job.data_bytes, written)
    net = speeds.nets[net_of(job.run)]
    cpu, gpu, memory = speeds.torch_job + job.products * net.solver, speeds.torch_job, 0.0
    for what, count, examples in job.calls:
        cost, graphs = net.costs[what], {"update": 1, "product": PRODUCT_GRAPHS, "forward": 0}[what]
        cpu += count * (cost.fixed + cost.each * examples)
        gpu += count * max(cost.gpu_fixed, cost.gpu_each * examples)
        memory = max(memory, graphs * net.bytes_each * examples)
    solver = basis_size(job.eigenpairs) + 2 * job.eigenpairs if job.eigenpairs else 0
    vector = 4.0 * net.num_parameters
    memory += speeds.torch_bytes + job.data_bytes + (solver + job.held + 4) * vector
    disk = 0 if job.temporary else job.vectors * vector + job.written
    return Need(1, cpu / 3600, gpu / 3600, memory, disk)


def sum_of(needs: Iterable[Need]) -> Need:
    """The need of several jobs together."""
    listed = list(needs)
    return Need(
        sum(need.jobs for need in listed),
        sum(need.cpu_hours for need in listed),
        sum(need.gpu_hours for need in listed),
        max((need.memory for need in listed), default=0),
        sum(need.disk for need in listed),
    )


_COLUMNS = ("", "jobs", "CPU h", "GPU h", "memory GB", "disk GB")


def plain_table(needs: Mapping[str, Need]) -> str:
    """A table with a row per need and aligned columns, numbers to the right."""
    rows = [_cells(name, need) for name, need in needs.items()]
    return grids.aligned(_COLUMNS, rows, numbers=range(1, len(_COLUMNS)))


def _cells(name: str, need: Need) -> tuple[str, ...]:
    hours = (f"{value:.3g}" if value < 100 else f"{value:.0f}" for value in (need.cpu_hours, need.gpu_hours))
    return (name, str(need.jobs), *hours, f"{need.memory / 1e9:.1f}", f"{need.disk / 1e9:.2f}")


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
    all_jobs = Jobs(project, Paths.of(project.settings.scale))
    by_study = {name: all_jobs.of_study(name) for name in project.studies}
    jobs = {path: job for each in (*by_study.values(), all_jobs.of_claims(ledgers)) for path, job in each.items()}
    needs = {path: need_of(job, speeds) for path, job in jobs.items()}
    training = {path for path, job in jobs.items() if job.rule == "train_run"}
    return {name: sum_of(needs[path] for path in jobs) for name, jobs in by_study.items()}, needs, training


def print_forecast(
    project: Project, ledgers: Mapping[str, Sequence[Claim]], speeds: Speeds, table: Path | None
) -> None:
    """Print a row for each figure and table.

    Args:
        project: The project.
        ledgers: Ledger -> its claims.
        speeds: Speeds of this machine.
        table: csv file to write the rows to; None = do not write.
    """
    by_study, needs, training = forecast(project, ledgers, speeds)
    rows = {**by_study, "all": sum_of(needs.values())}
    print(f"scale {project.settings.scale}: {project.scale.description}\n")
    print(plain_table(rows))
    print("\nJobs shared by several figures count in each of them, and once in the total.")
    for trains in (True, False):
        path = max((path for path in needs if (path in training) == trains), key=lambda path: needs[path].gpu_hours)
        print(f"longest: {path}, {needs[path].cpu_hours:.3g} CPU h or {needs[path].gpu_hours:.3g} GPU h")
    print(f"CPU hours are measured, for one core of this machine. GPU: {speeds.gpu}.")
    print("Assumed: products per measurement and lengths of plateau runs; see sharpest.pipeline.forecast.")
    if table:
        with open(table, "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["name", "jobs", "cpu_hours", "gpu_hours", "memory_bytes", "disk_bytes"])
            for name, need in rows.items():
                writer.writerow([name, need.jobs, need.cpu_hours, need.gpu_hours, need.memory, need.disk])
