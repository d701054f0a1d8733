"""What a scale replaces or reduces against the paper, in words: for the foot of figures and the files' attributes."""

from collections.abc import Iterable, Sequence
from typing import Any

from sharpest.config.datasets import DatasetSettings, ImageSettings, TokenSettings
from sharpest.config.measurement import EvaluationSettings, ScheduleSettings
from sharpest.config.run import RunSettings
from sharpest.config.run_id import RunId
from sharpest.config.settings import ScaleSettings
from sharpest.config.sources.registry import SOURCES

# names of models in run ids, as a reader knows them
_MODEL_TITLES = {
    "scnn": "SimpleCNN",
    "scnnM": "SimpleCNN medium",
    "r32": "ResNet",
    "r32bn": "ResNet with BN",
    "vgg": "VGG",
    "vggp": "plain VGG",
    "lstm": "LSTM",
    "imdb": "IMDB CNN",
    "imdb2": "doubled IMDB CNN",
}


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
    notes |= dict.fromkeys(_factor_notes("learning rates", [(ours.run, ours.lr / paper.lr) for ours, paper in pairs]))
    batches = [(ours.run, ours.batch_size / paper.batch_size) for ours, paper in pairs if not ours.full_batch]
    notes |= dict.fromkeys(_factor_notes("batch sizes", batches))
    branches = [(ours.branch, paper.branch) for ours, paper in pairs if ours.branch and paper.branch]
    if any(ours.epoch != paper.epoch for ours, paper in branches):
        ends = ("/".join(dict.fromkeys(str(end.epoch) for end in branch)) for branch in zip(*branches, strict=True))
        notes["branches after epoch {} ({})".format(*ends)] = None
    lengths = [(ours.epochs, paper.epochs) for ours, paper in pairs if ours.epochs != paper.epochs]
    if lengths:
        shortened, as_published = zip(*lengths, strict=True)
        notes[f"{_range(shortened)} epochs ({_range(as_published)})"] = None
    return list(notes)


def describe_seeds(ours: Iterable[str], paper: Iterable[str]) -> list[str]:
    """How a study has fewer seeds than in the paper.

    Args:
        ours, paper: Its runs at the scale, and as published.
    """
    used, published = (len({RunId.parse(run).seed for run in runs}) for runs in (ours, paper))
    return [] if used == published else [f"{used} {'seed' if used == 1 else 'seeds'} ({published})"]


def describe_measurement(
    points: Sequence[tuple[Sequence[int], Sequence[int]]],
    schedules: Sequence[tuple[ScheduleSettings, ScheduleSettings]],
    scale: ScaleSettings,
    published: ScaleSettings,
) -> list[str]:
    """How a figure's runs are measured less than in the paper.

    Args:
        points: Measured iterations of each run since its start, at the scale and as published.
        schedules: The schedules behind it, at the scale and as published.
        scale, published: The scales.
    """
    notes = []
    counts = [(len(ours), len(paper)) for ours, paper in points]
    if any(ours != paper for ours, paper in counts):
        notes.append(f"{_range([c for c, _ in counts])} measured points a run ({_range([c for _, c in counts])})")
    late = [ours[0] for ours, paper in points if ours[0] != paper[0]]
    if late:
        runs = "" if len(late) == len(points) else f" in {len(late)} of {len(points)} runs"
        notes.append(f"measured from iteration {_range(late)} on{runs}")
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


def describe_evaluation(pairs: Sequence[tuple[EvaluationSettings, EvaluationSettings]]) -> list[str]:
    """How end points are evaluated on less than in the paper.

    Args:
        pairs: Settings of each run at the scale, and as published.
    """
    notes: dict[str, None] = {}
    for ours, paper in pairs:
        if (ours.num_eigenpairs, ours.examples) != (paper.num_eigenpairs, paper.examples):
            notes[
                f"norms from {ours.num_eigenpairs} eigenvalues at N {ours.examples:,} "
                f"({paper.num_eigenpairs} at {paper.examples:,})"
            ] = None
        if ours.num_probes != paper.num_probes:
            notes[f"{ours.num_probes} probes ({paper.num_probes})"] = None
        if ours.loss_examples != paper.loss_examples:
            notes[f"final loss on {ours.loss_examples:,} examples ({paper.loss_examples:,})"] = None
        if ours.early_epoch != paper.early_epoch:
            notes[f"early validation accuracy after epoch {ours.early_epoch} ({paper.early_epoch})"] = None
    return list(notes)


def _run_reductions(
    ours: RunSettings, paper: RunSettings, scale: ScaleSettings, published_scale: ScaleSettings
) -> Iterable[str]:
    if ours.dataset.source != paper.dataset.source:
        yield f"{SOURCES[ours.dataset.source].title} in place of {SOURCES[paper.dataset.source].title}"
    if (counts := _counts(ours.dataset)) != (published_counts := _counts(paper.dataset)):
        yield f"{counts} training/validation/test {ours.dataset.unit} ({published_counts})"
    yield from _data_reductions(ours.dataset, paper.dataset)
    title = _title(ours.run)
    for key, value in ours.model.items():
        if value != (was := paper.model.get(key)):
            yield f"{title} {key.replace('_', ' ')} {_words(value)} ({_words(was)})"
    if ours.full_batch and ours.batch_size != paper.batch_size:
        yield f"full batch of {ours.batch_size:,} images ({paper.batch_size:,})"
    if ours.clip_norm != paper.clip_norm:
        yield f"gradients cut at norm {_words(ours.clip_norm, 'none')} ({_words(paper.clip_norm, 'none')})"
    if ours.nudge and paper.nudge:
        if ours.nudge.refresh_every != paper.nudge.refresh_every:
            yield f"directions computed every {ours.nudge.refresh_every} iterations ({paper.nudge.refresh_every})"
        if ours.nudge.loss_examples != paper.nudge.loss_examples:
            yield f"loss on {ours.nudge.loss_examples} examples ({paper.nudge.loss_examples:,})"
    hessian, published = scale.hessian_of(ours.run), published_scale.hessian_of(ours.run)
    if hessian.examples != published.examples:
        windows = " windows" if isinstance(ours.dataset, TokenSettings) else ""
        yield f"N {hessian.examples:,}{windows} ({published.examples:,})"
    if hessian.resample != published.resample:
        yield "new Hessian examples at each point" if hessian.resample else "the same Hessian examples throughout"
    if hessian.tolerance != published.tolerance:
        yield f"eigensolver tolerance {hessian.tolerance:g} ({published.tolerance:g})"
    if hessian.max_products != published.max_products:
        yield f"at most {hessian.max_products} Hessian-vector products ({published.max_products})"
    patience, published_patience = (f"{run.patience} and {run.stop_patience}" for run in (ours, paper))
    if patience != published_patience:
        yield f"plateau patience {patience} ({published_patience})"


def _data_reductions(ours: DatasetSettings, paper: DatasetSettings) -> Iterable[str]:
    augmentations = [(dataset.flip, dataset.shift) for dataset in (ours, paper) if isinstance(dataset, ImageSettings)]
    if len(set(augmentations)) == 2:
        yield "other augmentation" if any(augmentations[0]) else "no augmentation"
    for key in ("window", "length", "vocabulary"):
        if (value := getattr(ours, key, None)) != (was := getattr(paper, key, None)):
            yield f"{key} {value:,} ({was:,})"


def _factor_notes(what: str, factors: Sequence[tuple[str, float]]) -> Iterable[str]:
    """One note where all runs share a factor, else one for each model."""
    by_title = {(_title(run), f"{factor:.3g}") for run, factor in factors}
    if len({factor for _, factor in by_title}) == 1:
        by_title = {("", factor) for _, factor in by_title}
    for title, factor in sorted(by_title):
        if factor != "1":
            yield f"{title} {what} times {factor}".strip()


def _title(run: str) -> str:
    name = RunId.parse(run).model
    return _MODEL_TITLES.get(name, name)


def _counts(dataset: DatasetSettings) -> str:
    return f"{dataset.train:,}/{dataset.val:,}/{dataset.test:,}"


def _range(values: Sequence[int]) -> str:
    lowest, highest = f"{min(values):,}", f"{max(values):,}"
    return lowest if lowest == highest else f"{lowest} to {highest}"


def _words(value: Any, nothing: str = "as they are") -> str:
    if value is None:
        return nothing
    return (
        "/".join(map(str, value))
        if isinstance(value, list)
        else f"{value:g}"
        if isinstance(value, float)
        else f"{value}"
    )
