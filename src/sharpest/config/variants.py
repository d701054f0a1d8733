"""The variants of the step of a branch, and their names in run ids."""

from __future__ import annotations

import re
from typing import Any

from sharpest.errors import ConfigError

NUMBER = r"\d+(?:\.\d+)?(?:e-?\d+)?"
PATTERN = rf"(?:lr|S|m){NUMBER}|(?:[a-z]+|x{NUMBER})(?:K\d{{1,18}})?"
"""Pattern of all names that may be variants."""

_PARTS = re.compile(
    rf"(?P<kind>lr|S|m|x)(?P<number>{NUMBER})(?:K(?P<x_count>\d+))?|(?P<word>[a-z]+)(?:K(?P<count>\d+))?"
)


def spelled(name: str) -> str:
    """The canonical spelling of a name that fits ``PATTERN``: no trailing zeros, no K for a single direction."""
    parts = _PARTS.fullmatch(name)
    assert parts is not None  # ensured by the caller
    if parts["kind"] is None:
        return parts["word"] + _counted(parts["count"])
    return f"{parts['kind']}{float(parts['number']):g}{_counted(parts['x_count'])}"


def number_of(name: str) -> float:
    """The number in the name of a variant; 0 if it has none."""
    parts = _PARTS.fullmatch(name)
    return float(parts["number"]) if parts and parts["number"] else 0.0


def intervention(name: str) -> tuple[str, float] | None:
    """The setting that a variant changes, ``lr``, ``S`` or ``m``, and its number; None for a variant of the step."""
    parts = _PARTS.fullmatch(name)
    return (parts["kind"], float(parts["number"])) if parts and parts["kind"] in ("lr", "S", "m") else None


def _counted(count: str | None) -> str:
    return "" if count is None or int(count) == 1 else f"K{int(count)}"


# scale along the top directions, scale of the rest, and whether the directions of the start are kept
_STEPS: dict[str, dict[str, Any]] = {
    "sgd": {"gamma": 1.0},
    "top": {"gamma": 1.0, "rest": 0.0},
    "ctop": {"gamma": 1.0, "rest": 0.0, "fixed": True},
    "notop": {"gamma": 0.0},
}


def variant(name: str) -> dict[str, Any]:
    """The scales of a variant of the step, and the number of top directions that they apply to.

    ``x<number>`` scales the step along these directions; ``_STEPS`` lists the other names. A suffix ``K<k>`` gives the
    number of directions.

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
    raise ConfigError(f"unknown variant {name!r}; {f'write it as {known!r}' if known else names}")
