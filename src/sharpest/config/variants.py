"""Variants of a run that branches can follow, by their name in run ids: of the step (Fig. 7), and of its settings."""

import re
from typing import Any

from sharpest.errors import ConfigError

NUMBER = r"\d+(?:\.\d+)?(?:e-?\d+)?"
PATTERN = rf"(?:lr|S|m){NUMBER}|(?:[a-z]+|x{NUMBER})(?:K\d{{1,18}})?"
"""Of every name that may be a variant."""

_PARTS = re.compile(
    rf"(?P<kind>lr|S|m|x)(?P<number>{NUMBER})(?:K(?P<x_count>\d+))?|(?P<word>[a-z]+)(?:K(?P<count>\d+))?"
)

# scale along the top directions, scale of the rest, and whether the directions of the start are kept
_STEPS: dict[str, dict[str, Any]] = {
    "sgd": {"gamma": 1.0},
    "top": {"gamma": 1.0, "rest": 0.0},
    "ctop": {"gamma": 1.0, "rest": 0.0, "fixed": True},
    "notop": {"gamma": 0.0},
}


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


def variant(name: str) -> dict[str, Any]:
    """The scales of a variant of the step, and how many of the top directions they are of.

    ``x<number>`` scales the step along them, the others are listed here; ``K<k>`` behind it says how many.

    Raises:
        ConfigError: If there is no such variant.
    """
    step, _, count = name.partition("K")
    directions = {"num_directions": int(count or 1)}
    if count and int(count) == 0:
        raise ConfigError(f"variant {name!r} scales no direction; write K<k> with k of at least 1")
    if step in _STEPS and not (step == "sgd" and count):
        return _STEPS[step] | directions
    if re.fullmatch(rf"x{NUMBER}", step) and float(step[1:]) not in (0, 1):
        return {"gamma": float(step[1:])} | directions
    known = {"x0": "notop", "x1": "sgd", "sgd": "sgd"}.get(step)
    if known:
        known += f"K{count}" if count and known != "sgd" else ""
    names = f"known: {', '.join(_STEPS)}, x<number>, each but sgd with K<k>, and lr<f>, S<f>, m<m>"
    raise ConfigError(f"variant {name!r} is not one; {f'write it as {known!r}' if known else names}")


def _counted(count: str | None) -> str:
    return "" if count is None or int(count) == 1 else f"K{int(count)}"
