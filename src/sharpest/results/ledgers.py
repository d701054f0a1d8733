"""Paths of the verdicts on each ledger of claims, within the folder of a scale."""

from pathlib import Path

from sharpest.results.paths import Paths

PAPER, BEYOND = "claims", "beyond"
"""The paper's ledger, and the ledgers of all later papers together."""


def verdicts(paths: Paths, ledger: str, suffix: str) -> Path:
    """The verdicts on a ledger as ``csv`` or ``md``, and files beside them; the ledger may be a wildcard."""
    return paths.claims(suffix).with_name(f"{ledger}.{suffix}")
