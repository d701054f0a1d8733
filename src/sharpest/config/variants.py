"""Variants of the step for branches (Fig. 7), by their names in run ids."""

import re
from typing import Any

from sharpest.config.variant_names import NUMBER
from sharpest.errors import ConfigError

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
