"""The runs of a scale, with the settings of each, computed once."""

import difflib
import re
from collections.abc import Mapping, Sequence
from fnmatch import translate
from typing import Any

from sharpest.config.measures import declared
from sharpest.config.plan import run_settings
from sharpest.config.reading import YamlFile, merge_all, validate
from sharpest.config.run import RunSettings
from sharpest.config.run_id import FIRST_NEW_SEED, RunId, without_seed
from sharpest.config.scale_files import Entry, entries_of, examples_of, taken_settings
from sharpest.config.schedule import Schedule, measurement_points
from sharpest.config.settings import RunKeys, ScaleSettings
from sharpest.errors import ConfigError

_Fitting = tuple[int, ...]
"""Indices of the entries that fit a run; runs with the same entries have the same keys."""


class ScaleRuns:
    """The runs at a scale. Settings are cached, since planning asks for each run many times."""

    def __init__(
        self, scale: ScaleSettings, files: Sequence[YamlFile], epochs: Mapping[str, int], only_compared: bool = False
    ) -> None:
        """Gather the entries of the files.

        Args:
            scale: The scale.
            files: The scale's files, checked, the extended ones first.
            epochs: Length of every run at paper scale. A run may also have a seed of 1001 or more; it then has the
                settings of the first run that differs only in the seed.
            only_compared: Nothing runs at this scale, so that a run may have fewer examples than its settings ask for.
        """
        self.scale, self._only_compared = scale, only_compared
        self.files = files
        self.epochs = epochs
        self._published = {without_seed(run): run for run in reversed(list(epochs))}
        self._entries = [entry for file in files for entry in entries_of(file)]
        self._patterns = [re.compile(translate(entry.pattern)).match for entry in self._entries]
        self._fitting: dict[str, _Fitting] = {}
        self._keys: dict[_Fitting, RunKeys] = {}
        self._runs: dict[str, RunSettings] = {}
        self._measures: dict[tuple[_Fitting, str], dict[str, Any]] = {}
        self._schedules: dict[tuple[str, str], Schedule] = {}

    def run(self, run: str) -> RunSettings:
        """Everything that the training of a run depends on.

        Raises:
            ConfigError: If there is no such run, or the scale lacks its model or data set.
        """
        if run not in self._runs:
            self._runs[run] = run_settings(run, self._length(run), self.keys(run), self.scale)
        return self._runs[run]

    def keys(self, run: str) -> RunKeys:
        """The scale's keys for a run."""
        fitting = self._entries_that_fit(run)
        if fitting not in self._keys:
            values = merge_all(self._entries[number].values for number in fitting)
            self._keys[fitting] = validate(RunKeys, values, f"run {run}")
        return self._keys[fitting]

    def schedule(self, run: str, name: str) -> Schedule:
        """A schedule on a run.

        Raises:
            ConfigError: If there is no such schedule, its points lie outside the run, or its measures do not agree with
                each other or ask for more examples than the run has.
        """
        if (run, name) not in self._schedules:
            keys, settings = self.keys(run), self.run(run)
            points = self._points(settings, name)
            self._schedules[run, name] = Schedule(
                run=run,
                name=name,
                points=_from_start(points, settings.start),
                window=keys.schedules[name].window_epochs,
                shard_points=keys.schedules[name].shard_points,
                measures=self._taken(settings, name),
            )
        return self._schedules[run, name]

    def is_sharded(self, run: str, name: str) -> bool:
        """Whether several jobs measure a run by a schedule; false if the schedule does not fit the run."""
        length = self.keys(run).schedules[name].shard_points
        if length is None:
            return False
        try:
            return len(self._points(self.run(run), name)) > length
        except ConfigError:
            return False

    def entries_of(self, run: str) -> list[Entry]:
        """The entries of the files that fit a run; later ones take precedence."""
        return [self._entries[number] for number in self._entries_that_fit(run)]

    def check_patterns(self) -> None:
        """Check that every pattern fits a run.

        Raises:
            ConfigError: For the first pattern that fits none, with its line.
        """
        used = {number for run in self.epochs for number in self._entries_that_fit(run)}
        for number, entry in enumerate(self._entries):
            if number not in used and entry.keys:
                raise ConfigError(
                    f"{entry.place()}: for_runs: pattern {entry.pattern!r} fits no run of config/runs.tsv, nor of the "
                    "scale's runs; correct or remove it"
                )

    def _entries_that_fit(self, run: str) -> _Fitting:
        if run not in self._fitting:
            row = self.row(run)
            self._fitting[run] = tuple(number for number, fits in enumerate(self._patterns) if fits(row))
        return self._fitting[run]

    def _length(self, run: str) -> int:
        return self.epochs[self.row(run)]

    def row(self, run: str) -> str:
        """The run itself, or for a run with a new seed, the first that differs only in the seed."""
        if run in self.epochs:
            return run
        if RunId.parse(run).seed >= FIRST_NEW_SEED and without_seed(run) in self._published:
            return self._published[without_seed(run)]
        close = difflib.get_close_matches(run, self.epochs, n=1)
        hint = f"; did you mean {close[0]}?" if close else "; add a row"
        raise ConfigError(f"run {run!r} is not in config/runs.tsv{hint}")

    def _points(self, run: RunSettings, name: str) -> list[int | str]:
        """The points of a schedule on a run, counted from its start."""
        schedules = self.keys(run.run).schedules
        if name not in schedules:
            close = difflib.get_close_matches(name, schedules, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise ConfigError(f"schedule {name!r} is not in the scale's schedules: {', '.join(schedules)}{hint}")
        text = schedules[name].points
        if text is None:
            raise ConfigError(
                f"schedules.{name} has no points for run {run.run!r}; add points, or an entry of for_runs"
            )
        length = run.epochs - (run.branch.epoch if run.branch else 0)
        try:
            # without a learning rate in the text, runs of all learning rates share the points
            return measurement_points(text, length, run.steps_per_epoch, run.lr if "/lr" in text else 1.0)
        except ConfigError as error:
            raise ConfigError(f"schedules.{name}.points, run {run.run}: {error}") from None

    def _taken(self, run: RunSettings, name: str) -> dict[str, Any]:
        """The settings of the measures that a schedule takes on a run."""
        keys, place = self.keys(run.run), (self._entries_that_fit(run.run), name)
        if place not in self._measures:
            self._measures[place] = taken_settings(keys, name, f"run {run.run}: ")
        for key, examples in examples_of(self._measures[place], keys, name):
            if examples > run.dataset.num_train and not self._only_compared:
                raise ConfigError(
                    f"run {run.run}: {key} {examples} exceeds {run.dataset.num_train} training examples; lower {key}"
                )
        for measure, settings in self._measures[place].items():
            num_eigenpairs = getattr(settings, "num_eigenpairs", 0)
            if num_eigenpairs > keys.hessian.max_products and not self._only_compared:
                raise ConfigError(
                    f"run {run.run}: schedules.{name}.measures.{measure}: num_eigenpairs {num_eigenpairs} exceeds "
                    f"hessian.max_products {keys.hessian.max_products}; raise max_products"
                )
            if run.is_imported and declared(measure).of_training:
                raise ConfigError(
                    f"run {run.run} is imported: only its checkpoints can be measured, and {measure} needs its "
                    f"training; remove {measure} from schedules.{name}"
                )
            try:
                declared(measure).check_run(settings, run)
            except ConfigError as error:
                raise ConfigError(f"run {run.run}: schedules.{name}.measures.{measure}: {error}") from None
        return self._measures[place]


def _from_start(points: list[int | str], start: int) -> list[int | str]:
    """Points in iterations of the whole training, from points counted from the start of a branch."""
    return [start + point if isinstance(point, int) else point for point in points] if start else points
