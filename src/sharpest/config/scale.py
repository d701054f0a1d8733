"""The runs of a scale, with the settings of each, derived from its id and computed once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import translate
from typing import Any

from sharpest.config.measures import declared
from sharpest.config.reading import Keys, YamlFile, merge_all, validate
from sharpest.config.run import BranchSettings, NudgeSettings, RunSettings
from sharpest.config.run_id import FIRST_NEW_SEED, RunId, intervention, without_seed
from sharpest.config.scale_files import Entry, entries_of, examples_of, settings_of_measures
from sharpest.config.schedule import Schedule, measurement_points
from sharpest.config.settings import RunKeys, ScaleSettings
from sharpest.config.variants import intervened, lr_factor, scaled_rate, scales_of_step
from sharpest.errors import ConfigError, meant

# NSGD keeps this many eigenpairs and nudges the first K in signed order (inventory 1.6)
MIN_NSGD_EIGENPAIRS = 10
# the learning rate falls by this factor after the first stage of Fig. 12
FIRST_STAGE_DROP = 0.1


def run_settings(run: str, epochs: int, keys: RunKeys, scale: ScaleSettings) -> RunSettings:
    """The settings of a run at a scale.

    Args:
        run: Run id.
        epochs: Length of the run at paper scale.
        keys: The scale's keys for this run.
        scale: The scale.

    Raises:
        ConfigError: If the scale lacks its model or data set, or its settings do not agree with each other.
    """
    run_id = RunId.parse(run)
    for kind, name, known in (("dataset", run_id.data, scale.datasets), ("model", run_id.model, scale.models)):
        if name not in known:
            raise ConfigError(f"run {run!r}: {kind} {name!r} is not in the scale's {kind}s: {', '.join(known)}")
    dataset, batch_size = scale.datasets[run_id.data], round(run_id.batch_size * keys.batch_factor)
    if run_id.rule == "fb":
        # with augmentation, the batch would differ between updates
        dataset = dataset.model_copy(update={"flip": False, "shift": 0.0})
        batch_size = scale.full_batch_examples
    plateau = run_id.rule == "plat"
    if plateau and None in (keys.patience, keys.stop_patience):
        raise ConfigError(f"run {run!r}: the plateau rule needs patience and stop_patience; give it both")
    settings = {
        "run": run,
        "dataset_name": run_id.data,
        "dataset": dataset,
        "model": scale.models[run_id.model].model_dump(mode="json"),
        "lr": scaled_rate(run_id.lr, keys.lr_factor),
        "batch_size": max(1, batch_size),
        "full_batch": run_id.rule == "fb",
        **_optimizer(run_id, scale),
        "loss": run_id.loss,
        "l2": run_id.l2,
        "clip_norm": keys.clip_norm,
        "nudge": _nudge(run, run_id, keys),
        "branch": _branch(run_id, keys, max(1, batch_size)),
        "rule": "plat" if plateau else "const",
        "patience": keys.patience if plateau else None,
        "stop_patience": keys.stop_patience if plateau else None,
        "seed": run_id.seed,
        "epochs": keys.epochs or epochs,
        "snapshot_every": keys.snapshot_every,
        "torch_threads": scale.torch_threads,
    }
    checked = validate(RunSettings, settings, "config")
    return intervened(checked, run_id.variant) if intervention(run_id.variant) else checked


def _optimizer(run_id: RunId, scale: ScaleSettings) -> dict[str, Any]:
    return {
        "optimizer": "sgd" if run_id.optimizer == "nsgd" else run_id.optimizer,
        **{key: getattr(run_id, key) for key in ("momentum", "nesterov", "beta1", "beta2", "weight_decay")},
        "epsilon": scale.adam_epsilon if run_id.is_adaptive else 0.0,
    }


def _nudge(run: str, run_id: RunId, keys: RunKeys) -> NudgeSettings | None:
    """The scaled step of NSGD and of the variants of Fig. 7."""
    if intervention(run_id.variant):
        return None
    if run_id.variant:
        step = _variant(run, run_id.variant)
        return NudgeSettings(
            **step,
            num_eigenpairs=max(keys.variants.num_eigenpairs, step["num_directions"]),
            refresh_every=keys.variants.refresh_every,
            keep_vectors=False,
            loss_examples=keys.variants.loss_examples,
            hessian=keys.hessian,
        )
    if run_id.optimizer != "nsgd":
        return None
    return NudgeSettings(
        gamma=run_id.gamma,
        correction=run_id.correction,
        num_directions=run_id.num_directions,
        num_eigenpairs=max(MIN_NSGD_EIGENPAIRS, run_id.num_directions),
        refresh_every=keys.refresh_every,
        # runs with such frequent refreshes are short, and measured at each refresh
        keep_vectors=keys.refresh_every is not None,
        loss_examples=None,
        hessian=keys.hessian,
    )


def _variant(run: str, name: str) -> dict[str, Any]:
    try:
        return scales_of_step(name)
    except ConfigError as error:
        raise ConfigError(f"run {run!r}: {error}") from None


def _branch(run_id: RunId, keys: RunKeys, batch_size: int) -> BranchSettings | None:
    """Where a branch leaves its parent: after the first stage of Fig. 12, or where its variant begins."""
    if run_id.parent is None:
        return None
    by_id = run_id.branch_epoch if run_id.variant else run_id.first_stage
    return BranchSettings(
        parent=run_id.parent,
        epoch=by_id if keys.branch_epoch is None else keys.branch_epoch,
        batch_size=batch_size,
        lr_factor=lr_factor(run_id.variant) if run_id.variant else FIRST_STAGE_DROP,
    )


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
        self._keys: dict[_Fitting, tuple[RunKeys, Mapping[Keys, Entry]]] = {}
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
        return self._keys_of(run)[0]

    def origins(self, run: str) -> Mapping[Keys, Entry]:
        """The keys of each value of ``keys`` that a file sets -> the entry that sets it."""
        return self._keys_of(run)[1]

    def _keys_of(self, run: str) -> tuple[RunKeys, Mapping[Keys, Entry]]:
        fitting = self._entries_that_fit(run)
        if fitting not in self._keys:
            entries = [self._entries[number] for number in fitting]
            values, origins = merge_all((entry, entry.values) for entry in entries)
            self._keys[fitting] = validate(RunKeys, values, f"run {run}"), origins
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
                measures=self._measures_of(settings, name),
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
        raise ConfigError(f"run {run!r} is not in config/runs.tsv; {meant(run, self.epochs, 'add a row')}")

    def _points(self, run: RunSettings, name: str) -> list[int | str]:
        """The points of a schedule on a run, counted from its start."""
        schedules = self.keys(run.run).schedules
        if name not in schedules:
            hint = meant(name, schedules, "correct it")
            raise ConfigError(f"schedule {name!r} is not in the scale's schedules: {', '.join(schedules)}; {hint}")
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

    def _measures_of(self, run: RunSettings, name: str) -> dict[str, Any]:
        """The settings of the measures that a schedule takes on a run."""
        keys, place = self.keys(run.run), (self._entries_that_fit(run.run), name)
        if place not in self._measures:
            self._measures[place] = settings_of_measures(keys, name, f"run {run.run}: ")
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
