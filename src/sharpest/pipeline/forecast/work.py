"""The jobs behind the figures and tables of a scale, and the calls of the net that each will make."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

import numpy as np

from sharpest.claims.ledger import read_ledger
from sharpest.claims.plans import files_behind, plan_claims
from sharpest.config.datasets import ImageSettings, TokenSettings
from sharpest.config.project import Project
from sharpest.config.run import HessianSettings, RunSettings
from sharpest.config.run_id import RunId
from sharpest.data.sources.facts import ImageSource
from sharpest.data.sources.registry import SOURCES
from sharpest.errors import ConfigError

# Hessian-vector products of one measurement, by number of eigenpairs: means of the quick scale, where all residuals are
# 1e-3 as elsewhere (the attribute hvps); 50 from inventory 4.3
PRODUCTS = {1: 7, 2: 10, 5: 16, 10: 27, 20: 52, 30: 65, 50: 128}
# epochs after which the plateau rule ends a run, on average; inventory 4.3
PLATEAU_EPOCHS = {
    "imdb*": 100,
    "*-m0.9-*": 450,
    "r32-c10-*-lr0.1-*": 450,
    "r32-c10-*": 700,
    "r32-c100-*": 500,
    "scnnM-fm-*": 400,
    "*": 450,
}

# folder -> what its files hold
_KINDS = {"spectra": "spectrum", "directions": "directions"}

What = Literal["update", "forward", "product"]


@dataclass(frozen=True)
class Calls:
    """``count`` calls of the net on ``examples`` each: a training update, a forward pass, or one chunk of a product."""

    what: What
    count: float
    examples: int


@dataclass(frozen=True)
class Job:
    """One job.

    Attributes:
        rule: Of the workflow.
        path: What it makes, within the folder of the scale.
        run: Whose net is called; None where no net is.
        calls: Of the net.
        products: Steps of the eigensolver, whose bookkeeping comes on top of the products' chunks.
        eigenpairs: Largest number computed at once.
        vectors: Vectors of p parameters that it writes to disk.
        temporary: Whether its file is deleted once it has been used.
        data_bytes: Of the data set, in memory.
        written: Bytes that it writes beside the vectors.
    """

    rule: str
    path: str
    run: RunSettings | None = None
    calls: tuple[Calls, ...] = ()
    products: float = 0
    eigenpairs: int = 0
    vectors: float = 0
    temporary: bool = False
    data_bytes: float = 0
    written: float = 0


@dataclass
class _Work:
    """Calls being gathered."""

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
    """Products of one measurement."""
    return float(np.interp(num_eigenpairs, list(PRODUCTS), list(PRODUCTS.values())))


def expected_end(run: RunSettings) -> int:
    """Updates at the end of a run, where the plateau rule is expected to have ended it."""
    expected = next(epochs for pattern, epochs in PLATEAU_EPOCHS.items() if fnmatchcase(run.run, pattern))
    epochs = min(run.epochs, expected) if run.rule == "plat" else run.epochs
    return max(epochs * run.steps_per_epoch, run.start)


def jobs_of_study(project: Project, name: str) -> list[Job]:
    """All that a figure or table needs, from the data on; jobs that others need too are equal."""
    study = project.study(name)
    jobs = [job for run in study.runs() for job in _trained(project, run)]
    for curve in study.curves():
        if study.wants_spectra() or study.wants_directions():
            jobs += _measured(project, curve.run, curve.schedule, "spectrum")
        if study.wants_directions():
            jobs += _measured(project, curve.run, curve.schedule, "directions")
    if study.wants_evaluations():
        jobs += [_evaluation(project, run) for run in study.runs()]
    drawn = name.startswith("fig")
    jobs.append(Job("draw_figure" if drawn else "write_table", name, written=3e5 if drawn else 1e4))
    return list({job.path: job for job in jobs}.values())


def jobs_of_claims(project: Project) -> list[Job]:
    """What is measured for the verdicts, beside what figures and tables show; then verdicts and report."""
    jobs: list[Job] = []
    claims = read_ledger(project.folder / "claims.csv")
    for path in files_behind(claims, plan_claims(claims, project)):
        stage, _, name = path.removesuffix(".h5").partition("/")
        if stage in _KINDS:
            run, _, schedule = name.rpartition("/")
            jobs += _measured(project, run, schedule, _KINDS[stage])
        elif stage == "evaluations":
            jobs.append(_evaluation(project, name))
    return [*jobs, Job("judge_claims", "claims.csv", written=5e5), Job("write_report", "report.html", written=2e7)]


def _trained(project: Project, name: str) -> list[Job]:
    run = project.run(name)
    before = _trained(project, run.branch.parent) if run.branch else []
    updates = expected_end(run) - run.start
    epochs = updates / run.steps_per_epoch
    work = _Work()
    work.add("update", updates, run.batch_size)
    work.add("forward", epochs, _targets(run, run.dataset.val))
    states, vectors = epochs / run.snapshot_every + 1, 0.0
    per_state = 1 + (run.momentum > 0)
    if nudge := run.nudge:
        refreshes = updates / nudge.refresh_every if nudge.refresh_every else epochs
        work.solve(refreshes, nudge.num_eigenpairs, nudge.hessian)
        if nudge.loss_examples:
            work.add("forward", refreshes, nudge.loss_examples)
        per_state += 1 + (nudge.num_directions if nudge.refresh_every else 0)
        vectors = refreshes * nudge.num_eigenpairs if nudge.keep_vectors else 0
    data = f"data/{run.dataset_name}.h5"
    size = _data_bytes(run)
    return [
        *before,
        Job("prepare_data", data, written=_stored_bytes(run), data_bytes=_stored_bytes(run)),
        Job(
            "train_run", f"runs/{name}/snapshots.h5", run, tuple(work.calls), work.products,
            nudge.num_eigenpairs if nudge else 0, states * per_state + vectors, data_bytes=size, written=1e5,
        ),
    ]  # fmt: skip


def _measured(project: Project, run: str, schedule: str, kind: str) -> Iterator[Job]:
    """One job, or shards and their merging."""
    folder = next(stage for stage, measured in _KINDS.items() if measured == kind)
    work = _spectrum if kind == "spectrum" else _directions
    segments, path = project.schedule(run, schedule).segments, f"{folder}/{run}/{schedule}"
    if len(segments) == 1:
        yield work(project, run, schedule, segments[0], f"measure_{kind}", f"{path}.h5", False)
        return
    shards = [
        work(project, run, schedule, segment, f"measure_{kind}_shard", f"shards/{path}/{number}.h5", True)
        for number, segment in enumerate(segments)
    ]
    yield from shards
    whole = sum(shard.vectors for shard in shards), sum(shard.written for shard in shards)
    yield Job(f"merge_{kind}", f"{path}.h5", shards[0].run, vectors=whole[0], written=whole[1])


def _spectrum(
    project: Project, name: str, schedule: str, segment: Sequence[int], rule: str, path: str, temporary: bool
) -> Job:
    run, hessian, settings = (
        project.run(name),
        project.hessian(name),
        project.schedule(name, schedule).measures["spectra"],
    )
    end, keeps = expected_end(run), settings.keep_vectors
    points = [point for point in segment if point <= end]
    nudge, work = run.nudge, _Work()
    recorded: set[int] = set()
    if nudge and nudge.hessian == hessian and nudge.num_eigenpairs >= settings.num_eigenpairs:
        every, start = (nudge.refresh_every, run.start) if nudge.refresh_every else (run.steps_per_epoch, 0)
        if nudge.keep_vectors or not keeps:
            recorded = {point for point in points if (point - start) % every == 0 and point < end}
    accuracies = points[:: settings.accuracy_every] if settings.accuracy_every else []
    _replay(work, run, sorted(set(accuracies) | set(points) - recorded), end)
    work.solve(len(points) - len(recorded), settings.num_eigenpairs, hessian)
    work.add("forward", len(accuracies), settings.accuracy_examples + _targets(run, run.dataset.val))
    kept = len(points) * settings.num_eigenpairs if keeps else 0
    return Job(
        rule, path, run, tuple(work.calls), work.products, settings.num_eigenpairs, kept, temporary, _data_bytes(run),
        3e4 + 500 * len(points),
    )  # fmt: skip


def _directions(
    project: Project, name: str, schedule: str, segment: Sequence[int], rule: str, path: str, temporary: bool
) -> Job:
    run, measures = project.run(name), project.schedule(name, schedule).measures
    asked, end = measures["directions"], expected_end(run)
    points = [point for point in segment if point <= end]
    work, examples = _Work(), asked.loss_examples
    _replay(work, run, points, end)
    work.add("update", len(points) * asked.num_gradients, run.batch_size)
    losses: float = 0
    if asked.grid:
        losses = len(points) * (1 + len(asked.indices) * len(asked.grid))
        if 0 in asked.indices:  # the full steps lie on no common line
            losses += len(points) / asked.alpha_every * asked.num_gradients * len(asked.alphas)
    work.add("forward", losses, examples)
    values = asked.num_gradients * len(asked.indices) + len(asked.indices) * (len(asked.grid) + len(asked.alphas))
    return Job(
        rule, path, run, tuple(work.calls), eigenpairs=asked.num_gradients + measures["spectra"].num_eigenpairs,
        temporary=temporary, data_bytes=_data_bytes(run), written=3e4 + 8 * values * len(points),
    )  # fmt: skip


def _evaluation(project: Project, name: str) -> Job:
    run, settings, work = project.run(name), project.schedule(name, "ends").measures["evaluations"], _Work()
    hessian = project.hessian(name).model_copy(update={"examples": min(settings.examples, run.dataset.num_train)})
    work.solve(2, settings.num_eigenpairs, hessian)
    work.product(2 * settings.num_probes, hessian)
    work.add("forward", 2, settings.loss_examples + _targets(run, run.dataset.test))
    return Job(
        "evaluate_run", f"evaluations/{name}.h5", run, tuple(work.calls), work.products, settings.num_eigenpairs,
        data_bytes=_data_bytes(run), written=3e4,
    )  # fmt: skip


def _replay(work: _Work, run: RunSettings, points: Sequence[int], end: int) -> None:
    """From the snapshot before to the one behind, wherever a point lies between."""
    interval = run.snapshot_every * run.steps_per_epoch
    entered = {point // interval for point in points if point % interval and point != end}
    updates = sum(min(interval, end - number * interval) for number in entered)
    work.add("update", updates, run.batch_size)
    epochs = updates / run.steps_per_epoch
    if run.rule == "plat":
        work.add("forward", epochs, _targets(run, run.dataset.val))
    if run.nudge and not run.nudge.keep_vectors:
        refreshes = updates / run.nudge.refresh_every if run.nudge.refresh_every else epochs
        work.solve(refreshes, run.nudge.num_eigenpairs, run.nudge.hessian)


def _targets(run: RunSettings, count: int) -> int:
    """Examples in ``count`` examples, or words, of a data set."""
    return count // run.dataset.window if isinstance(run.dataset, TokenSettings) else count


def check_sizes(project: Project) -> None:
    """Refuse a scale with a data set whose size only its files tell.

    Raises:
        ConfigError: Names the data set.
    """
    for name, dataset in project.scale.datasets.items():
        source = SOURCES[dataset.source]
        if isinstance(source, ImageSource) and source.shape is None:
            raise ConfigError(
                f"datasets.{name}: the size of {dataset.source} is not known before its files are read, so there is "
                "no forecast of this scale; make one figure, and read results/<scale>/benchmarks"
            )


def image_shape(run: RunSettings) -> tuple[int, int, int]:
    """(channels, height, width) of the source of a run on images."""
    source = SOURCES[run.dataset.source]
    assert isinstance(source, ImageSource)
    assert source.shape is not None  # checked before
    return source.shape


def _stored_bytes(run: RunSettings) -> float:
    source: Any = SOURCES[run.dataset.source]
    if isinstance(source, ImageSource):
        return float(math.prod(image_shape(run)) * (source.num_train + source.num_test))  # type: ignore[operator]
    if isinstance(run.dataset, TokenSettings):
        return 4.0 * (run.dataset.train + run.dataset.val + run.dataset.test)
    return 4.0 * (source.num_train + source.num_test) * getattr(run.dataset, "length", 0)


def _data_bytes(run: RunSettings) -> float:
    """Float32 images beside the integers of the file, and float64 while their spread is taken; words as int64."""
    if isinstance(run.dataset, ImageSettings):
        channels, height, _ = image_shape(run)
        pixels = channels * (run.model["image_size"] or height) ** 2
        return _stored_bytes(run) + pixels * (16.0 * run.dataset.train + 8.0 * (run.dataset.val + run.dataset.test))
    return 4 * _stored_bytes(run)


def net_of(run: RunSettings) -> str:
    """Runs of one net cost the same for each call: architecture, data set, momentum left aside."""
    return f"{RunId.parse(run.run).model}-{run.dataset_name}"
