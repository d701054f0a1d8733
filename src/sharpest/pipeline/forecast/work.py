"""The jobs behind the figures and tables of a scale, their sizes, and the calls of the net in each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

import numpy as np

from sharpest.claims.ledger import Claim
from sharpest.claims.plans import plan_claims
from sharpest.claims.quantities import quantity_of
from sharpest.config.measures import Measure, Planned, declared
from sharpest.config.project import Project
from sharpest.config.run import DatasetSettings, HessianSettings, ImageSettings, RunSettings, TokenSettings, targets_of
from sharpest.config.run_id import RunId
from sharpest.config.schedule import Schedule
from sharpest.config.sources import SOURCES, ImageSource, ImportedSource
from sharpest.config.studies.base import Input
from sharpest.errors import ConfigError
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


@dataclass(frozen=True)
class Calls:
    """``count`` calls of the net on ``examples`` examples each: updates, forward passes, or chunks of products."""

    what: What
    count: float
    examples: int


@dataclass(frozen=True)
class Job:
    """One job.

    Attributes:
        rule: Rule of the workflow.
        path: Output, within the folder of the scale.
        run: Run whose net is called; None if no net is called.
        calls: Calls of the net.
        products: Steps of the eigensolver; its own work is added to the chunks of the products.
        eigenpairs: Largest number of eigenpairs computed at once.
        held: Further vectors of p parameters in memory.
        vectors: Vectors of p parameters written to disk.
        temporary: Whether the output is deleted after use.
        data_bytes: Bytes of the data set in memory.
        written: Bytes written besides the vectors.
    """

    rule: str
    path: str
    run: RunSettings | None = None
    calls: tuple[Calls, ...] = ()
    products: float = 0
    eigenpairs: int = 0
    held: float = 0
    vectors: float = 0
    temporary: bool = False
    data_bytes: float = 0
    written: float = 0


@dataclass
class _Work:
    """Collects the calls of a job."""

    calls: list[Calls] = field(default_factory=list)
    products: float = 0

    def solve(self, count: float, num_eigenpairs: int, hessian: HessianSettings) -> None:
        products = count * products_of(num_eigenpairs)
        self.product(products, hessian)
        self.products += products

    def product(self, count: float, hessian: HessianSettings) -> None:
        chunk = min(hessian.chunk_size, hessian.examples)
        self.calls.append(Calls("product", count * -(-hessian.examples // chunk), chunk))

    def add(self, what: What, count: float, examples: int) -> None:
        self.calls.append(Calls(what, count, examples))


def products_of(num_eigenpairs: int) -> float:
    """Expected number of Hessian-vector products of one measurement."""
    return float(np.interp(num_eigenpairs, list(PRODUCTS), list(PRODUCTS.values())))


def expected_end(run: RunSettings) -> int:
    """Expected number of updates at the end of a run, which the plateau rule may end early."""
    epochs = run.epochs
    if run.rule == "plat":
        epochs = min(epochs, next(mean for pattern, mean in PLATEAU_EPOCHS.items() if fnmatchcase(run.run, pattern)))
    return max(epochs * run.steps_per_epoch, run.start)


def jobs_of_study(project: Project, paths: Paths, name: str) -> list[Job]:
    """All jobs that a figure or table needs, including data; jobs shared with other studies compare equal."""
    study = project.study(name)
    jobs = [job for source in study.inputs() for job in _jobs_of_input(project, paths, source)]
    jobs.append(Job("write_table", name, written=1e4) if study.is_table else Job("draw_figure", name, written=3e5))
    return list({job.path: job for job in jobs}.values())


def jobs_of_claims(project: Project, paths: Paths, ledgers: Mapping[str, Sequence[Claim]]) -> list[Job]:
    """The jobs behind the verdicts and the report; they may include jobs of figures and tables."""
    plans = {claim: sources for claims in ledgers.values() for claim, sources in plan_claims(claims, project).items()}
    jobs: list[Job] = []
    for claim in (claim for claims in ledgers.values() for claim in claims):
        for source in plans[claim.id]:
            measured = [Input(measure, source.run, schedule) for measure, schedule in source.schedules.items()]
            if "parent" in quantity_of(claim["quantity"]).needs:
                measured.append(Input("spectra", str(source.parent), source.schedules["spectra"]))
            jobs += [job for each in measured for job in _jobs_of_input(project, paths, each)]
    return [
        *{job.path: job for job in jobs}.values(),
        *(
            Job("judge_claims", _name(paths, verdicts(paths, name, "csv")), written=5e5)
            for name in ledgers
            if ledgers[name]
        ),
        *(
            Job(f"write_{full * 'full_'}report", _name(paths, paths.report(full)), written=2e7)
            for full in (False, True)[: 1 + bool(project.beyond or ledgers.get(BEYOND))]
        ),
    ]


def _jobs_of_input(project: Project, paths: Paths, source: Input) -> Iterator[Job]:
    """The jobs that make a file, in order: its dependencies, then one job, or its shards and their merge."""
    yield from _trained(project, paths, source.run)
    if source.schedule is None:
        return
    for measure in declared(source.kind).needs:
        yield from _jobs_of_input(project, paths, Input(measure, source.run, source.schedule))
    schedule = project.schedule(source.run, source.schedule)
    output = paths.measured(source.kind, source.run, source.schedule)
    if len(schedule.segments) == 1:
        yield _measured(project, schedule, source.kind, schedule.segments[0], _name(paths, output), temporary=False)
        return
    shards = [
        _measured(
            project, schedule, source.kind, segment,
            _name(paths, paths.shard(source.kind, source.run, source.schedule, number)), temporary=True,
        )
        for number, segment in enumerate(schedule.segments)
    ]  # fmt: skip
    yield from shards
    vectors, written = sum(shard.vectors for shard in shards), sum(shard.written for shard in shards)
    yield Job("merge_shards", _name(paths, output), shards[0].run, vectors=vectors, written=written)


def _name(paths: Paths, path: object) -> str:
    return str(path).removeprefix(f"{paths.folder}/")


def _trained(project: Project, paths: Paths, name: str) -> list[Job]:
    run = project.run(name)
    before = _trained(project, paths, run.branch.parent) if run.branch else []
    updates = expected_end(run) - run.start
    epochs = updates / run.steps_per_epoch
    work = _Work()
    work.add("update", updates, run.batch_size)
    work.add("forward", epochs, targets_of(run.dataset, run.dataset.val))
    states, vectors = epochs / run.snapshot_every + 1, 0.0
    per_state = 1 + run.has_velocity + run.is_adaptive
    if nudge := run.nudge:
        refreshes = updates / nudge.refresh_every if nudge.refresh_every else epochs
        work.solve(refreshes, nudge.num_eigenpairs, nudge.hessian)
        if nudge.loss_examples:
            work.add("forward", refreshes, nudge.loss_examples)
        per_state += 1 + (nudge.num_directions if nudge.refresh_every else 0)
        vectors = refreshes * nudge.num_eigenpairs if nudge.keep_vectors else 0
    stored = stored_bytes(run)
    return [
        *before,
        Job("prepare_data", _name(paths, paths.data(run.dataset_name)), written=stored, data_bytes=stored),
        Job(
            "train_run", _name(paths, paths.snapshots(name)), run, tuple(work.calls), work.products,
            nudge.num_eigenpairs if nudge else 0, vectors=states * per_state + vectors, data_bytes=data_bytes(run),
            written=1e5,
        ),
    ]  # fmt: skip


def _measured(
    project: Project, schedule: Schedule, measure: str, segment: Sequence[int | str], path: str, temporary: bool
) -> Job:
    """One job of a measure, from the cost that the measure declares for each point."""
    declaration, settings = declared(measure), schedule.measures[measure]
    run, hessian = project.run(schedule.run), project.hessian(schedule.run)
    end, work = expected_end(run), _Work()
    points = [end if isinstance(point, str) else point for point in segment]
    points = [point for point in points if point <= end]
    planned = [Planned(run, hessian, point, index) for index, point in enumerate(points)]
    costs = [declaration.cost(settings, point) for point in planned]
    busy = [
        point
        for point, cost in zip(points, costs, strict=True)
        if cost.gradients or cost.eigenpairs or cost.products or cost.forwards
    ]
    _replay(work, run, busy, end)
    for cost in costs:
        examples = min(cost.examples or hessian.examples, run.dataset.num_train)
        measured = hessian.model_copy(update={"examples": examples})
        if cost.eigenpairs:
            work.solve(1, cost.eigenpairs, measured)
        if cost.products:
            work.product(cost.products, measured)
        if cost.gradients:
            work.add("update", cost.gradients, run.batch_size)
        if cost.forwards:
            work.add("forward", 1, round(cost.forwards))
    return Job(
        f"measure{'_shard' * temporary}", path, run, tuple(work.calls), work.products,
        max((cost.eigenpairs for cost in costs), default=0), max((cost.held for cost in costs), default=0),
        sum(cost.vectors for cost in costs), temporary, data_bytes(run), 
        3e4 + len(points) * point_bytes(declaration, settings, run.dataset),
    )  # fmt: skip


def _replay(work: _Work, run: RunSettings, points: Sequence[int], end: int) -> None:
    """Add the replays: from one snapshot to the next, for each interval with a point inside."""
    interval = run.snapshot_every * run.steps_per_epoch
    replayed = {point // interval for point in points if point % interval and point != end}
    updates = sum(min(interval, end - number * interval) for number in replayed)
    work.add("update", updates, run.batch_size)
    epochs = updates / run.steps_per_epoch
    if run.rule == "plat":
        work.add("forward", epochs, targets_of(run.dataset, run.dataset.val))
    if run.nudge and not run.nudge.keep_vectors:
        refreshes = updates / run.nudge.refresh_every if run.nudge.refresh_every else epochs
        work.solve(refreshes, run.nudge.num_eigenpairs, run.nudge.hessian)
