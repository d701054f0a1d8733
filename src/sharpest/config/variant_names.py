"""Names of variants in run ids: their grammar, canonical spelling, and number."""

import re

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
