"""The whole project as one validated object: configuration, scale, runs and studies."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sharpest.claims.ledger import Claim, read_ledger
from sharpest.config.checks import check_scale
from sharpest.config.datasets import ImageSettings
from sharpest.config.measurement import EvaluationSettings, MeasurementSettings, ScheduleSettings
from sharpest.config.patterns import for_run
from sharpest.config.plan import run_settings
from sharpest.config.reading import merge, read_runs, read_scale, read_yaml, validate
from sharpest.config.reductions import describe_evaluation, describe_measurement, describe_reductions, describe_seeds
from sharpest.config.run import HessianSettings, RunSettings
from sharpest.config.run_id import RunId
from sharpest.config.schedule import measurement_iterations
from sharpest.config.settings import ProjectSettings, ScaleSettings
from sharpest.config.source import SourceSettings
from sharpest.config.studies.every import AnyStudy
from sharpest.errors import ConfigError


@dataclass(frozen=True)
class Project:
    """Everything configured, checked as a whole. Made by :func:`load_project`."""

    settings: ProjectSettings
    scale: ScaleSettings
    paper: ScaleSettings
    studies: dict[str, Any]
    epochs: dict[str, int]
    claims: tuple[Claim, ...]

    @property
    def run_ids(self) -> list[str]:
        return list(self.epochs)

    def run(self, run: str) -> RunSettings:
        """All that the training of a run depends on, at this scale.

        Raises:
            ConfigError: If no row of config/runs.tsv has that id.
        """
        if run not in self._runs:
            self._runs[run] = run_settings(run, self.epochs, self.scale)
        return self._runs[run]

    @cached_property
    def _runs(self) -> dict[str, RunSettings]:
        """What was asked for before: planning asks many times for each run."""
        return {}

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

    def hessian(self, run: str) -> HessianSettings:
        """The Hessian that is measured on a run."""
        return self.scale.hessian_of(run)

    def measurement(self, run: str) -> MeasurementSettings:
        """The losses and accuracies that are measured on a run."""
        return self.scale.measurement_of(run)

    def evaluation(self, run: str) -> EvaluationSettings:
        """How the end points of a run are evaluated."""
        return self.scale.evaluation_of(run)

    def window(self, run: str, schedule: str) -> float | None:
        """The early window of a measured run in epochs; None where the schedule has none."""
        return for_run(self.schedule(schedule).window_epochs, run)

    def warnings(self) -> list[str]:
        """What is allowed but seldom meant."""
        runs = [self.run(run) for run in self.run_ids]
        return [
            f"run {run.run}: batch size {run.batch_size} exceeds {run.dataset.num_train} training examples; each of "
            "its updates sees all of them"
            for run in runs
            if isinstance(run.dataset, ImageSettings) and run.batch_size > run.dataset.num_train
        ]

    def place(self, source: str) -> dict[str, Any]:
        """Where the files of a data source are."""
        return self.settings.sources.get(source, SourceSettings()).model_dump(mode="json")

    def points(self, run: str, schedule: str) -> list[int]:
        """The iterations at which a run is measured."""
        settings = self.run(run)
        self.schedule(schedule)
        # a branch counts from its branch point
        return [settings.start + point for point in _relative_points(settings, self.scale, schedule)]

    def segments(self, run: str, schedule: str) -> list[list[int]]:
        """Those iterations, cut into the shards that a job each measures; known before the run ends."""
        points = self.points(run, schedule)
        length = for_run(self.schedule(schedule).shard_points, run) or len(points)
        return [points[first : first + length] for first in range(0, len(points), length)]

    def sharded_curves(self) -> list[str]:
        """``<run>/<schedule>`` wherever several jobs measure, whether a study shows it or not."""
        cut = [name for name, schedule in self.scale.schedules.items() if schedule.shard_points]
        return [f"{run}/{name}" for run in self.run_ids for name in cut if self._is_sharded(run, name)]

    def _is_sharded(self, run: str, schedule: str) -> bool:
        try:
            return len(self.segments(run, schedule)) > 1
        except ConfigError:  # the schedule is not made for that run
            return False

    def study(self, name: str) -> Any:
        """A study by the name of its figure or table.

        Raises:
            ConfigError: If config/studies.yaml has no such study.
        """
        if name not in self.studies:
            raise ConfigError(f"{name!r} is not in config/studies.yaml; it has {', '.join(self.studies)}")
        study = self.studies[name]
        return study.with_seeds(self.scale.seeds[name]) if name in self.scale.seeds else study

    def check_studies(self) -> None:
        """Check that every run and schedule exists, and measures what is drawn from it.

        Raises:
            ConfigError: With the study and the remedy.
        """
        for name in (*self.scale.seeds, *self.scale.notes):
            self.study(name)
        for name, study in self.studies.items():
            try:
                for run in study.runs():
                    self.run(run)
                for curve in study.curves():
                    self.points(curve.run, curve.schedule)
                    study.check_schedule(curve.schedule, self.schedule(curve.schedule))
            except ConfigError as error:
                raise ConfigError(f"{name} in config/studies.yaml: {error}") from None

    def reductions(self, runs: Iterable[str]) -> list[str]:
        """What was replaced or reduced for these runs against the paper, in words; the scale's own are not compared."""
        published = [run for run in runs if run not in self.scale.runs]
        pairs = [(self.run(run), run_settings(run, self.epochs, self.paper)) for run in published]
        return describe_reductions(pairs, self.scale, self.paper)

    def study_reductions(self, name: str) -> list[str]:
        """What was replaced or reduced behind a figure or table: its runs, and how they are measured."""
        study = self.study(name)
        if name in self.scale.studies:
            return ["not in the paper", *self.reductions(study.runs())]
        curves = [(curve.run, curve.schedule) for curve in study.curves()]
        points = [
            (_relative_points(self.run(run), self.scale, name), _relative_points(paper_run, self.paper, name))
            for run, name in curves
            for paper_run in [run_settings(run, self.epochs, self.paper)]
        ]
        schedules = [(self.scale.schedules[s], self.paper.schedules[s]) for s in dict.fromkeys(s for _, s in curves)]
        notes = self.reductions(study.runs()) + describe_seeds(study.runs(), self.studies[name].runs())
        notes += describe_measurement(points, schedules, self.scale, self.paper)
        if "evaluations" in study.reads:
            notes += describe_evaluation(
                [(self.evaluation(run), self.paper.evaluation_of(run)) for run in study.runs()]
            )
        return notes


def _relative_points(run: RunSettings, scale: ScaleSettings, name: str) -> list[int]:
    """The points of a schedule on a run, counted from its start."""
    text = for_run(scale.schedules[name].points, run.run)
    if text is None:
        raise ConfigError(f"schedules.{name}.points: no pattern fits run {run.run!r}; add one")
    length = run.epochs - (run.branch.epoch if run.branch else 0)
    try:
        return measurement_iterations(text, length, run.steps_per_epoch, run.lr)
    except ConfigError as error:
        raise ConfigError(f"schedules.{name}.points, run {run.run}: {error}") from None


def _datasets(datasets: Mapping[str, Any], settings: ProjectSettings) -> dict[str, Any]:
    """A scale's data sets with the substitutes for their sources, then with the changes to single ones."""
    substituted = dict(datasets)
    for name, dataset in datasets.items():
        if substitute := settings.substitutes.get(dataset["source"]):
            substituted[name] = {**dataset, "source": substitute.source, **substitute.changes}
    return merge(substituted, settings.datasets)


def load_project(config: Mapping[str, Any], folder: Path) -> Project:
    """Read and check the whole configuration.

    Args:
        config: The content of ``config/config.yaml``, after changes on the command line.
        folder: The folder ``config`` with ``scales``, ``runs.tsv`` and ``studies.yaml``.

    Raises:
        ConfigError: In one line, with file, key and remedy.
    """
    settings = validate(ProjectSettings, dict(config), "config")
    scales = folder / "scales"
    values = read_scale(scales, settings.scale)
    # the paper's scale first: the others inherit its mistakes
    paper = validate(ScaleSettings, read_scale(scales, "paper"), str(scales / "paper.yaml"))
    scale = validate(ScaleSettings, values, str(scales / f"{settings.scale}.yaml"))
    for run in scale.runs:
        try:
            RunId.parse(run)
        except ConfigError as error:
            raise ConfigError(f"{scales / settings.scale}.yaml: runs: {error}") from None
    for name in settings.datasets:
        if name not in scale.datasets:
            raise ConfigError(f"config: datasets.{name} is not in the scale; known: {', '.join(scale.datasets)}")
    project = Project(
        settings=settings,
        scale=validate(ScaleSettings, {**values, "datasets": _datasets(values["datasets"], settings)}, "config"),
        paper=paper,
        studies=validate(dict[str, AnyStudy], read_yaml(folder / "studies.yaml"), str(folder / "studies.yaml"))
        | scale.studies,
        epochs=read_runs(folder / "runs.tsv") | scale.runs,
        claims=read_ledger(folder / "claims.csv"),
    )
    try:
        check_scale(settings, project.scale, [project.run(run) for run in project.run_ids])
        project.check_studies()
    except ConfigError as error:
        raise ConfigError(f"scale {settings.scale}: {error}") from None
    return project
