"""Variants of the step that branches can follow, by their name in run ids (Fig. 7)."""

from typing import Any

from sharpest.errors import ConfigError

# scale along the top direction, scale of the rest, and whether the direction of the start is kept
_VARIANTS: dict[str, dict[str, Any]] = {
    "sgd": {"gamma": 1.0},
    "top": {"gamma": 1.0, "rest": 0.0},
    "ctop": {"gamma": 1.0, "rest": 0.0, "fixed": True},
    "notop": {"gamma": 0.0},
}


def variant(name: str) -> dict[str, Any]:
    """The scales of a variant: ``x<number>`` scales the top direction, the others are listed here.

    Raises:
        ConfigError: If there is no such variant.
    """
    if name in _VARIANTS:
        return _VARIANTS[name]
    if name[:1] == "x" and float(name[1:]) not in (0, 1):
        return {"gamma": float(name[1:])}
    known = {"x0": "notop", "x1": "sgd"}.get(name)
    hint = f"write it as {known!r}" if known else f"known: {', '.join(_VARIANTS)}, and x<number>"
    raise ConfigError(f"variant {name!r} is not one; {hint}")
