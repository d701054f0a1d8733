"""Wildcards of the rules. Snakemake scans their text for every file, so it stays short however many runs there are."""

import re
from collections.abc import Collection, Iterable

RUN = r"[^/]+-s\d+(?:@[^/]+/[^/]+)?"
"""The shape of the id of a run, of a branch as well; whether there is such a run, the settings say."""

_SEED = re.compile(r"(?<=-s)\d+(?=[@/])")


def curves_pattern(chosen: Collection[str], others: Iterable[str]) -> str:
    """A pattern for some ``<run>/<schedule>``: one for those that differ in their seed alone.

    Args:
        chosen: Those that match.
        others: Those that do not.
    """
    mixed = {_of_any_seed(curve) for curve in others} if chosen else set()
    patterns = {re.escape(curve) if (any_seed := _of_any_seed(curve)) in mixed else any_seed for curve in chosen}
    return "|".join(sorted(patterns)) or "(?!)"  # no text at all


def _of_any_seed(curve: str) -> str:
    return r"\d+".join(map(re.escape, _SEED.split(curve)))
