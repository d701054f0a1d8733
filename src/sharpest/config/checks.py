"""Checks that settings agree with each other, made before any job starts."""

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from sharpest.config import architecture_module
from sharpest.config.architectures import (
    ImportedNetSettings,
    LstmSettings,
    OwnSettings,
    ResNetSettings,
    TextCnnSettings,
)
from sharpest.config.run import DatasetSettings, ImageSettings, RunSettings, TokenSettings
from sharpest.config.run_id import RunId
from sharpest.config.scale import ScaleRuns
from sharpest.config.settings import ProjectSettings
from sharpest.config.sources import SOURCES, ImageSource, TokenSource
from sharpest.errors import ConfigError


def check_scale(settings: ProjectSettings, scale_runs: ScaleRuns, used: Iterable[str]) -> None:
    """Check that settings agree with each other.

    Args:
        settings: config/config.yaml.
        scale_runs: The runs of the scale.
        used: Those that the scale uses.

    Raises:
        ConfigError: For the first mistake, with key and remedy.
    """
    for original, substitute in settings.substitutes.items():
        _check_substitute(original, substitute.source)
    for name, dataset in scale_runs.scale.datasets.items():
        _check_dataset(f"datasets.{name}", dataset)
    for source, place in settings.sources.items():
        if source not in SOURCES:
            raise ConfigError(f"config: sources.{source} is not a data source; known: {', '.join(SOURCES)}")
        substitutes = {substitute.source for substitute in settings.substitutes.values()}
        hint = ", or fetch its files with the command in the substitutes file" if source in substitutes else ""
        if place.folder is not None and not _is_folder(place.folder):
            raise ConfigError(
                f"config: sources.{source}.folder {place.folder!r} is not a folder; correct the path{hint}"
            )
    scale_runs.check_patterns()
    for run in map(scale_runs.run, used):
        _check_run(scale_runs, run)
        if run.branch is not None:
            has_parent = run.branch.parent in scale_runs.epochs
            _check_branch(run, scale_runs.run(run.branch.parent) if has_parent else None)


def _is_folder(text: str) -> bool:
    try:
        return Path(text).expanduser().is_dir()
    except (RuntimeError, ValueError):  # unknown user, or a NUL in the path
        return False


def _check_run(scale_runs: ScaleRuns, run: RunSettings) -> None:
    model, dataset = scale_runs.scale.models[RunId.parse(run.run).model], run.dataset
    if model.reads != dataset.kind:
        raise ConfigError(
            f"run {run.run}: a model of kind {model.kind} reads {model.reads}, but the data set has {dataset.kind}; "
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
    if isinstance(dataset, ImageSettings) and not isinstance(
        model, LstmSettings | TextCnnSettings | ImportedNetSettings
    ):
        side = model.image_size or _side(dataset)
        if side is not None and side < model.smallest_image:
            raise ConfigError(
                f"run {run.run}: images of side {side} vanish in the model; set its image_size to at least "
                f"{model.smallest_image}"
            )
        if side is not None and isinstance(model, ResNetSettings) and side % model.smallest_image:
            raise ConfigError(
                f"run {run.run}: a ResNet of {len(model.widths)} stages halves images of side {side} unevenly; set its "
                f"image_size to a multiple of {model.smallest_image}"
            )
    hessian, nudge = scale_runs.keys(run.run).hessian, run.nudge
    counts = {"hessian.examples": hessian.examples, "variants.loss_examples": (nudge and nudge.loss_examples) or 0}
    for key, examples in counts.items():
        if examples > dataset.num_train:
            raise ConfigError(
                f"run {run.run}: {key} {examples} exceeds {dataset.num_train} training examples; lower {key}"
            )
    if nudge is not None and nudge.num_eigenpairs > nudge.hessian.max_products:
        raise ConfigError(
            f"run {run.run}: {nudge.num_eigenpairs} eigenpairs need more than hessian.max_products "
            f"{nudge.hessian.max_products}; raise it, or lower K of the id or num_eigenpairs of variants"
        )
    if run.full_batch and not run.batch_size <= min(hessian.examples, dataset.num_train):
        raise ConfigError(
            f"run {run.run}: full_batch_examples {run.batch_size} exceeds hessian.examples {hessian.examples} or the "
            f"{dataset.num_train} training examples; its Hessian is that of the whole batch: lower full_batch_examples"
        )


def _check_branch(run: RunSettings, parent: RunSettings | None) -> None:
    assert run.branch is not None  # ensured by the caller
    if parent is None:
        raise ConfigError(f"run {run.run}: its parent {run.branch.parent!r} is not in config/runs.tsv; add it")
    epoch = run.branch.epoch
    if run.branch.batch_size != parent.batch_size:
        raise ConfigError(
            f"run {run.run}: batch size {run.branch.batch_size} differs from {parent.batch_size} of its parent; give "
            "both the same batch_factor, or change it by a branch with the variant S<f>"
        )
    if parent.branch and epoch < parent.branch.epoch:
        raise ConfigError(
            f"run {run.run}: branches off at epoch {epoch}, but its parent, a branch itself, begins at "
            f"{parent.branch.epoch}; raise branch_epoch or name another parent"
        )
    if epoch > parent.epochs:
        raise ConfigError(
            f"run {run.run}: branches off at epoch {epoch}, but its parent ends at {parent.epochs}; lengthen the "
            "parent or lower branch_epoch"
        )
    if epoch % parent.snapshot_every:
        raise ConfigError(
            f"run {run.run}: branches off at epoch {epoch}, but its parent keeps a snapshot every "
            f"{parent.snapshot_every} epochs; lower snapshot_every of the parent"
        )
    if epoch >= run.epochs:
        raise ConfigError(f"run {run.run}: branches off at epoch {epoch} and ends at {run.epochs}; raise its epochs")


def _side(dataset: ImageSettings) -> int | None:
    """The side of the images; None if it is not known yet."""
    source = SOURCES[dataset.source]
    assert isinstance(source, ImageSource)  # checked with the data sets
    return source.shape and source.shape[1]


def _check_substitute(original: str, source: str) -> None:
    for name in (original, source):
        if name not in SOURCES:
            raise ConfigError(
                f"config: substitutes.{original}: {name!r} is not a data source; known: {', '.join(SOURCES)}"
            )
    if SOURCES[original].kind != SOURCES[source].kind:
        raise ConfigError(
            f"config: substitutes.{original}: {source!r} has {SOURCES[source].kind}, but {original!r} has "
            f"{SOURCES[original].kind}; name a source of that kind"
        )


def _check_dataset(key: str, dataset: DatasetSettings) -> None:
    if dataset.source not in SOURCES:
        raise ConfigError(f"{key}.source: {dataset.source!r} is not a data source; known: {', '.join(SOURCES)}")
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
