"""The whole project as one validated object: configuration, scale, runs and studies."""

import csv
import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

from sharpest.config.measurement import DirectionSettings, ScheduleSettings
from sharpest.config.run import DatasetSettings, NsgdSettings, RunSettings
from sharpest.config.settings import ProjectSettings, ScaleSettings, models_in
from sharpest.config.source import SourceSettings
from sharpest.config.studies import AnyStudy
from sharpest.data.sources import SOURCES
from sharpest.errors import ConfigError
from sharpest.run_id import RunId
from sharpest.schedule import measurement_iterations

# NSGD keeps this many eigenpairs and nudges the first K in signed order (inventory 1.6)
MIN_NSGD_EIGENPAIRS = 10

_T = TypeVar("_T")


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist; restore it") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); correct its rights") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text; save it as such or restore it") from None


def _read_yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(_read_text(path))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}; correct that line") from None


def _validate(model: type[_T], value: Any, where: str) -> _T:
    """Validate against a typed class; the first complaint becomes one line."""
    try:
        return TypeAdapter(model).validate_python(value)
    except ValidationError as error:
        # a misspelt key is also a missing one; the misspelling is what helps
        first = min(error.errors(), key=lambda complaint: complaint["type"] != "extra_forbidden")
        kind, key = first["type"], _dotted(first["loc"], value)
        if kind == "extra_forbidden":
            close = difflib.get_close_matches(str(first["loc"][-1]), _known_keys(model, first["loc"]), n=1)
            hint = f"did you mean {close[0]!r}?" if close else "remove it"
            raise ConfigError(f"{where}: unknown key {key!r}; {hint}") from None
        if kind == "missing":
            raise ConfigError(f"{where}: {key}{'.' * bool(key)}{first['loc'][-1]} is missing; add it") from None
        if kind == "union_tag_not_found":
            raise ConfigError(f"{where}: {key}.kind is missing; add it") from None
        wish, found = first["msg"].partition("should ")[2] or first["msg"], first["input"]
        if kind == "union_tag_invalid":
            key, found = f"{key}.kind", found["kind"]
            wish = "be " + " or ".join(first["ctx"]["expected_tags"].rsplit(", ", 1))
        shown = repr(found) if len(repr(found)) < 60 else f"{repr(found)[:60]}..."
        raise ConfigError(f"{where}: {key or 'its content'} should {wish}, found {shown}") from None


def _dotted(location: tuple[int | str, ...], value: Any) -> str:
    """A place in ``value`` as a person would write it, without the names of types that pydantic tried."""
    parts = []
    for part in location:
        if part in value if isinstance(value, Mapping) else isinstance(value, list) and isinstance(part, int):
            value = value[part]
            parts.append(str(part))
    return ".".join(parts)


def _known_keys(model: Any, location: tuple[int | str, ...]) -> list[str]:
    """The keys that may stand beside the last part of ``location``."""
    models = models_in(model)
    for part in location[:-1]:
        fields = [model.model_fields[str(part)] for model in models if part in model.model_fields]
        if fields:
            models = [model for field in fields for model in models_in(field.annotation)]
        else:  # a key of a mapping, a place in a list, or the kind of a model or study
            models = [model for model in models if part == _kind(model)] or models
    return [name for model in models for name in model.model_fields]


def _kind(model: type[BaseModel]) -> str | None:
    """The one value of the key ``kind``, which tells the members of a union apart."""
    return get_args(model.model_fields["kind"].annotation)[0] if "kind" in model.model_fields else None


def _merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``changes`` merged in, mapping by mapping; other values are replaced."""
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def _first_match(patterns: Mapping[str, _T], run: str) -> _T | None:
    return next((value for pattern, value in patterns.items() if fnmatchcase(run, pattern)), None)


def _read_scale(folder: Path, name: str, children: tuple[str, ...] = ()) -> dict[str, Any]:
    """A scale file over the scale that it extends; ``children`` are the scales that extend this one."""
    path = folder / f"{name}.yaml"
    where = f"{folder / children[-1]}.yaml: extends" if children else "config"
    if name in children:
        raise ConfigError(f"{where}: {' extends '.join([*children, name])}, in a circle; remove one 'extends'")
    if not path.exists():
        known = ", ".join(sorted(other.stem for other in folder.glob("*.yaml")))
        raise ConfigError(f"{where}: scale {name!r} has no file {path}; known scales: {known}")
    values = _read_yaml(path)
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: holds no keys; restore it")
    parent = values.pop("extends", None)
    if parent is None:
        return values
    merged = _merge(_read_scale(folder, str(parent), (*children, name)), values)
    # patterns are tried in order, so a scale's own come before the ones it inherits
    for key in ("epochs", "snapshot_every"):
        if isinstance(own := values.get(key), Mapping):
            merged[key] = {**own, **{pattern: value for pattern, value in merged[key].items() if pattern not in own}}
    # points are one text or patterns of texts, never a mixture of two scales
    schedules = values.get("schedules")
    for schedule, own in schedules.items() if isinstance(schedules, Mapping) else ():
        if isinstance(own, Mapping) and "points" in own:
            merged["schedules"][schedule]["points"] = own["points"]
    return merged


def _read_runs(path: Path) -> dict[str, int]:
    """Run ids and their length in epochs at paper scale."""
    reader = csv.DictReader(_read_text(path).splitlines(), delimiter="\t")
    if reader.fieldnames != ["run", "group", "epochs"]:
        raise ConfigError(f"{path}: the columns are run, group, epochs, separated by tabs; found {reader.fieldnames}")
    runs: dict[str, int] = {}
    for line, row in enumerate(reader, start=2):
        run = row["run"]
        try:
            RunId.parse(run)
        except ConfigError as error:
            raise ConfigError(f"{path}, line {line}: {error}") from None
        if run in runs:
            raise ConfigError(f"{path}, line {line}: run {run!r} stands there twice; remove one line")
        if not (row["epochs"] or "").isdecimal() or int(row["epochs"]) < 1:
            raise ConfigError(f"{path}, line {line}: epochs must be a whole number of at least 1")
        runs[run] = int(row["epochs"])
    return runs


@dataclass(frozen=True)
class Project:
    """Everything configured, checked as a whole. Made by :func:`load_project`."""

    settings: ProjectSettings
    scale: ScaleSettings
    paper: ScaleSettings
    studies: dict[str, Any]
    epochs: dict[str, int]

    @property
    def run_ids(self) -> list[str]:
        return list(self.epochs)

    def run(self, run: str) -> RunSettings:
        """All that the training of a run depends on, at this scale.

        Raises:
            ConfigError: If no row of config/runs.tsv has that id.
        """
        return self._run(run, self.scale)

    def _run(self, run: str, scale: ScaleSettings) -> RunSettings:
        if run not in self.epochs:
            close = difflib.get_close_matches(run, self.epochs, n=1)
            hint = f"; did you mean {close[0]}?" if close else "; add a row"
            raise ConfigError(f"run {run!r} is no row of config/runs.tsv{hint}")
        run_id = RunId.parse(run)
        for kind, name, known in (("dataset", run_id.data, scale.datasets), ("model", run_id.model, scale.models)):
            if name not in known:
                raise ConfigError(f"run {run!r}: {kind} {name!r} is not in the scale's {kind}s: {', '.join(known)}")
        plateau = run_id.rule == "plat"
        nsgd = None
        if run_id.optimizer == "nsgd":
            nsgd = NsgdSettings(
                gamma=run_id.gamma,
                num_directions=run_id.num_directions,
                num_eigenpairs=max(MIN_NSGD_EIGENPAIRS, run_id.num_directions),
                hessian=scale.hessian,
            )
        return RunSettings(
            run=run,
            dataset_name=run_id.data,
            dataset=scale.datasets[run_id.data],
            model=scale.models[run_id.model].model_dump(mode="json"),
            # twelve digits keep 0.1 * 3 from becoming 0.30000000000000004
            lr=float(f"{run_id.lr * scale.lr_factor:.12g}"),
            batch_size=max(1, round(run_id.batch_size * scale.batch_factor)),
            momentum=run_id.momentum,
            l2=run_id.l2,
            nsgd=nsgd,
            rule="plat" if plateau else "const",
            patience=scale.patience if plateau else None,
            stop_patience=scale.stop_patience if plateau else None,
            seed=run_id.seed,
            epochs=_first_match(scale.epochs, run) or self.epochs[run],
            snapshot_every=_first_match(scale.snapshot_every, run) or 1,
            torch_threads=scale.torch_threads,
        )

    def schedule(self, schedule: str) -> ScheduleSettings:
        """A schedule by name.

        Raises:
            ConfigError: If the scale has no such schedule.
        """
        if schedule not in self.scale.schedules:
            raise ConfigError(
                f"schedule {schedule!r} is not in the scale's schedules: {', '.join(self.scale.schedules)}"
            )
        return self.scale.schedules[schedule]

    def spectrum_settings(self, schedule: str) -> dict[str, Any]:
        """What a spectrum depends on, of a schedule: changed alphas or windows leave it valid."""
        settings = self.schedule(schedule)
        return {
            "num_eigenpairs": settings.num_eigenpairs,
            "accuracy_every": settings.accuracy_every,
            "keep_vectors": settings.directions is not None,
        }

    def place(self, source: str) -> dict[str, Any]:
        """Where the files of a data source are."""
        return self.settings.sources.get(source, SourceSettings()).model_dump(mode="json")

    def points(self, run: str, schedule: str) -> list[int]:
        """The iterations at which a run is measured."""
        text = self.schedule(schedule).points
        if isinstance(text, dict):
            found = _first_match(text, run)
            if found is None:
                raise ConfigError(f"schedules.{schedule}.points: no pattern fits run {run!r}; add one")
            text = found
        settings = self.run(run)
        try:
            return measurement_iterations(text, settings.epochs, settings.steps_per_epoch, settings.lr)
        except ConfigError as error:
            raise ConfigError(f"schedules.{schedule}.points, run {run}: {error}") from None

    def study(self, name: str) -> Any:
        """A study by the name of its figure or table.

        Raises:
            ConfigError: If config/studies.yaml has no such study.
        """
        if name not in self.studies:
            raise ConfigError(f"{name!r} is not in config/studies.yaml; it has {', '.join(self.studies)}")
        return self.studies[name]

    def reductions(self, runs: Iterable[str]) -> list[str]:
        """What was replaced or reduced for these runs against the paper, in words."""
        pairs = [(self._run(run, self.scale), self._run(run, self.paper)) for run in runs]
        notes = dict.fromkeys(note for ours, paper in pairs for note in self._run_reductions(ours, paper))
        lengths = [(ours.epochs, paper.epochs) for ours, paper in pairs if ours.epochs != paper.epochs]
        if lengths:
            shortened, published = zip(*lengths, strict=True)
            notes[f"{_range(shortened)} epochs ({_range(published)})"] = None
        return list(notes)

    def _run_reductions(self, ours: RunSettings, paper: RunSettings) -> Iterable[str]:
        if ours.dataset.source != paper.dataset.source:
            yield f"{SOURCES[ours.dataset.source].title} in place of {SOURCES[paper.dataset.source].title}"
        if (counts := _counts(ours.dataset)) != (published_counts := _counts(paper.dataset)):
            yield f"{counts} training/validation/test examples ({published_counts})"
        if (ours.dataset.flip, ours.dataset.shift) != (paper.dataset.flip, paper.dataset.shift):
            yield "other augmentation" if ours.dataset.flip or ours.dataset.shift else "no augmentation"
        name = RunId.parse(ours.run).model
        for key, value in ours.model.items():
            if value != (was := paper.model.get(key)):
                yield f"{name} {key.replace('_', ' ')} {_words(value)} ({_words(was)})"
        if self.scale.lr_factor != 1:
            yield f"learning rates times {self.scale.lr_factor:g}"
        if self.scale.batch_factor != 1:
            yield f"batch sizes times {self.scale.batch_factor:g}"
        hessian, published = self.scale.hessian, self.paper.hessian
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

    def check(self) -> None:
        """Check the facts that tie settings together.

        Raises:
            ConfigError: The first fact that does not hold, with key and remedy.
        """
        for name, dataset in self.scale.datasets.items():
            _check_dataset(f"datasets.{name}", dataset)
        for source, settings in self.settings.sources.items():
            if source not in SOURCES:
                raise ConfigError(f"config: sources.{source} is no data source; known: {', '.join(SOURCES)}")
            if settings.folder is not None and not Path(settings.folder).expanduser().is_dir():
                raise ConfigError(f"config: sources.{source}.folder {settings.folder!r} is no folder; correct the path")
        for key in ("epochs", "snapshot_every"):
            for pattern in getattr(self.scale, key):
                if not any(fnmatchcase(run, pattern) for run in self.epochs):
                    raise ConfigError(
                        f"{key}: pattern {pattern!r} fits no run of config/runs.tsv; correct or remove it"
                    )
        for run in self.epochs:
            self._check_run(self.run(run))
        for name, schedule in self.scale.schedules.items():
            _check_schedule(f"schedules.{name}", schedule)
        for name, study in self.studies.items():
            for run in study.runs():
                self._named(name, self.run, run)
            for curve in study.curves():
                self._named(name, self.points, curve.run, curve.schedule)
                schedule = self.scale.schedules[curve.schedule]
                drawn = getattr(study, "num_eigenvalues", 1)
                if drawn > schedule.num_eigenpairs:
                    raise ConfigError(
                        f"{name}: num_eigenvalues {drawn} exceeds num_eigenpairs {schedule.num_eigenpairs} of schedule "
                        f"{curve.schedule}; raise schedules.{curve.schedule}.num_eigenpairs"
                    )
                if study.wants_directions():
                    if schedule.directions is None:
                        raise ConfigError(
                            f"{name}: schedule {curve.schedule} measures no directions; give it directions"
                        )
                    if (wanted := getattr(study, "direction", None)) is not None:
                        _check_drawn(name, study, curve.schedule, wanted, schedule.directions)

    def _named(self, study: str, call: Any, *arguments: str) -> None:
        try:
            call(*arguments)
        except ConfigError as error:
            raise ConfigError(f"{study} in config/studies.yaml: {error}") from None

    def _check_run(self, run: RunSettings) -> None:
        if run.batch_size > run.dataset.train:
            raise ConfigError(
                f"run {run.run}: batch size {run.batch_size} exceeds {run.dataset.train} training examples; "
                "lower batch_factor"
            )
        model = self.scale.models[RunId.parse(run.run).model]
        side = model.image_size or SOURCES[run.dataset.source].shape[1]
        if side < model.smallest_image:
            raise ConfigError(
                f"run {run.run}: images of side {side} vanish in the model; set its image_size to at least "
                f"{model.smallest_image}"
            )
        scale = self.scale
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


def _counts(dataset: DatasetSettings) -> str:
    return f"{dataset.train:,}/{dataset.val:,}/{dataset.test:,}"


def _range(values: Sequence[int]) -> str:
    lowest, highest = f"{min(values):,}", f"{max(values):,}"
    return lowest if lowest == highest else f"{lowest} to {highest}"


def _words(value: Any) -> str:
    if value is None:
        return "as they are"
    return "/".join(map(str, value)) if isinstance(value, list) else f"{value}"


def _check_dataset(key: str, dataset: Any) -> None:
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


def _check_drawn(name: str, study: Any, schedule: str, direction: int, measured: DirectionSettings) -> None:
    if direction not in measured.indices:
        raise ConfigError(f"{name}: direction {direction} is not in schedules.{schedule}.directions.indices; add it")
    missing = set(study.alphas) - set(measured.alphas)
    if missing:
        raise ConfigError(
            f"{name}: alphas {sorted(missing)} are not in schedules.{schedule}.directions.alphas; add them"
        )


def load_project(config: Mapping[str, Any], folder: Path) -> Project:
    """Read and check the whole configuration.

    Args:
        config: The content of ``config/config.yaml``, after changes on the command line.
        folder: The folder ``config`` with ``scales``, ``runs.tsv`` and ``studies.yaml``.

    Raises:
        ConfigError: In one line, with file, key and remedy.
    """
    settings = _validate(ProjectSettings, dict(config), "config")
    scales = folder / "scales"
    values = _read_scale(scales, settings.scale)
    # the paper's scale first: the others inherit its mistakes
    paper = _validate(ScaleSettings, _read_scale(scales, "paper"), str(scales / "paper.yaml"))
    scale = _validate(ScaleSettings, values, str(scales / f"{settings.scale}.yaml"))
    for name in settings.datasets:
        if name not in scale.datasets:
            raise ConfigError(f"config: datasets.{name} is not in the scale; known: {', '.join(scale.datasets)}")
    project = Project(
        settings=settings,
        scale=_validate(ScaleSettings, _merge(values, {"datasets": settings.datasets}), "config"),
        paper=paper,
        studies=_validate(dict[str, AnyStudy], _read_yaml(folder / "studies.yaml"), str(folder / "studies.yaml")),
        epochs=_read_runs(folder / "runs.tsv"),
    )
    try:
        project.check()
    except ConfigError as error:
        raise ConfigError(f"scale {settings.scale}: {error}") from None
    return project
