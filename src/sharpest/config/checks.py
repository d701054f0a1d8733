"""The facts that tie settings together, checked before any job starts."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from sharpest.config.measurement import ScheduleSettings
from sharpest.config.run import DatasetSettings, RunSettings
from sharpest.config.settings import ProjectSettings, ScaleSettings
from sharpest.data.sources import SOURCES
from sharpest.errors import ConfigError
from sharpest.run_id import RunId


def check_scale(settings: ProjectSettings, scale: ScaleSettings, runs: Sequence[RunSettings]) -> None:
    """Check the facts that tie settings together.

    Raises:
        ConfigError: The first fact that does not hold, with key and remedy.
    """
    for name, dataset in scale.datasets.items():
        _check_dataset(f"datasets.{name}", dataset)
    for source, place in settings.sources.items():
        if source not in SOURCES:
            raise ConfigError(f"config: sources.{source} is no data source; known: {', '.join(SOURCES)}")
        if place.folder is not None and not Path(place.folder).expanduser().is_dir():
            raise ConfigError(f"config: sources.{source}.folder {place.folder!r} is no folder; correct the path")
    for key in ("epochs", "snapshot_every"):
        for pattern in getattr(scale, key):
            if not any(fnmatchcase(run.run, pattern) for run in runs):
                raise ConfigError(f"{key}: pattern {pattern!r} fits no run of config/runs.tsv; correct or remove it")
    for run in runs:
        _check_run(scale, run)
    for name, schedule in scale.schedules.items():
        _check_schedule(f"schedules.{name}", schedule)


def _check_run(scale: ScaleSettings, run: RunSettings) -> None:
    if run.batch_size > run.dataset.train:
        raise ConfigError(
            f"run {run.run}: batch size {run.batch_size} exceeds {run.dataset.train} training examples; "
            "lower batch_factor"
        )
    model = scale.models[RunId.parse(run.run).model]
    side = model.image_size or SOURCES[run.dataset.source].shape[1]
    if side < model.smallest_image:
        raise ConfigError(
            f"run {run.run}: images of side {side} vanish in the model; set its image_size to at least "
            f"{model.smallest_image}"
        )
    for key, examples in (
        ("hessian.examples", scale.hessian.examples),
        ("measurement.loss_examples", scale.measurement.loss_examples),
        ("measurement.accuracy_examples", scale.measurement.accuracy_examples),
        ("evaluation.examples", scale.evaluation.examples),
        ("evaluation.loss_examples", scale.evaluation.loss_examples),
    ):
        if examples > run.dataset.train:
            raise ConfigError(
                f"run {run.run}: {key} {examples} exceeds {run.dataset.train} training examples; lower {key}"
            )


def _check_dataset(key: str, dataset: DatasetSettings) -> None:
    if dataset.source not in SOURCES:
        raise ConfigError(f"{key}.source: {dataset.source!r} is no data source; known: {', '.join(SOURCES)}")
    source = SOURCES[dataset.source]
    if dataset.train + dataset.val > source.num_train:
        raise ConfigError(
            f"{key}: train {dataset.train} + val {dataset.val} exceed the {source.num_train} examples of "
            f"{dataset.source}; lower them"
        )
    if dataset.test > source.num_test:
        raise ConfigError(
            f"{key}: test {dataset.test} exceeds the {source.num_test} test examples of {dataset.source}; lower it"
        )


def _check_schedule(key: str, schedule: ScheduleSettings) -> None:
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
