"""The whole project as one validated object: configuration, scale, runs and studies."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sharpest.config.checks import check_scale
from sharpest.config.reading import merge, read_runs, validate
from sharpest.config.reductions import describe_measures, describe_points, describe_runs, describe_seeds
from sharpest.config.run import HessianSettings, ImageSettings, RunSettings
from sharpest.config.run_id import FIRST_NEW_SEED, RunId, without_seed
from sharpest.config.scale import ScaleRuns
from sharpest.config.scale_files import check_scale_files, place_in, plain_values, read_scale
from sharpest.config.schedule import Schedule
from sharpest.config.settings import ProjectSettings, ScaleSettings
from sharpest.config.sources import SourceSettings
from sharpest.config.study_files import BEYOND, PAPER, read_studies, stated
from sharpest.errors import ConfigError


@dataclass(frozen=True)
class Project:
    """The whole configuration, checked. Made by ``load_project``.

    Attributes:
        settings: config/config.yaml.
        scale: The scale, without the keys of single runs; see ``run``, ``hessian`` and ``schedule``.
        paper: The scale of the paper, likewise.
        studies: Figures and tables, by name, as in their files, with all seeds: those of the scale, or else the paper's
            and then those beyond it.
        beyond: Names of the studies beyond the paper, from config/beyond.yaml.
        scale_runs: The runs at the scale.
        paper_runs: The same runs as published.
        folder: The folder ``config``.
    """

    settings: ProjectSettings
    scale: ScaleSettings
    paper: ScaleSettings
    studies: dict[str, Any]
    beyond: tuple[str, ...]
    scale_runs: ScaleRuns = field(compare=False)
    paper_runs: ScaleRuns = field(compare=False)
    folder: Path = field(compare=False)
    # planning asks for these of each study many times
    _with_seeds: dict[str, Any] = field(default_factory=dict, init=False, compare=False, repr=False)
    _reduced: dict[str, list[str]] = field(default_factory=dict, init=False, compare=False, repr=False)

    @property
    def epochs(self) -> Mapping[str, int]:
        """Length of every run at paper scale."""
        return self.scale_runs.epochs

    @property
    def run_ids(self) -> list[str]:
        """The runs that the scale uses: all, or if it has studies of its own, those of them, and its own runs."""
        if not self.scale.studies:
            return list(self.epochs)
        named = [*self.scale.runs, *(run for study in self.studies.values() for run in study.runs())]
        return list(dict.fromkeys(run for each in named for run in self._with_trunks(each)))

    def _with_trunks(self, run: str) -> Iterator[str]:
        """The trunks that a branch leaves, first the one that is no branch itself, then the run."""
        if (parent := RunId.parse(run).parent) is not None and parent in self.epochs:
            yield from self._with_trunks(parent)
        yield run

    @property
    def figures(self) -> list[str]:
        """Names of the paper's figures, including those that the scale adds."""
        return [name for name, study in self.studies.items() if not study.is_table and name not in self.beyond]

    @property
    def tables(self) -> list[str]:
        """Names of the paper's tables, including those that the scale adds."""
        return [name for name, study in self.studies.items() if study.is_table]

    def run(self, run: str) -> RunSettings:
        """Everything that the training of a run depends on, at this scale.

        Raises:
            ConfigError: If the id is not in config/runs.tsv.
        """
        return self.scale_runs.run(run)

    def hessian(self, run: str) -> HessianSettings:
        """Settings of the Hessian that is measured on a run."""
        return self.scale_runs.keys(run).hessian

    def schedule(self, run: str, schedule: str) -> Schedule:
        """A schedule on a run: its points and its measures.

        Raises:
            ConfigError: If the scale has no such schedule, or it does not fit the run.
        """
        return self.scale_runs.schedule(run, schedule)

    def curves_by_shards(self) -> tuple[list[str], list[str]]:
        """``<run>/<schedule>`` of those that several jobs measure, and of those that one does, in a study or not."""
        sharded: list[str] = []
        whole: list[str] = []
        for run in self.run_ids:
            for name in self.scale.schedules:
                (sharded if self.scale_runs.is_sharded(run, name) else whole).append(f"{run}/{name}")
        return sharded, whole

    def warnings(self) -> list[str]:
        """Warnings about settings that are allowed but rarely intended."""
        runs = [self.run(run) for run in self.run_ids]
        return [
            f"run {run.run}: batch size {run.batch_size} exceeds {run.dataset.num_train} training examples; each of "
            "its updates sees all of them"
            for run in runs
            if isinstance(run.dataset, ImageSettings) and run.batch_size > run.dataset.num_train
        ]

    def contents(self) -> str:
        """What a scale holds, in one line: studies, runs, and how many new seeds each run has."""
        runs = {run for name in self.studies for run in self.study(name).runs()}
        counts = [len(self.seeds(name)) for name in self.studies]
        seeds = f", with up to {max(counts)} new seeds each" if any(counts) else ""
        return (
            f"scale {self.settings.scale}: {len(self.figures)} figures, {len(self.tables)} tables and "
            f"{len(self.beyond)} figures beyond the paper, of {len(runs):,} runs{seeds}"
        )

    def place(self, source: str) -> dict[str, Any]:
        """The location of the files of a data source."""
        return self.settings.sources.get(source, SourceSettings()).model_dump(mode="json")

    def study(self, name: str) -> Any:
        """A study by the name of its figure or table; its texts state the settings used.

        Raises:
            ConfigError: If there is no such study.
        """
        if name not in self.studies:
            raise ConfigError(f"{name!r} is not in {PAPER} or {BEYOND}; they have {', '.join(self.studies)}")
        if name not in self._with_seeds:
            self._with_seeds[name] = self._of_seeds(name, self.seeds(name))
        return self._with_seeds[name]

    def _of_seeds(self, name: str, seeds: range) -> Any:
        """A study of some new seeds; without any, of those of the paper that the scale uses."""
        study = stated(self.studies[name], self.run, self._published)
        if seeds:
            return study.of_seeds(seeds)
        return study.with_first_seeds(self.scale.paper_seeds[name]) if name in self.scale.paper_seeds else study

    def _published(self, run: str) -> RunSettings | None:
        """The settings of a run in the paper; None if the scale adds the run."""
        return None if run in self.scale.runs else self.paper_runs.run(run)

    def seeds(self, study: str | None = None) -> range:
        """The new seeds of the runs of a study, or of runs outside studies; empty if they have the paper's seeds."""
        scale = self.scale.seeds
        own, all_studies = (scale.get(study or ""), None) if isinstance(scale, dict) else (None, scale)
        known = self.studies.get(study or "")
        wanted = (self.settings.seeds, own, known.seeds if known else None, all_studies, 0)
        count = next(number for number in wanted if number is not None)
        return range(FIRST_NEW_SEED, FIRST_NEW_SEED + count)

    def check(self) -> None:
        """Check the settings of the runs that the scale uses, and its studies.

        Raises:
            ConfigError: For the first mistake, with the remedy.
        """
        try:
            check_scale(self.settings, self.scale_runs, self.run_ids)
            self._check_studies()
        except ConfigError as error:
            raise ConfigError(f"scale {self.settings.scale}: {error}") from None

    def _check_studies(self) -> None:
        """Check that all runs and schedules of the studies exist, and that the schedules measure what is drawn."""
        for name in self.studies:
            try:
                # runs that differ only in a new seed have the same settings
                self._check_study(self._of_seeds(name, self.seeds(name)[:1]))
            except ConfigError as error:
                raise ConfigError(f"{name} in {self._file_of(name)}: {error}") from None
        by_name = self.scale.seeds if isinstance(self.scale.seeds, dict) else {}
        # a scale of other studies may extend one that names the paper's
        for name in () if self.scale.studies else (*by_name, *self.scale.paper_seeds, *self.scale.notes):
            self.study(name)

    def _file_of(self, study: str) -> str:
        """The file in which a study stands; for one of the scale, with the line."""
        if study in self.scale.studies:
            return place_in(self.scale_runs.files, ("studies", study))
        return BEYOND if study in self.beyond else PAPER

    def _check_study(self, study: Any) -> None:
        for run in study.runs():
            self.run(run)
        for source in study.inputs():
            if source.schedule is not None:
                study.check(source, self.schedule(source.run, source.schedule))

    def reductions(self, runs: Iterable[str]) -> list[str]:
        """What was replaced or reduced for these runs compared with the paper; omits runs that the scale adds."""
        added = set(map(without_seed, self.scale.runs))
        published = [run for run in runs if without_seed(run) not in added]
        return describe_runs(published, self.scale_runs, self.paper_runs)

    def study_reductions(self, name: str) -> list[str]:
        """What was replaced or reduced behind a figure or table: in its runs, and in how they are measured."""
        if name not in self._reduced:
            self._reduced[name] = self._study_reductions(name)
        return self._reduced[name]

    def _study_reductions(self, name: str) -> list[str]:
        study = self.study(name)
        if name in self.scale.studies or name in self.beyond:
            return ["not in the paper", *self.reductions(study.runs())]
        both, measured = (self.scale_runs, self.paper_runs), _measured(study)
        curves = list(dict.fromkeys((run, schedule) for _, run, schedule in measured))
        along = [(run, name) for run, name in curves if isinstance(self.schedule(run, name).points[0], int)]
        return [
            *self.reductions(study.runs()),
            *describe_seeds(study.runs(), self.studies[name].runs()),
            *describe_points(along, *both),
            *describe_measures(measured, *both),
        ]


def _measured(study: Any) -> list[tuple[str, str, str]]:
    """Measure, run and schedule of the measured files that a study reads."""
    inputs = study.inputs()
    return [(source.kind, source.run, source.schedule) for source in inputs if source.schedule is not None]


def _datasets(datasets: Mapping[str, Any], settings: ProjectSettings) -> dict[str, Any]:
    """A scale's data sets, with their sources substituted, then with the changes to single data sets."""
    substituted = dict(datasets)
    for name, dataset in datasets.items():
        if substitute := settings.substitutes.get(dataset["source"]):
            substituted[name] = {**dataset, "source": substitute.source, **substitute.changes}
    return merge(substituted, settings.datasets)


def load_project(config: Mapping[str, Any], folder: Path, checked: bool = True) -> Project:
    """Read and check the whole configuration.

    Args:
        config: The content of ``config/config.yaml``, with the changes from the command line.
        folder: The folder ``config`` with ``scales``, ``runs.tsv``, ``studies.yaml`` and ``beyond.yaml``.
        checked: Check its runs and studies; otherwise only its keys, so that an invalid scale can be looked at.

    Raises:
        ConfigError: In one line, with file, key and remedy.
    """
    settings = validate(ProjectSettings, dict(config), "config")
    files, paper_files = (read_scale(folder / "scales", name) for name in (settings.scale, "paper"))
    # the paper's scale first: the others inherit its mistakes
    paper = check_scale_files(paper_files)
    scale = check_scale_files(files)
    for name in settings.datasets:
        if name not in scale.datasets:
            raise ConfigError(f"config: datasets.{name} is not in the scale; known: {', '.join(scale.datasets)}")
    values = plain_values(files)
    scale = validate(ScaleSettings, {**values, "datasets": _datasets(values["datasets"], settings)}, "config")
    published, beyond = read_studies(folder, scale.studies, lambda name: place_in(files, ("studies", name)))
    epochs = read_runs(folder / "runs.tsv") | scale.runs
    project = Project(
        settings=settings,
        scale=scale,
        paper=paper,
        studies=published | beyond,
        beyond=tuple(beyond),
        scale_runs=ScaleRuns(scale, files, epochs),
        paper_runs=ScaleRuns(paper, paper_files, epochs, only_compared=True),
        folder=folder,
    )
    if checked:
        project.check()
    return project
