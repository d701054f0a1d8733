"""The files of a scale, and the measures that its runs take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sharpest.config.measures import Measure, Taken, declared
from sharpest.config.reading import Keys, YamlFile, check_part, is_whole, merge, merge_all, read_yaml_file, validate
from sharpest.config.run_id import RunId
from sharpest.config.schedule import check_points
from sharpest.config.settings import ForRuns, RunKeys, ScaleFile, ScaleSettings
from sharpest.errors import ConfigError, meant


def values_of_measures(keys: RunKeys, schedule: str, where: str) -> dict[str, dict[str, Any]]:
    """The keys of each measure that a schedule takes: the measure's own, the schedule's, and those that others need.

    Args:
        keys: The keys of a run.
        schedule: Name of one of its schedules.
        where: Beginning of an error message.

    Returns:
        Keys by name of the measure, in the order in which the measures can be taken.

    Raises:
        ConfigError: If a measure needs one that the schedule does not take.
    """
    by_schedule = {name: own for name, own in keys.schedules[schedule].measures.items() if own is not None}
    values = {name: merge(keys.measures.get(name, {}), own) for name, own in by_schedule.items()}
    for name in values:
        for needed, required in declared(name).needs.items():
            if needed not in values:
                raise ConfigError(
                    f"{where}schedules.{schedule}.measures.{name} needs {needed} at the same points; add {needed} to "
                    "the schedule"
                )
            values[needed] = merge(values[needed], required)
    return {name: values[name] for name in _in_order(values)}


def settings_of_measures(keys: RunKeys, schedule: str, where: str) -> dict[str, Any]:
    """The typed settings of each measure that a schedule takes, checked against each other.

    Args:
        keys: The keys of a run.
        schedule: Name of one of its schedules.
        where: Beginning of an error message.

    Raises:
        ConfigError: If a key is missing, or a measure's own check fails; in one line.
    """
    place = f"{where}schedules.{schedule}"
    settings = {
        name: validate(declared(name).settings, own, f"{place}.measures.{name}")
        for name, own in values_of_measures(keys, schedule, where).items()
    }
    taken = Taken(settings, keys.schedules[schedule].shard_points)
    for name, own in settings.items():
        _check_lengths(declared(name), own)
        try:
            declared(name).check(own, taken)
        except ConfigError as error:
            raise ConfigError(f"{place}.measures.{name}: {error}") from None
    return settings


def _check_lengths(measure: Measure, settings: Any) -> None:
    """Check that every dimension of a measure's arrays has a length, before any point is measured."""
    place = f"correct src/sharpest/measures/{measure.name}/__init__.py"
    try:
        lengths = measure.lengths(settings)
    except Exception as error:  # a user's functions may raise anything
        raise ConfigError(f"measure {measure.name}: sizes or constants: {error}; {place}") from error
    for dataset in measure.layout.datasets:
        for letter in dataset.dims:
            if letter not in {"t", "v", "p", "x", *lengths}:
                raise ConfigError(
                    f"measure {measure.name}: dimension {letter} of {dataset.name} has no length; give the declaration "
                    f'sizes, such as sizes=lambda settings, p: {{"{letter}": 3}}; {place}'
                )


def examples_of(settings: Mapping[str, Any], keys: RunKeys, schedule: str) -> Iterator[tuple[str, int]]:
    """Every setting that counts examples of a run, with its key."""
    for name, own in settings.items():
        for key, value in own:
            if key.endswith("examples") and value is not None:
                by_schedule = key in (keys.schedules[schedule].measures[name] or {})
                yield f"{f'schedules.{schedule}.' * by_schedule}measures.{name}.{key}", value


def _in_order(names: Iterable[str]) -> list[str]:
    """Names with each measure after those it needs, else in alphabetical order: the order of keys does not matter."""
    placed: list[str] = []

    def place(name: str, waiting: tuple[str, ...]) -> None:
        if name in waiting:
            raise ConfigError(f"measures {', '.join(waiting)} need each other; remove one need")
        for needed in sorted(declared(name).needs):
            place(needed, (*waiting, name))
        if name not in placed:
            placed.append(name)

    for name in sorted(names):
        place(name, ())
    return placed


@dataclass(frozen=True)
class Entry:
    """The keys that a file sets for all runs, or for some.

    Attributes:
        file: The file.
        keys: Keys under which the values stand in the file.
        pattern: Pattern of the run ids.
        values: Values by key of runs.
    """

    file: YamlFile
    keys: Keys
    pattern: str
    values: Mapping[str, Any]

    def place(self, *keys: str | int) -> str:
        """File and line of a key of the entry."""
        return self.file.place((*self.keys, *keys))


def read_scale(folder: Path, name: str, children: tuple[str, ...] = ()) -> tuple[YamlFile, ...]:
    """The files of a scale, the extended ones first; ``children`` are the scales that extend this one.

    Raises:
        ConfigError: If a file is missing or not a mapping, or the scales extend each other in a circle.
    """
    path = folder / f"{name}.yaml"
    where = f"{folder / children[-1]}.yaml: extends" if children else "config"
    if name in children:
        raise ConfigError(f"{where}: {' extends '.join([*children, name])}, in a circle; remove one 'extends'")
    if not path.exists():
        known = ", ".join(sorted(other.stem for other in folder.glob("*.yaml")))
        raise ConfigError(f"{where}: scale {name!r} has no file {path}; known scales: {known}")
    file = read_yaml_file(path)
    if not isinstance(file.values, dict):
        raise ConfigError(f"{path}: holds no keys; restore it")
    parent = file.values.get("extends")
    return (file,) if parent is None else (*read_scale(folder, str(parent), (*children, name)), file)


def plain_values(files: Sequence[YamlFile]) -> dict[str, Any]:
    """The keys of the files for all runs and for the rest of the scale; later files take precedence."""
    plain = ({key: value for key, value in file.values.items() if key in ScaleSettings.model_fields} for file in files)
    return merge_all((None, part) for part in plain)[0]


def place_in(files: Sequence[YamlFile], keys: Keys) -> str:
    """File and line of a key; of several files that set it, the last."""
    return next((file for file in reversed(files) if file.line(keys)), files[-1]).place(keys)


def entries_of(file: YamlFile) -> Iterator[Entry]:
    """The run keys of a checked file: those for all runs, the lengths of its own runs, then those for some runs."""
    yield Entry(file, (), "*", {key: file.values[key] for key in RunKeys.model_fields if key in file.values})
    for run, epochs in file.values.get("runs", {}).items():
        yield Entry(file, ("runs", run), run, {"epochs": epochs})
    for number, entry in enumerate(file.values.get("for_runs", ())):
        for key in ForRuns.model_fields:
            if key not in entry:
                raise ConfigError(f"{file.place(('for_runs', number))}: for_runs: an entry has no {key}; add it")
        yield Entry(file, ("for_runs", number, "set"), entry["runs"], entry["set"])


def check_scale_files(files: Sequence[YamlFile]) -> ScaleSettings:
    """Check every file by itself, and together with those that it extends.

    Returns:
        The combined scale, without the keys of single runs.

    Raises:
        ConfigError: For the first mistake, in one line, with file, line, key and remedy.
    """
    for number, file in enumerate(files, start=1):
        check_part(ScaleFile, file.values, file.place)
        _check_run_ids(file)
        scale = _checked_whole(files[:number])
    return scale


def _checked_whole(files: Sequence[YamlFile]) -> ScaleSettings:
    """The combined scale of files, whose own keys were checked before."""

    def place(keys: Keys) -> str:
        return place_in(files, keys)

    scale = validate(ScaleSettings, plain_values(files), place)
    seen: set[tuple[str, str]] = set()
    for file in files:
        for entry in entries_of(file):
            _check_entry(entry, scale, seen)
    for name in scale.schedules:
        where = f"{place(('schedules', name))}: "
        values = values_of_measures(scale, name, where)
        # the rest may come from the keys of single runs
        if all(is_whole(declared(measure).settings, own) for measure, own in values.items()):
            settings_of_measures(scale, name, where)
    return scale


def _check_run_ids(file: YamlFile) -> None:
    for run in file.values.get("runs", ()):
        try:
            RunId.parse(run)
        except ConfigError as error:
            raise ConfigError(f"{file.place(('runs', run))}: runs: {error}") from None


def _check_entry(entry: Entry, scale: ScaleSettings, seen: set[tuple[str, str]]) -> None:
    """Check the schedules and measures of an entry; ``seen`` collects (schedule, measure) of all entries so far."""
    for measure, values in entry.values.get("measures", {}).items():
        _check_measure(entry, ("measures", measure), values)
    for name, schedule in entry.values.get("schedules", {}).items():
        keys = ("schedules", name)
        if name not in scale.schedules:
            hint = meant(name, scale.schedules, "add it to the scale's own schedules")
            raise ConfigError(f"{entry.place(*keys)}: unknown schedule {name!r}; {hint}")
        if (text := schedule.get("points")) is not None:
            try:
                check_points(text)
            except ConfigError as error:
                raise ConfigError(f"{entry.place(*keys, 'points')}: schedules.{name}.points: {error}") from None
        for measure, values in schedule.get("measures", {}).items():
            if values is not None:
                _check_measure(entry, (*keys, "measures", measure), values)
                seen.add((name, measure))
            elif (name, measure) not in seen:
                raise ConfigError(
                    f"{entry.place(*keys, 'measures', measure)}: schedules.{name}.measures.{measure} is empty; write "
                    "{} to take it with its own settings"
                )


def _check_measure(entry: Entry, keys: Keys, values: Mapping[str, Any]) -> None:
    try:
        settings = declared(str(keys[-1])).settings
    except ConfigError as error:
        raise ConfigError(f"{entry.place(*keys)}: {error}") from None
    check_part(settings, values, entry.file.place, (*entry.keys, *keys))
