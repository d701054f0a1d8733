"""The measures that a schedule takes, with their settings."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sharpest.config.measure import Measure, Taken
from sharpest.config.measures import declared
from sharpest.config.reading import merge, validate
from sharpest.config.settings import RunKeys
from sharpest.errors import ConfigError


def taken_values(keys: RunKeys, schedule: str, where: str) -> dict[str, dict[str, Any]]:
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


def taken_settings(keys: RunKeys, schedule: str, where: str) -> dict[str, Any]:
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
        for name, own in taken_values(keys, schedule, where).items()
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
