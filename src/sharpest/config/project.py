"""The whole project as one validated object: configuration, scale, runs and studies."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sharpest.config.checks import check_scale
from sharpest.config.measurement import ScheduleSettings
from sharpest.config.reading import first_match, merge, read_runs, read_scale, read_yaml, validate
from sharpest.config.reductions import describe_evaluation, describe_measurement, describe_reductions
from sharpest.config.run import NsgdSettings, RunSettings
from sharpest.config.settings import ProjectSettings, ScaleSettings
from sharpest.config.source import SourceSettings
from sharpest.config.studies import AnyStudy
from sharpest.errors import ConfigError
from sharpest.run_id import RunId
from sharpest.schedule import measurement_iterations

# NSGD keeps this many eigenpairs and nudges the first K in signed order (inventory 1.6)
MIN_NSGD_EIGENPAIRS = 10


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
        return run_settings(run, self.epochs, self.scale)

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
        return _points(self.run(run), schedule, self.schedule(schedule))

    def study(self, name: str) -> Any:
        """A study by the name of its figure or table.

        Raises:
            ConfigError: If config/studies.yaml has no such study.
        """
        if name not in self.studies:
            raise ConfigError(f"{name!r} is not in config/studies.yaml; it has {', '.join(self.studies)}")
        return self.studies[name]

    def check_studies(self) -> None:
        """Check that every run and schedule exists, and measures what is drawn from it.

        Raises:
            ConfigError: With the study and the remedy.
        """
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
        """What was replaced or reduced for these runs against the paper, in words."""
        pairs = [(self.run(run), run_settings(run, self.epochs, self.paper)) for run in runs]
        return describe_reductions(pairs, self.scale, self.paper)

    def study_reductions(self, name: str) -> list[str]:
        """What was replaced or reduced behind a figure or table: its runs, and how they are measured."""
        study = self.study(name)
        curves = [(curve.run, curve.schedule) for curve in study.curves()]
        counts = [
            (len(self.points(run, schedule)), len(_points(paper_run, schedule, self.paper.schedules[schedule])))
            for run, schedule in curves
            for paper_run in [run_settings(run, self.epochs, self.paper)]
        ]
        schedules = [(self.scale.schedules[s], self.paper.schedules[s]) for s in dict.fromkeys(s for _, s in curves)]
        notes = self.reductions(study.runs()) + describe_measurement(counts, schedules, self.scale, self.paper)
        if not curves:
            notes += describe_evaluation(self.scale.evaluation, self.paper.evaluation)
        return notes


def _points(run: RunSettings, name: str, schedule: ScheduleSettings) -> list[int]:
    text = schedule.points
    if isinstance(text, dict):
        found = first_match(text, run.run)
        if found is None:
            raise ConfigError(f"schedules.{name}.points: no pattern fits run {run.run!r}; add one")
        text = found
    try:
        return measurement_iterations(text, run.epochs, run.steps_per_epoch, run.lr)
    except ConfigError as error:
        raise ConfigError(f"schedules.{name}.points, run {run.run}: {error}") from None


def run_settings(run: str, epochs: Mapping[str, int], scale: ScaleSettings) -> RunSettings:
    """The settings of a run at a scale.

    Args:
        run: Run id.
        epochs: Length of every run at paper scale.
        scale: The scale.

    Raises:
        ConfigError: If there is no such run, or the scale lacks its model or data set.
    """
    if run not in epochs:
        close = difflib.get_close_matches(run, epochs, n=1)
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
        epochs=first_match(scale.epochs, run) or epochs[run],
        snapshot_every=first_match(scale.snapshot_every, run) or 1,
        torch_threads=scale.torch_threads,
    )


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
    for name in settings.datasets:
        if name not in scale.datasets:
            raise ConfigError(f"config: datasets.{name} is not in the scale; known: {', '.join(scale.datasets)}")
    project = Project(
        settings=settings,
        scale=validate(ScaleSettings, merge(values, {"datasets": settings.datasets}), "config"),
        paper=paper,
        studies=validate(dict[str, AnyStudy], read_yaml(folder / "studies.yaml"), str(folder / "studies.yaml")),
        epochs=read_runs(folder / "runs.tsv"),
    )
    try:
        check_scale(settings, project.scale, [project.run(run) for run in project.run_ids])
        project.check_studies()
    except ConfigError as error:
        raise ConfigError(f"scale {settings.scale}: {error}") from None
    return project
