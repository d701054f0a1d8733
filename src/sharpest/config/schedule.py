"""Measurement points as text: ``every 4 iterations for 2 epochs, then every epoch``."""

import re

from sharpest.errors import ConfigError

# at most nine digits: a longer number is a slip
_WHOLE = r"(?:0|[1-9]\d{0,8})"


def _length(name: str) -> str:
    return rf"(?P<{name}>{_WHOLE}(?:\.\d{{1,9}})?)?(?P<{name}_over_lr>/lr)? ?(?P<{name}_unit>iterations?|epochs?)"


_EVERY = re.compile(rf"every {_length('step')}(?: for {_length('span')})?")
_POINTS = re.compile(
    rf"(?P<count>{_WHOLE}) points(?: from iteration (?P<first>{_WHOLE}))?(?P<dense>, dense at the start)?"
)
_AT = re.compile(rf"at iterations? (?P<list>{_WHOLE}(?:, ?{_WHOLE})*)")

GRAMMAR = (
    "'every [N] iterations|epochs [for N iterations|epochs]' (segments joined by ', then '; N may be x/lr), "
    "'N points [from iteration M][, dense at the start]' or 'at iterations 0, 4, 120'"
)


def measurement_iterations(text: str, num_epochs: int, steps_per_epoch: int, lr: float) -> list[int]:
    """The iterations (completed updates) at which a run is measured.

    Args:
        text: The schedule; the grammar is ``GRAMMAR``. ``N points`` spreads them evenly from the first (or from
            iteration M) to the last iteration, ``dense at the start`` with distances that grow linearly. A number
            ``x/lr`` counts in units of 1/lr iterations, the time scale on which curvature grows.
        num_epochs: Length of the run.
        steps_per_epoch: Updates in one epoch.
        lr: Learning rate at the start.

    Returns:
        Increasing, all within [0, num_epochs * steps_per_epoch].

    Raises:
        ConfigError: If the text is not understood or a point lies outside the run.

    Source: inventory 1.3 (cadences).
    """
    last = num_epochs * steps_per_epoch

    def iterations(match: re.Match[str], name: str) -> int:
        number = float(match[name] or 1)
        if number == 0:
            raise ConfigError(f"schedule {text!r}: the number in {match[0]!r} is 0; write one above 0")
        if match[f"{name}_over_lr"]:
            number /= lr
        if match[f"{name}_unit"].startswith("epoch"):
            number *= steps_per_epoch
        return max(1, round(number))

    def check_inside(point: int) -> None:
        if point > last:
            raise ConfigError(
                f"schedule {text!r}: iteration {point} lies outside the run, which ends at {last} "
                f"({num_epochs} epochs of {steps_per_epoch}); shorten the schedule or lengthen the run"
            )

    if match := _POINTS.fullmatch(text):
        count, power, first = int(match["count"]), 2 if match["dense"] else 1, int(match["first"] or 0)
        if not 2 <= count <= last - first + 1:
            raise ConfigError(
                f"schedule {text!r}: ask for 2 to {max(last - first + 1, 0)} points, the run ends at iteration {last}"
            )
        return sorted({first + round((last - first) * (i / (count - 1)) ** power) for i in range(count)})
    if match := _AT.fullmatch(text):
        points = sorted({int(part) for part in match["list"].split(",")})
        check_inside(points[-1])
        return points
    points, start = [0], 0
    segments = text.split(", then ")
    for number, segment in enumerate(segments, start=1):
        match = _EVERY.fullmatch(segment)
        if match is None:
            raise ConfigError(f"schedule {text!r} is not understood at {segment!r}; write {GRAMMAR}")
        if number < len(segments) and not match["span_unit"]:
            raise ConfigError(f"schedule {text!r}: {segment!r} has no end, so nothing follows it; add 'for N epochs'")
        end = start + iterations(match, "span") if match["span_unit"] else last
        step = iterations(match, "step")
        # multiples of the step, so that "then every epoch" falls on the starts of epochs
        segment_points = range((start // step + 1) * step, end + 1, step)
        if segment_points:
            check_inside(segment_points[-1])
        points += segment_points
        start = end
    return points
