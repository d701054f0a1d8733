"""Wildcard patterns of the rules. Snakemake matches them against every file, so they stay short for many runs."""

import re
from collections.abc import Collection, Iterable

RUN = r"[^/]+-s\d+(?:@[^/]+/[^/]+)?"
"""Matches the form of a run id, including branches; whether the run exists is checked in the settings."""

_NOTHING = "(?!)"
_SEED = re.compile(r"(?<=-s)\d+(?=[@/])")


def one_of(names: Iterable[str]) -> str:
    """A pattern that matches only these names."""
    return "|".join(map(re.escape, names)) or _NOTHING


def but(names: Collection[str], pattern: str) -> str:
    """A pattern that matches what another one does, except some names."""
    return f"(?!(?:{one_of(names)})[/.])(?:{pattern})" if names else pattern


def curves_pattern(chosen: Collection[str], others: Iterable[str]) -> str:
    """A pattern for some ``<run>/<schedule>``, with one alternative for all that differ only in their seed.

    Args:
        chosen: Curves that must match.
        others: Curves that must not match.
    """
    mixed = {_of_any_seed(curve) for curve in others} if chosen else set()
    patterns = {re.escape(curve) if (any_seed := _of_any_seed(curve)) in mixed else any_seed for curve in chosen}
    return "|".join(sorted(patterns)) or _NOTHING


def _of_any_seed(curve: str) -> str:
    return r"\d+".join(map(re.escape, _SEED.split(curve)))
