"""Names of variants in run ids: their grammar, their one spelling, and the number in them."""

import re

NUMBER = r"\d+(?:\.\d+)?(?:e-?\d+)?"
PATTERN = rf"(?:lr|S|m){NUMBER}|(?:[a-z]+|x{NUMBER})(?:K\d{{1,18}})?"
"""Of every name that may be a variant."""

_PARTS = re.compile(
    rf"(?P<kind>lr|S|m|x)(?P<number>{NUMBER})(?:K(?P<x_count>\d+))?|(?P<word>[a-z]+)(?:K(?P<count>\d+))?"
)


def spelled(name: str) -> str:
    """The one spelling of a name that fits :data:`PATTERN`: no zeros behind a number, no K of one direction."""
    parts = _PARTS.fullmatch(name)
    assert parts is not None  # the caller's duty
    if parts["kind"] is None:
        return parts["word"] + _counted(parts["count"])
    return f"{parts['kind']}{float(parts['number']):g}{_counted(parts['x_count'])}"


def number_of(name: str) -> float:
    """The number of a variant, 0 of one that has none."""
    parts = _PARTS.fullmatch(name)
    return float(parts["number"]) if parts and parts["number"] else 0.0


def intervention(name: str) -> tuple[str, float] | None:
    """What a variant changes in the settings, ``lr``, ``S`` or ``m``, and its number; None of one of the step."""
    parts = _PARTS.fullmatch(name)
    return (parts["kind"], float(parts["number"])) if parts and parts["kind"] in ("lr", "S", "m") else None


def _counted(count: str | None) -> str:
    return "" if count is None or int(count) == 1 else f"K{int(count)}"
