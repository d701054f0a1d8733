"""Checks that settings agree with each other, made before any job starts."""

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sharpest.config import architecture_module
from sharpest.config.architectures import OwnSettings, ResNetSettings
from sharpest.config.run import BranchSettings, DatasetSettings, ImageSettings, RunSettings, TokenSettings
from sharpest.config.run_id import RunId
from sharpest.config.scale import ScaleRuns
from sharpest.config.settings import ProjectSettings
from sharpest.config.sources import SOURCES, ImageSource, TokenSource
from sharpest.errors import refuse


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
        substitutes = {substitute.source for substitute in settings.substitutes.values()}
        hint = ", or fetch its files with the command in the substitutes file" if source in substitutes else ""
        is_folder = place.folder is None or _is_folder(place.folder)
        refuse(
            f"config: sources.{source}",
            (source not in SOURCES, f" is not a data source; known: {', '.join(SOURCES)}"),
            (not is_folder, f".folder {place.folder!r} is not a folder; correct the path{hint}"),
        )
    scale_runs.check_patterns()
    for run in map(scale_runs.run, used):
        _check_run(scale_runs, run)
        if run.branch is not None:
            has_parent = run.branch.parent in scale_runs.epochs
            _check_branch(run, run.branch, scale_runs.run(run.branch.parent) if has_parent else None)


def _is_folder(text: str) -> bool:
    try:
        return Path(text).expanduser().is_dir()
    except (RuntimeError, ValueError):  # unknown user, or a NUL in the path
        return False


def _check_run(scale_runs: ScaleRuns, run: RunSettings) -> None:
    model, dataset = scale_runs.scale.models[RunId.parse(run.run).model], run.dataset
    hessian, nudge = scale_runs.keys(run.run).hessian, run.nudge
    num_train, loss_examples = dataset.num_train, (nudge and nudge.loss_examples) or 0
    reads = f"reads {model.reads}, but the data set has {dataset.kind}; name another model or data set"
    refuse(f"run {run.run}: ", (model.reads != dataset.kind, f"a model of kind {model.kind} {reads}"))
    refuse(
        f"run {run.run}: ",
        (
            isinstance(dataset, TokenSettings) and dataset.train // run.batch_size <= dataset.window,
            f"{dataset.train} words in {run.batch_size} streams leave no window of {getattr(dataset, 'window', 0)}; "
            "lower batch_factor",
        ),
        (
            isinstance(model, OwnSettings) and find_spec(architecture_module(run.model)) is None,
            f"there is no src/sharpest/models/{getattr(model, 'net', '')}.py; write it, or correct net of its model",
        ),
        *(_mistakes_of_size(model, dataset) if isinstance(dataset, ImageSettings) else ()),
        *(
            (examples > num_train, f"{key} {examples} exceeds {num_train} training examples; lower {key}")
            for key, examples in (("hessian.examples", hessian.examples), ("variants.loss_examples", loss_examples))
        ),
        (
            nudge is not None and nudge.num_eigenpairs > nudge.hessian.max_products,
            f"{nudge and nudge.num_eigenpairs} eigenpairs need more than hessian.max_products {hessian.max_products}; "
            "raise it, or lower K of the id or num_eigenpairs of variants",
        ),
        (
            run.full_batch and not run.batch_size <= min(hessian.examples, num_train),
            f"full_batch_examples {run.batch_size} exceeds hessian.examples {hessian.examples} or the {num_train} "
            "training examples; its Hessian is that of the whole batch: lower full_batch_examples",
        ),
    )


def _mistakes_of_size(model: Any, dataset: ImageSettings) -> Iterator[tuple[bool, str]]:
    """Whether images are too small for a net; no mistake if their size is not known yet."""
    source = SOURCES[dataset.source]
    assert isinstance(source, ImageSource)  # checked with the data sets
    if (side := model.image_size or (source.shape and source.shape[1])) is not None:
        smallest = model.smallest_image
        yield side < smallest, f"images of side {side} vanish in the model; set its image_size to at least {smallest}"
        if isinstance(model, ResNetSettings):
            yield (
                bool(side % smallest),
                f"a ResNet of {len(model.widths)} stages halves images of side {side} unevenly; set its image_size to "
                f"a multiple of {smallest}",
            )


def _check_branch(run: RunSettings, branch: BranchSettings, parent: RunSettings | None) -> None:
    refuse(f"run {run.run}: ", (parent is None, f"its parent {branch.parent!r} is not in config/runs.tsv; add it"))
    assert parent is not None
    start, off = parent.branch.epoch if parent.branch else 0, f"branches off at epoch {branch.epoch}"
    refuse(
        f"run {run.run}: ",
        (
            branch.batch_size != parent.batch_size,
            f"batch size {branch.batch_size} differs from {parent.batch_size} of its parent; give both the same "
            "batch_factor, or change it by a branch with the variant S<f>",
        ),
        (
            branch.epoch < start,
            f"{off}, but its parent, a branch itself, begins at {start}; raise branch_epoch or name another parent",
        ),
        (
            branch.epoch > parent.epochs,
            f"{off}, but its parent ends at {parent.epochs}; lengthen the parent or lower branch_epoch",
        ),
        (
            branch.epoch % parent.snapshot_every,
            f"{off}, but its parent keeps a snapshot every {parent.snapshot_every} epochs; lower snapshot_every of the "
            "parent",
        ),
        (branch.epoch >= run.epochs, f"{off} and ends at {run.epochs}; raise its epochs"),
    )


_UNKNOWN = "{!r} is not a data source; known: " + ", ".join(SOURCES)


def _check_substitute(original: str, source: str) -> None:
    place = f"config: substitutes.{original}: "
    refuse(place, *((name not in SOURCES, _UNKNOWN.format(name)) for name in (original, source)))
    kind, kept = SOURCES[source].kind, SOURCES[original].kind
    refuse(place, (kind != kept, f"{source!r} has {kind}, but {original!r} has {kept}; name a source of that kind"))


def _check_dataset(key: str, dataset: DatasetSettings) -> None:
    refuse(f"{key}.source: ", (dataset.source not in SOURCES, _UNKNOWN.format(dataset.source)))
    source = SOURCES[dataset.source]
    fitting = ", ".join(name for name, other in SOURCES.items() if other.kind == dataset.kind)
    of_other_kind = f"{dataset.source!r} has {source.kind}, not {dataset.kind}; use one of {fitting}"
    refuse(f"{key}.source: ", (source.kind != dataset.kind, of_other_kind))
    if isinstance(source, TokenSource):
        counts = {"train": source.num_train, "val": source.num_val, "test": source.num_test}
        for part, count in counts.items():
            asked = getattr(dataset, part)
            refuse(
                f"{key}: ", (asked > count, f"{part} {asked} exceeds the {count} words of {dataset.source}; lower it")
            )
        return
    train, val, test = dataset.train, dataset.val, dataset.test
    refuse(
        f"{key}: ",
        (
            source.num_train is not None and train + val > source.num_train,
            f"train {train} + val {val} exceed the {source.num_train} examples of {dataset.source}; lower them",
        ),
        (
            source.num_test is not None and test > source.num_test,
            f"test {test} exceeds the {source.num_test} test examples of {dataset.source}; lower it",
        ),
    )
