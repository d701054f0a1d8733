"""What a scale replaces or reduces against the paper, in words: for the foot of figures and the files' attributes."""

from collections.abc import Iterable, Sequence
from typing import Any

from sharpest.config.measurement import EvaluationSettings, ScheduleSettings
from sharpest.config.run import DatasetSettings, RunSettings
from sharpest.config.settings import ScaleSettings
from sharpest.data.sources import SOURCES
from sharpest.run_id import RunId

# names of models in run ids, as a reader knows them
_MODEL_TITLES = {"scnn": "SimpleCNN", "scnnM": "SimpleCNN medium", "r32": "ResNet"}


def describe_reductions(
    pairs: Sequence[tuple[RunSettings, RunSettings]], scale: ScaleSettings, published: ScaleSettings
) -> list[str]:
    """Every difference that readers must know, once each.

    Args:
        pairs: Settings of each run at the scale, and as published.
        scale: The scale.
        published: The scale of the paper.
    """
    notes = dict.fromkeys(note for ours, paper in pairs for note in _run_reductions(ours, paper, scale, published))
    lengths = [(ours.epochs, paper.epochs) for ours, paper in pairs if ours.epochs != paper.epochs]
    if lengths:
        shortened, as_published = zip(*lengths, strict=True)
        notes[f"{_range(shortened)} epochs ({_range(as_published)})"] = None
    return list(notes)


def describe_measurement(
    counts: Sequence[tuple[int, int]],
    schedules: Sequence[tuple[ScheduleSettings, ScheduleSettings]],
    scale: ScaleSettings,
    published: ScaleSettings,
) -> list[str]:
    """How a figure's runs are measured less than in the paper.

    Args:
        counts: Measured points of each run, at the scale and as published.
        schedules: The schedules behind it, at the scale and as published.
        scale, published: The scales.
    """
    notes = []
    if any(ours != paper for ours, paper in counts):
        notes.append(f"{_range([c for c, _ in counts])} measured points a run ({_range([c for _, c in counts])})")
    for ours, paper in schedules:
        if ours.num_eigenpairs != paper.num_eigenpairs:
            notes.append(f"{ours.num_eigenpairs} eigenpairs ({paper.num_eigenpairs})")
        if ours.directions and paper.directions:
            if ours.directions.num_gradients != paper.directions.num_gradients:
                notes.append(f"{ours.directions.num_gradients} gradients a point ({paper.directions.num_gradients})")
            if ours.directions.grid and scale.measurement.loss_examples != published.measurement.loss_examples:
                notes.append(
                    f"loss on {scale.measurement.loss_examples:,} examples ({published.measurement.loss_examples:,})"
                )
    return list(dict.fromkeys(notes))


def describe_evaluation(ours: EvaluationSettings, paper: EvaluationSettings) -> list[str]:
    """How end points are evaluated on less than in the paper."""
    notes = []
    if (ours.num_eigenpairs, ours.examples) != (paper.num_eigenpairs, paper.examples):
        notes.append(
            f"norms from {ours.num_eigenpairs} eigenvalues at N {ours.examples:,} "
            f"({paper.num_eigenpairs} at {paper.examples:,})"
        )
    if ours.loss_examples != paper.loss_examples:
        notes.append(f"final loss on {ours.loss_examples:,} examples ({paper.loss_examples:,})")
    if ours.early_epoch != paper.early_epoch:
        notes.append(f"early validation accuracy after epoch {ours.early_epoch} ({paper.early_epoch})")
    return notes


def _run_reductions(
    ours: RunSettings, paper: RunSettings, scale: ScaleSettings, published_scale: ScaleSettings
) -> Iterable[str]:
    if ours.dataset.source != paper.dataset.source:
        yield f"{SOURCES[ours.dataset.source].title} in place of {SOURCES[paper.dataset.source].title}"
    if (counts := _counts(ours.dataset)) != (published_counts := _counts(paper.dataset)):
        yield f"{counts} training/validation/test examples ({published_counts})"
    if (ours.dataset.flip, ours.dataset.shift) != (paper.dataset.flip, paper.dataset.shift):
        yield "other augmentation" if ours.dataset.flip or ours.dataset.shift else "no augmentation"
    name = RunId.parse(ours.run).model
    title = _MODEL_TITLES.get(name, name)
    for key, value in ours.model.items():
        if value != (was := paper.model.get(key)):
            yield f"{title} {key.replace('_', ' ')} {_words(value)} ({_words(was)})"
    if scale.lr_factor != 1:
        yield f"learning rates times {scale.lr_factor:g}"
    if scale.batch_factor != 1:
        yield f"batch sizes times {scale.batch_factor:g}"
    hessian, published = scale.hessian, published_scale.hessian
    if hessian.examples != published.examples:
        yield f"N {hessian.examples:,} ({published.examples:,})"
    if hessian.resample != published.resample:
        yield "new Hessian examples at each point" if hessian.resample else "the same Hessian examples throughout"
    if hessian.tolerance != published.tolerance:
        yield f"eigensolver tolerance {hessian.tolerance:g} ({published.tolerance:g})"
    if hessian.max_products != published.max_products:
        yield f"at most {hessian.max_products} Hessian-vector products ({published.max_products})"
    patience, published_patience = (f"{run.patience} and {run.stop_patience}" for run in (ours, paper))
    if patience != published_patience:
        yield f"plateau patience {patience} ({published_patience})"


def _counts(dataset: DatasetSettings) -> str:
    return f"{dataset.train:,}/{dataset.val:,}/{dataset.test:,}"


def _range(values: Sequence[int]) -> str:
    lowest, highest = f"{min(values):,}", f"{max(values):,}"
    return lowest if lowest == highest else f"{lowest} to {highest}"


def _words(value: Any) -> str:
    if value is None:
        return "as they are"
    return "/".join(map(str, value)) if isinstance(value, list) else f"{value}"
