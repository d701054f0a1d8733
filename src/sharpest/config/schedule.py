"""Points at which a run is measured, and the schedules that have them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from sharpest.errors import ConfigError

# at most nine digits: a longer number is a typing error
_WHOLE = r"(?:0|[1-9]\d{0,8})"


def _length(name: str) -> str:
    return rf"(?P<{name}>{_WHOLE}(?:\.\d{{1,9}})?)?(?P<{name}_over_lr>/lr)? ?(?P<{name}_unit>iterations?|epochs?)"


_EVERY = re.compile(rf"every {_length('step')}(?: for {_length('span')})?")
_POINTS = re.compile(
    rf"(?P<count>{_WHOLE}) points(?: from iteration (?P<first>{_WHOLE}))?(?P<dense>, dense at the start)?"
    r"(?P<snapped>, snapped to epochs)?"
)
_AT = re.compile(rf"at iterations? (?P<list>{_WHOLE}(?:, ?{_WHOLE})*)")

BEST_AND_LAST = "best and last"
"""The text of the two end points: the snapshot of best validation accuracy, and the last one."""

GRAMMAR = (
    "'every [N] iterations|epochs [for N iterations|epochs]' (segments joined by ', then '; N may be x/lr), "
    "'N points [from iteration M][, dense at the start][, snapped to epochs]', 'at iterations 0, 4, 120', "
    f"or '{BEST_AND_LAST}' alone"
)


@dataclass(frozen=True)
class _Run:
    """The properties of a run that determine its points: length in epochs, updates per epoch, initial learning rate."""

    num_epochs: int
    steps_per_epoch: int
    lr: float

    @property
    def last(self) -> int:
        return self.num_epochs * self.steps_per_epoch

    def check_inside(self, text: str, point: int) -> None:
        if point > self.last:
            raise ConfigError(
                f"schedule {text!r}: iteration {point} lies outside the run, which ends at {self.last} "
                f"({self.num_epochs} epochs of {self.steps_per_epoch}); shorten the schedule or lengthen the run"
            )


@dataclass(frozen=True)
class _Length:
    """A number of iterations, of epochs, or of iterations over the learning rate."""

    number: float
    over_lr: bool
    in_epochs: bool

    def iterations(self, run: _Run) -> int:
        number = self.number / run.lr if self.over_lr else self.number
        return max(1, round(number * run.steps_per_epoch if self.in_epochs else number))


_Points = Callable[[_Run], list[int | str]]


def check_points(text: str) -> None:
    """Check that a text follows the grammar, for any run.

    Raises:
        ConfigError: If it does not; in one line, with the grammar.
    """
    if text != BEST_AND_LAST:
        _parsed(text)


@lru_cache(maxsize=4096)
def measurement_points(text: str, num_epochs: int, steps_per_epoch: int, lr: float) -> list[int | str]:
    """The iterations (completed updates) at which a run is measured. Similar runs share the list: do not modify it.

    Args:
        text: The schedule; its grammar is ``GRAMMAR``. ``N points`` are spread evenly from the first iteration (or from
            iteration M) to the last one; ``dense at the start``, their distances grow linearly; ``snapped to epochs``,
            a point more than an epoch after the one before it moves to the nearest end of an epoch; if that state is
            a snapshot, no training is replayed. A number ``x/lr`` counts in units of 1/lr iterations, the time scale
            on which curvature grows.
        num_epochs: Length of the run.
        steps_per_epoch: Updates in one epoch.
        lr: Learning rate at the start.

    Returns:
        Increasing iterations within [0, num_epochs * steps_per_epoch]; for ``best and last``, these two words.

    Raises:
        ConfigError: If the text is not understood or a point lies outside the run.

    Source: inventory 1.3 (cadences).
    """
    if text == BEST_AND_LAST:
        return ["best", "last"]
    return _parsed(text)(_Run(num_epochs, steps_per_epoch, lr))


@lru_cache(maxsize=4096)
def _parsed(text: str) -> _Points:
    """The function that maps a run to its points."""
    if match := _POINTS.fullmatch(text):
        spread = _spread(text, int(match["count"]), int(match["first"] or 0), power=2 if match["dense"] else 1)
        return _snapped(spread) if match["snapped"] else spread
    if match := _AT.fullmatch(text):
        return _listed(text, sorted({int(part) for part in match["list"].split(",")}))
    return _stepped(text)


def _spread(text: str, count: int, first: int, power: int) -> _Points:
    """``N points``."""

    def points(run: _Run) -> list[int | str]:
        available = max(run.last - first + 1, 0)
        if not 2 <= count <= available:
            raise ConfigError(
                f"schedule {text!r}: ask for 2 to {available} points, the run ends at iteration {run.last}"
            )
        return [*sorted({first + round((run.last - first) * (i / (count - 1)) ** power) for i in range(count)})]

    return points


def _snapped(spread: _Points) -> _Points:
    """Points of which those more than an epoch after the one before them move to the nearest end of an epoch."""

    def points(run: _Run) -> list[int | str]:
        iterations = [int(point) for point in spread(run)]
        epoch = run.steps_per_epoch
        moved = [
            round(point / epoch) * epoch if point - before > epoch else point for before, point in pairwise(iterations)
        ]
        return [iterations[0], *moved]

    return points


def _listed(text: str, iterations: list[int]) -> _Points:
    """``at iterations``."""

    def points(run: _Run) -> list[int | str]:
        run.check_inside(text, iterations[-1])
        return [*iterations]

    return points


def _stepped(text: str) -> _Points:
    """``every``, segment by segment."""
    matches = []
    for segment in text.split(", then "):
        match = _EVERY.fullmatch(segment)
        if match is None:
            raise ConfigError(f"schedule {text!r} is not understood at {segment!r}; write {GRAMMAR}")
        matches.append(match)
    for match, _ in pairwise(matches):
        if not match["span_unit"]:
            raise ConfigError(f"schedule {text!r}: {match[0]!r} has no end, but a segment follows; add 'for N epochs'")
    segments = [(_length_of(text, match, "step"), _length_of(text, match, "span")) for match in matches]

    def points(run: _Run) -> list[int | str]:
        iterations: list[int | str] = [0]
        start = 0
        for step, span in segments:
            assert step is not None  # the grammar requires it
            end = start + span.iterations(run) if span else run.last
            every = step.iterations(run)
            # multiples of the step, so that "then every epoch" falls on the starts of epochs
            segment = range((start // every + 1) * every, end + 1, every)
            if segment:
                run.check_inside(text, segment[-1])
            iterations += segment
            start = end
        return iterations

    return points


def _length_of(text: str, match: re.Match[str], name: str) -> _Length | None:
    if not match[f"{name}_unit"]:
        return None
    number = float(match[name] or 1)
    if number == 0:
        raise ConfigError(f"schedule {text!r}: the number in {match[0]!r} is 0; write one above 0")
    return _Length(number, bool(match[f"{name}_over_lr"]), match[f"{name}_unit"].startswith("epoch"))


@dataclass(frozen=True)
class Schedule:
    """A schedule on one run.

    Attributes:
        run: Id of the run.
        name: Name of the schedule.
        points: Completed updates at which the run is measured, increasing; or its snapshots ``best`` and ``last``.
        window: Early window in epochs, which figures draw separately; None if there is none.
        shard_points: Points that one job measures; None = all.
        measures: Settings of each measure taken, by name; a measure comes after those that it needs.
    """

    run: str
    name: str
    points: list[int | str]
    window: float | None
    shard_points: int | None
    measures: dict[str, Any]

    @property
    def segments(self) -> list[list[int | str]]:
        """The points, split into shards of one job each."""
        length = self.shard_points or len(self.points)
        return [self.points[first : first + length] for first in range(0, len(self.points), length)]
