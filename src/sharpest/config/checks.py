"""The facts that tie settings together, checked before any job starts."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path

from pydantic import ValidationError

from sharpest.config.architectures import architecture_module
from sharpest.config.architectures.lstm import LstmSettings
from sharpest.config.architectures.own import OwnSettings
from sharpest.config.architectures.text_cnn import TextCnnSettings
from sharpest.config.datasets import DatasetSettings, ImageSettings, TokenSettings
from sharpest.config.measurement import ScheduleSettings
from sharpest.config.run import RunSettings
from sharpest.config.run_id import RunId
from sharpest.config.settings import BY_RUN, ProjectSettings, ScaleSettings
from sharpest.config.sources.facts import ImageSource, TokenSource
from sharpest.config.sources.registry import SOURCES
from sharpest.errors import ConfigError


def check_scale(settings: ProjectSettings, scale: ScaleSettings, runs: Sequence[RunSettings]) -> None:
    """Check the facts that tie settings together.

    Raises:
        ConfigError: The first fact that does not hold, with key and remedy.
    """
    for original, substitute in settings.substitutes.items():
        _check_substitute(original, substitute.source)
    for name, dataset in scale.datasets.items():
        _check_dataset(f"datasets.{name}", dataset)
    for source, place in settings.sources.items():
        if source not in SOURCES:
            raise ConfigError(f"config: sources.{source} is no data source; known: {', '.join(SOURCES)}")
        substitutes = {substitute.source for substitute in settings.substitutes.values()}
        hint = ", or bring its files with the command in the substitutes file" if source in substitutes else ""
        if place.folder is not None and not Path(place.folder).expanduser().is_dir():
            raise ConfigError(f"config: sources.{source}.folder {place.folder!r} is no folder; correct the path{hint}")
    for key in BY_RUN:
        for pattern in getattr(scale, key):
            if not any(fnmatchcase(run.run, pattern) for run in runs):
                raise ConfigError(f"{key}: pattern {pattern!r} fits no run of config/runs.tsv; correct or remove it")
    by_id = {run.run: run for run in runs}
    for run in runs:
        _check_run(scale, run)
        if run.branch is not None:
            _check_branch(run, by_id.get(run.branch.parent))
    for name, schedule in scale.schedules.items():
        _check_schedule(f"schedules.{name}", schedule)


def _check_run(scale: ScaleSettings, run: RunSettings) -> None:
    model, dataset = scale.models[RunId.parse(run.run).model], run.dataset
    if model.reads != dataset.kind:
        raise ConfigError(
            f"run {run.run}: a model of kind {model.kind} reads {model.reads}, the data set has {dataset.kind}; "
            "name another model or data set"
        )
    if isinstance(dataset, TokenSettings) and dataset.train // run.batch_size <= dataset.window:
        raise ConfigError(
            f"run {run.run}: {dataset.train} words in {run.batch_size} streams leave no window of {dataset.window}; "
            "lower batch_factor"
        )
    if isinstance(model, OwnSettings) and find_spec(architecture_module(run.model)) is None:
        raise ConfigError(
            f"run {run.run}: there is no src/sharpest/models/{model.net}.py; write it, or correct net of its model"
        )
    if isinstance(dataset, ImageSettings) and not isinstance(model, LstmSettings | TextCnnSettings):
        side = model.image_size or _side(dataset)
        if side is not None and side < model.smallest_image:
            raise ConfigError(
                f"run {run.run}: images of side {side} vanish in the model; set its image_size to at least "
                f"{model.smallest_image}"
            )
    try:
        hessian, measurement = scale.hessian_of(run.run), scale.measurement_of(run.run)
        evaluation = scale.evaluation_of(run.run)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(
            f"overrides, run {run.run}: {first['loc'][-1]}: {first['msg']}; correct the key or value"
        ) from None
    for key, examples in (
        ("hessian.examples", hessian.examples),
        ("measurement.loss_examples", measurement.loss_examples),
        ("measurement.accuracy_examples", measurement.accuracy_examples),
        ("evaluation.examples", evaluation.examples),
        ("evaluation.loss_examples", evaluation.loss_examples),
    ):
        if examples > dataset.num_train:
            raise ConfigError(
                f"run {run.run}: {key} {examples} exceeds {dataset.num_train} training examples; lower {key}"
            )
    if run.full_batch and not run.batch_size <= min(hessian.examples, dataset.num_train):
        raise ConfigError(
            f"run {run.run}: full_batch_examples {run.batch_size} exceeds hessian.examples {hessian.examples} or the "
            f"{dataset.num_train} training examples; its Hessian is that of the whole batch: lower full_batch_examples"
        )


def _check_branch(run: RunSettings, parent: RunSettings | None) -> None:
    assert run.branch is not None  # the caller's duty
    if parent is None:
        raise ConfigError(f"run {run.run}: its parent {run.branch.parent!r} is no row of config/runs.tsv; add the row")
    epoch = run.branch.epoch
    if parent.branch and epoch < parent.branch.epoch:
        raise ConfigError(
            f"run {run.run}: branches off at epoch {epoch}, and its parent, a branch itself, begins at "
            f"{parent.branch.epoch}; raise branch_epochs or name another parent"
        )
    if epoch > parent.epochs:
        raise ConfigError(
            f"run {run.run}: branches off at epoch {epoch}, and its parent ends at {parent.epochs}; lengthen the "
            "parent or lower branch_epochs"
        )
    if epoch % parent.snapshot_every:
        raise ConfigError(
            f"run {run.run}: branches off at epoch {epoch}, and its parent keeps a snapshot every "
            f"{parent.snapshot_every}; lower snapshot_every of the parent"
        )
    if epoch >= run.epochs:
        raise ConfigError(f"run {run.run}: branches off at epoch {epoch} and ends at {run.epochs}; raise its epochs")


def _side(dataset: ImageSettings) -> int | None:
    """The side of its images; None where it is not known yet."""
    source = SOURCES[dataset.source]
    assert isinstance(source, ImageSource)  # checked with the data sets
    return source.shape and source.shape[1]


def _check_substitute(original: str, source: str) -> None:
    for name in (original, source):
        if name not in SOURCES:
            raise ConfigError(
                f"config: substitutes.{original}: {name!r} is no data source; known: {', '.join(SOURCES)}"
            )
    if SOURCES[original].kind != SOURCES[source].kind:
        raise ConfigError(
            f"config: substitutes.{original}: {source!r} has {SOURCES[source].kind}, {original!r} has "
            f"{SOURCES[original].kind}; name a source of that kind"
        )


def _check_dataset(key: str, dataset: DatasetSettings) -> None:
    if dataset.source not in SOURCES:
        raise ConfigError(f"{key}.source: {dataset.source!r} is no data source; known: {', '.join(SOURCES)}")
    source = SOURCES[dataset.source]
    if source.kind != dataset.kind:
        fitting = ", ".join(name for name, other in SOURCES.items() if other.kind == dataset.kind)
        raise ConfigError(
            f"{key}.source: {dataset.source!r} has {source.kind}, not {dataset.kind}; use one of {fitting}"
        )
    if isinstance(source, TokenSource):
        counts = {"train": source.num_train, "val": source.num_val, "test": source.num_test}
        for part, count in counts.items():
            if (asked := getattr(dataset, part)) > count:
                raise ConfigError(f"{key}: {part} {asked} exceeds the {count} words of {dataset.source}; lower it")
        return
    if source.num_train is not None and dataset.train + dataset.val > source.num_train:
        raise ConfigError(
            f"{key}: train {dataset.train} + val {dataset.val} exceed the {source.num_train} examples of "
            f"{dataset.source}; lower them"
        )
    if source.num_test is not None and dataset.test > source.num_test:
        raise ConfigError(
            f"{key}: test {dataset.test} exceeds the {source.num_test} test examples of {dataset.source}; lower it"
        )


def _check_schedule(key: str, schedule: ScheduleSettings) -> None:
    lengths = schedule.shard_points
    for length in lengths.values() if isinstance(lengths, dict) else [lengths] if lengths else []:
        alpha_every = schedule.directions.alpha_every if schedule.directions else 1
        for name, every in (("accuracy_every", schedule.accuracy_every), ("directions.alpha_every", alpha_every)):
            if every and length % every:
                raise ConfigError(
                    f"{key}: shard_points {length} is no multiple of {name} {every}, whose count starts anew in each "
                    f"shard; use {length // every * every or every}"
                )
    if schedule.directions is None:
        return
    largest = max(schedule.directions.indices)
    if largest > schedule.num_eigenpairs:
        raise ConfigError(
            f"{key}: direction {largest} exceeds num_eigenpairs {schedule.num_eigenpairs}; raise num_eigenpairs"
        )
    grid = schedule.directions.grid
    if grid and (0 not in grid or list(grid) != sorted(set(grid))):
        raise ConfigError(f"{key}.directions.grid: must increase and hold 0")
    if schedule.directions.alphas and not grid:
        raise ConfigError(f"{key}.directions: alphas need a grid, the profile from which losses are read")
