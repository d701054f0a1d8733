"""Every setting of a run, with its origin."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sharpest.config.measures import declared
from sharpest.config.project import Project
from sharpest.config.reading import Keys, YamlFile, read_text
from sharpest.config.run import NudgeSettings, RunSettings
from sharpest.config.run_id import RunId
from sharpest.config.scale import MIN_NSGD_EIGENPAIRS
from sharpest.config.scale_files import plain_values
from sharpest.config.schedule import Schedule
from sharpest.config.settings import VariantSettings
from sharpest.errors import ConfigError

_BY_ID, _BY_DEFAULT, _BY_CODE = "the id", "default", "the code"
_WIDEST = 50  # limit of the column of values; a longer value pushes its origin to the right

_Row = tuple[str, Any, str]  # name, value and origin of a setting


def show(project: Project, run: str) -> str:
    """Every setting of a run at the project's scale, with its origin, as aligned text.

    Args:
        project: The configuration.
        run: Id of the run.

    Raises:
        ConfigError: If there is no such run.
    """
    settings, origins = project.run(run), _Origins(project, run)
    parts: list[tuple[str, list[_Row]]] = [
        (f"{run} at scale {project.settings.scale}", list(_training_rows(settings, origins))),
        (f"data set {settings.dataset_name}", list(_dataset_rows(settings, origins))),
        (
            f"model {origins.id.model}",
            [(key, value, origins.of_scale("models", origins.id.model, key)) for key, value in settings.model.items()],
        ),
        ("hessian", [(key, value, origins.of_run("hessian", key)) for key, value in project.hessian(run)]),
    ]
    for name, studies in _schedules_of(project, run).items():
        try:
            rows = list(_schedule_rows(project.schedule(run, name), origins))
        except ConfigError as error:
            rows = [("wrong", str(error), "")]
        parts.append((f"schedule {name}, for {', '.join(studies)}", rows))
    return _aligned(parts)


class _Origins:
    """The origins of the settings of a run: files and lines, the id, defaults, the code."""

    def __init__(self, project: Project, run: str) -> None:
        self.project, self.run, self.id = project, run, RunId.parse(run)
        self.keys, self.row = project.scale_runs.keys(run), project.scale_runs.row(run)
        self._origins = project.scale_runs.origins(run)

    def of_run(self, *keys: str) -> str:
        """The origin of a key of runs."""
        if (entry := self._origins.get(keys)) is None:
            return _BY_DEFAULT
        if entry.keys[:1] == ("runs",):
            return self.of_scale(*entry.keys)
        return self._place(entry.file, (*entry.keys, *keys)) + (f", for {entry.pattern}" if entry.keys else "")

    def of_scale(self, *keys: str | int) -> str:
        """The origin of another key of the scale."""
        for file in reversed(self.project.scale_runs.files):
            if file.line(keys):
                return self._place(file, keys)
        return _BY_DEFAULT

    def of_factor(self, key: str) -> str:
        """The origin of a number in the id that a key of runs multiplies."""
        factor, origin = getattr(self.keys, key), self.of_run(key)
        return _BY_ID if origin == _BY_DEFAULT else f"{_BY_ID}, times {key} {factor:g} of {origin}"

    def of_length(self) -> str:
        """The origin of the end of the run."""
        if self.keys.epochs is not None:
            return self.of_run("epochs")
        table = self.project.folder / "runs.tsv"
        rows = [row.partition("\t")[0] for row in read_text(table).splitlines()]
        return f"{table.relative_to(self.project.folder.parent)}:{rows.index(self.row) + 1}"

    def of_dataset(self, name: str, key: str) -> str:
        """The origin of a key of a data set, which config.yaml can change."""
        settings = self.project.settings
        original = plain_values(self.project.scale_runs.files)["datasets"][name]["source"]
        substitute = settings.substitutes.get(original)
        if key in settings.datasets.get(name, {}):
            return f"config.yaml or the command line: datasets.{name}"
        if substitute and (key == "source" or key in substitute.changes):
            return f"config.yaml or the command line: substitutes.{original}"
        return self.of_scale("datasets", name, key)

    def of_measure(self, schedule: Schedule, measure: str, key: str) -> str:
        """The origin of a setting of a measure that a schedule takes."""
        for other in schedule.measures:
            if key in declared(other).needs.get(measure, {}):
                return f"{other} needs it"
        by_schedule = self.of_run("schedules", schedule.name, "measures", measure, key)
        return self.of_run("measures", measure, key) if by_schedule == _BY_DEFAULT else by_schedule

    def _place(self, file: YamlFile, keys: Keys) -> str:
        return f"{file.path.relative_to(self.project.folder.parent)}:{file.line(keys)}"


def _training_rows(run: RunSettings, origins: _Origins) -> Iterator[_Row]:
    yield "lr", run.lr, origins.of_factor("lr_factor")
    by_batch = origins.of_scale("full_batch_examples") if run.full_batch else origins.of_factor("batch_factor")
    yield "batch_size", run.batch_size, by_batch
    for key in (
        "full_batch",
        "optimizer",
        "momentum",
        "nesterov",
        "beta1",
        "beta2",
        "weight_decay",
        "loss",
        "l2",
        "rule",
        "seed",
    ):
        yield key, getattr(run, key), _BY_ID
    yield "epsilon", run.epsilon, origins.of_scale("adam_epsilon") if run.is_adaptive else _BY_ID
    for key in ("patience", "stop_patience"):
        yield key, getattr(run, key), origins.of_run(key) if run.rule == "plat" else "the id, without the plateau rule"
    yield "epochs", run.epochs, origins.of_length()
    yield "iterations", run.num_iterations, f"{run.steps_per_epoch} in an epoch"
    for key in ("snapshot_every", "clip_norm"):
        yield key, getattr(run, key), origins.of_run(key)
    yield "torch_threads", run.torch_threads, origins.of_scale("torch_threads")
    if run.branch:
        yield "branch.parent", run.branch.parent, _BY_ID
        by_id = origins.keys.branch_epoch is None
        yield "branch.epoch", run.branch.epoch, _BY_ID if by_id else origins.of_run("branch_epoch")
        yield "branch.batch_size", run.branch.batch_size, by_batch
        yield "branch.lr_factor", run.branch.lr_factor, _BY_ID
    if run.nudge:
        yield from _nudge_rows(run.nudge, origins)


def _nudge_rows(nudge: NudgeSettings, origins: _Origins) -> Iterator[_Row]:
    """The scaled step, without its Hessian, which is that of the run and listed separately."""
    if origins.id.variant:
        by_key = {key: origins.of_run("variants", key) for key in VariantSettings.model_fields}
    else:
        by_key = {
            "num_eigenpairs": f"{_BY_CODE}: {MIN_NSGD_EIGENPAIRS}, or as many as directions",
            "refresh_every": origins.of_run("refresh_every"),
            "loss_examples": _BY_CODE,
        }
    by_key["keep_vectors"] = _BY_CODE
    for key, value in nudge:
        if key != "hessian":
            yield f"nudge.{key}", value, by_key.get(key, _BY_ID)


def _dataset_rows(run: RunSettings, origins: _Origins) -> Iterator[_Row]:
    for key, value in run.dataset:
        unchanged = run.full_batch and key in ("flip", "shift")
        yield key, value, f"{_BY_ID}, a full batch" if unchanged else origins.of_dataset(run.dataset_name, key)


def _schedules_of(project: Project, run: str) -> dict[str, list[str]]:
    """The schedules that studies use of a run -> these studies."""
    schedules: dict[str, list[str]] = {}
    for study in project.studies:
        for source in project.study(study).inputs():
            if source.run == run and source.schedule is not None:
                studies = schedules.setdefault(source.schedule, [])
                studies += [study] * (study not in studies)
    return schedules


def _schedule_rows(schedule: Schedule, origins: _Origins) -> Iterator[_Row]:
    points = schedule.points
    yield "points", origins.keys.schedules[schedule.name].points, origins.of_run("schedules", schedule.name, "points")
    yield "number of points", len(points), f"{points[0]} to {points[-1]}"
    for key, value in (("window_epochs", schedule.window), ("shard_points", schedule.shard_points)):
        yield key, value, origins.of_run("schedules", schedule.name, key)
    for measure, settings in schedule.measures.items():
        for key, value in settings:
            yield f"{measure}.{key}", value, origins.of_measure(schedule, measure, key)


def _aligned(parts: Sequence[tuple[str, Sequence[_Row]]]) -> str:
    """Headings with their rows, in three columns."""
    cells = [(head, [(name, _written(value), origin) for name, value, origin in rows]) for head, rows in parts]
    names, values = zip(*((name, value) for _, rows in cells for name, value, _ in rows), strict=True)
    width, value_width = max(map(len, names)), max(len(value) for value in values if len(value) <= _WIDEST)
    blocks = [
        "\n".join([head, *(f"  {name:<{width}}  {value:<{value_width}}  {origin}" for name, value, origin in rows)])
        for head, rows in cells
    ]
    return "\n\n".join(blocks)


def _written(value: Any) -> str:
    """A value as written in a scale file."""
    if isinstance(value, str):
        return value
    return "none" if value is None else json.dumps(value)
