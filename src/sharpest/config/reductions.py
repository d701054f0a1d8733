"""What a scale replaces or reduces compared with the paper, in words, for notes of figures and attributes of files."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from sharpest.config.run import DatasetSettings, HessianSettings, ImageSettings, RunSettings, TokenSettings
from sharpest.config.run_id import RunId
from sharpest.config.scale import ScaleRuns
from sharpest.config.sources import SOURCES

# names of models in run ids, and their names for readers
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


def describe_runs(runs: Iterable[str], ours: ScaleRuns, paper: ScaleRuns) -> list[str]:
    """Every difference in how runs are trained, and in the Hessian that is measured on them, each once.

    Args:
        runs: Ids of the runs.
        ours, paper: The runs at the scale, and as published.
    """
    pairs = [(ours.run(run), paper.run(run)) for run in runs]
    notes: dict[str, None] = {}
    for run, published in pairs:
        notes |= dict.fromkeys(_training_notes(run, published))
        hessian, published_hessian = ours.keys(run.run).hessian, paper.keys(run.run).hessian
        notes |= dict.fromkeys(_hessian_notes(hessian, published_hessian, isinstance(run.dataset, TokenSettings)))
        patience, published_patience = (f"{side.patience} and {side.stop_patience}" for side in (run, published))
        if patience != published_patience:
            notes[f"plateau patience {patience} ({published_patience})"] = None
    rates = [(run.run, run.lr / published.lr) for run, published in pairs]
    notes |= dict.fromkeys(_factor_notes("learning rates", rates))
    batches = [(run.run, run.batch_size / published.batch_size) for run, published in pairs if not run.full_batch]
    notes |= dict.fromkeys(_factor_notes("batch sizes", batches))
    branches = [(run.branch, published.branch) for run, published in pairs if run.branch and published.branch]
    if any(branch.epoch != published_branch.epoch for branch, published_branch in branches):
        ends = ("/".join(dict.fromkeys(str(branch.epoch) for branch in side)) for side in zip(*branches, strict=True))
        notes["branches after epoch {} ({})".format(*ends)] = None
    lengths = [(run.epochs, published.epochs) for run, published in pairs if run.epochs != published.epochs]
    if lengths:
        shortened, as_published = zip(*lengths, strict=True)
        notes[f"{_range(shortened)} epochs ({_range(as_published)})"] = None
    return list(notes)


def describe_seeds(ours: Iterable[str], paper: Iterable[str]) -> list[str]:
    """How the seeds of a study differ from those of the paper.

    Args:
        ours, paper: Its runs at the scale, and as published.
    """
    used, published = ({RunId.parse(run).seed for run in runs} for runs in (ours, paper))
    if used <= published:
        return [] if used == published else [f"{len(used)} {'seed' if len(used) == 1 else 'seeds'} ({len(published)})"]
    return [f"{len(used)} new {'seed' if len(used) == 1 else 'seeds'} ({len(published)})"]


def describe_points(curves: Sequence[tuple[str, str]], ours: ScaleRuns, paper: ScaleRuns) -> list[str]:
    """How runs are measured at fewer points, or only from a later point on.

    Args:
        curves: Run and schedule of each curve.
        ours, paper: The runs at the scale, and as published.
    """
    points = [(_points(ours, *curve), _points(paper, *curve)) for curve in curves if curve[1] in paper.scale.schedules]
    notes = []
    if any(len(measured) != len(published) for measured, published in points):
        counts, published_counts = ([len(side) for side in sides] for sides in zip(*points, strict=True))
        notes.append(f"{_range(counts)} measured points a run ({_range(published_counts)})")
    late = [measured[0] for measured, published in points if measured[0] != published[0]]
    if late:
        runs = "" if len(late) == len(points) else f" in {len(late)} of {len(points)} runs"
        notes.append(f"measured from iteration {_range(late)} on{runs}")
    return notes


def describe_measures(curves: Iterable[tuple[str, str, str]], ours: ScaleRuns, paper: ScaleRuns) -> list[str]:
    """How measures are reduced at each point.

    Args:
        curves: Measure, run and schedule of each measured file.
        ours, paper: The runs at the scale, and as published.
    """
    notes: dict[str, None] = {}
    for measure, run, schedule in curves:
        settings = ours.schedule(run, schedule).measures[measure]
        known = schedule in paper.scale.schedules
        published = paper.schedule(run, schedule).measures.get(measure) if known else None
        if published is None:
            notes[f"{measure} by schedule {schedule}, which is not in the paper"] = None
        else:
            notes |= dict.fromkeys(_MEASURE_NOTES.get(measure, _other_notes)(measure, settings, published))
    return list(notes)


def _points(runs: ScaleRuns, run: str, schedule: str) -> list[int]:
    """Measured iterations since the start of a run (of a branch, its branch point); empty for end points."""
    start = runs.run(run).start
    return [point - start for point in runs.schedule(run, schedule).points if isinstance(point, int)]


def _spectra_notes(measure: str, ours: Any, paper: Any) -> Iterator[str]:
    if ours.num_eigenpairs != paper.num_eigenpairs:
        yield f"{ours.num_eigenpairs} eigenpairs ({paper.num_eigenpairs})"


def _direction_notes(measure: str, ours: Any, paper: Any) -> Iterator[str]:
    if ours.num_gradients != paper.num_gradients:
        yield f"{ours.num_gradients} gradients a point ({paper.num_gradients})"
    if ours.grid and ours.loss_examples != paper.loss_examples:
        yield f"loss on {ours.loss_examples:,} examples ({paper.loss_examples:,})"


def _evaluation_notes(measure: str, ours: Any, paper: Any) -> Iterator[str]:
    if (ours.num_eigenpairs, ours.examples) != (paper.num_eigenpairs, paper.examples):
        yield (
            f"norms from {ours.num_eigenpairs} eigenvalues at N {ours.examples:,} "
            f"({paper.num_eigenpairs} at {paper.examples:,})"
        )
    if ours.num_probes != paper.num_probes:
        yield f"{ours.num_probes} probes ({paper.num_probes})"
    if ours.loss_examples != paper.loss_examples:
        yield f"final loss on {ours.loss_examples:,} examples ({paper.loss_examples:,})"
    if ours.early_epoch != paper.early_epoch:
        yield f"early validation accuracy after epoch {ours.early_epoch} ({paper.early_epoch})"


def _other_notes(measure: str, ours: Any, paper: Any) -> Iterator[str]:
    """The notes on a measure without a function of its own."""
    for key, value in ours:
        if value != (published := getattr(paper, key)):
            yield f"{measure} with {key.replace('_', ' ')} {_words(value, 'none')} ({_words(published, 'none')})"


_MEASURE_NOTES: dict[str, Callable[[str, Any, Any], Iterator[str]]] = {
    "spectra": _spectra_notes,
    "directions": _direction_notes,
    "evaluations": _evaluation_notes,
}


def _training_notes(ours: RunSettings, paper: RunSettings) -> Iterator[str]:
    if ours.dataset.source != paper.dataset.source:
        yield f"{SOURCES[ours.dataset.source].title} in place of {SOURCES[paper.dataset.source].title}"
    if (counts := _counts(ours.dataset)) != (published_counts := _counts(paper.dataset)):
        yield f"{counts} training/validation/test {ours.dataset.unit} ({published_counts})"
    yield from _data_notes(ours.dataset, paper.dataset)
    title = _title(ours.run)
    for key, value in ours.model.items():
        if value != (published := paper.model.get(key)):
            yield f"{title} {key.replace('_', ' ')} {_words(value)} ({_words(published)})"
    if ours.full_batch and ours.batch_size != paper.batch_size:
        yield f"full batch of {ours.batch_size:,} images ({paper.batch_size:,})"
    if ours.clip_norm != paper.clip_norm:
        yield f"gradients cut at norm {_words(ours.clip_norm, 'none')} ({_words(paper.clip_norm, 'none')})"
    if ours.epsilon != paper.epsilon:
        yield f"epsilon {ours.epsilon:g} ({paper.epsilon:g})"
    if ours.nudge and paper.nudge:
        if ours.nudge.refresh_every != paper.nudge.refresh_every:
            yield f"directions computed every {ours.nudge.refresh_every} iterations ({paper.nudge.refresh_every})"
        if ours.nudge.loss_examples != paper.nudge.loss_examples:
            yield f"loss on {ours.nudge.loss_examples} examples ({paper.nudge.loss_examples:,})"


def _hessian_notes(ours: HessianSettings, paper: HessianSettings, of_text: bool) -> Iterator[str]:
    if ours.examples != paper.examples:
        yield f"N {ours.examples:,}{' windows' * of_text} ({paper.examples:,})"
    if ours.resample != paper.resample:
        yield "new Hessian examples at each point" if ours.resample else "the same Hessian examples throughout"
    if ours.tolerance != paper.tolerance:
        yield f"eigensolver tolerance {ours.tolerance:g} ({paper.tolerance:g})"
    if ours.max_products != paper.max_products:
        yield f"at most {ours.max_products} Hessian-vector products ({paper.max_products})"


def _data_notes(ours: DatasetSettings, paper: DatasetSettings) -> Iterator[str]:
    augmentations = [(dataset.flip, dataset.shift) for dataset in (ours, paper) if isinstance(dataset, ImageSettings)]
    if len(set(augmentations)) == 2:
        yield "other augmentation" if any(augmentations[0]) else "no augmentation"
    for key in ("window", "length", "vocabulary"):
        if (value := getattr(ours, key, None)) != (was := getattr(paper, key, None)):
            yield f"{key} {value:,} ({was:,})"


def _factor_notes(what: str, factors: Sequence[tuple[str, float]]) -> Iterator[str]:
    """One note if all runs share a factor, else one for each model."""
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
    if isinstance(value, list) and len(value) > 3 and len(set(map(str, value))) == 1:
        return f"{len(value)} x {value[0]}"
    return (
        "/".join(map(str, value))
        if isinstance(value, list)
        else f"{value:g}"
        if isinstance(value, float)
        else f"{value}"
    )
