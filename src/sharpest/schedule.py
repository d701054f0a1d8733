"""Measurement points as text: ``every 4 iterations for 2 epochs, then every epoch``."""

import re

from sharpest.errors import ConfigError

_LENGTH = r"(?P<{0}>\d+(?:\.\d+)?)?(?P<{0}_over_lr>/lr)? ?(?P<{0}_unit>iterations?|epochs?)"
_EVERY = re.compile(f"every {_LENGTH.format('step')}(?: for {_LENGTH.format('span')})?")
_POINTS = re.compile(r"(?P<count>\d+) points(?P<dense>, dense at the start)?")
_AT = re.compile(r"at iterations? (?P<list>\d+(?:, ?\d+)*)")

GRAMMAR = (
    "'every [N] iterations|epochs [for N iterations|epochs]' (segments joined by ', then '; N may be x/lr), "
    "'N points', 'N points, dense at the start' or 'at iterations 0, 4, 120'"
)


def measurement_iterations(text: str, num_epochs: int, steps_per_epoch: int, lr: float) -> list[int]:
    """The iterations (completed updates) at which a run is measured.

    Args:
        text: The schedule; the grammar is ``GRAMMAR``. ``N points`` spreads them evenly from the first to the last
            iteration, ``dense at the start`` with distances that grow linearly. A number ``x/lr`` counts in units of
            1/lr iterations, the time scale on which curvature grows.
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
        if match[f"{name}_over_lr"]:
            number /= lr
        if match[f"{name}_unit"].startswith("epoch"):
            number *= steps_per_epoch
        return max(1, round(number))

    if match := _POINTS.fullmatch(text):
        count, power = int(match["count"]), 2 if match["dense"] else 1
        if count < 2:
            raise ConfigError(f"schedule {text!r}: at least 2 points")
        return sorted({round(last * (i / (count - 1)) ** power) for i in range(count)})
    if match := _AT.fullmatch(text):
        points = sorted({int(part) for part in match["list"].split(",")})
    else:
        points, start = [0], 0
        for segment in text.split(", then "):
            match = _EVERY.fullmatch(segment)
            if match is None:
                raise ConfigError(f"schedule {text!r} is not understood at {segment!r}; write {GRAMMAR}")
            end = start + iterations(match, "span") if match["span_unit"] else last
            step = iterations(match, "step")
            # multiples of the step, so that "then every epoch" falls on the starts of epochs
            points += range((start // step + 1) * step, end + 1, step)
            start = end
    if points[-1] > last:
        raise ConfigError(
            f"schedule {text!r}: iteration {points[-1]} lies outside the run, which ends at {last} "
            f"({num_epochs} epochs of {steps_per_epoch}); shorten the schedule or lengthen the run"
        )
    return points
