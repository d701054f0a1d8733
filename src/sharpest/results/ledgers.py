"""Where the verdicts on each ledger of claims are, within the folder of a scale."""

from pathlib import Path

from sharpest.results.paths import Paths

PAPER, BEYOND = "claims", "beyond"
"""The paper's ledger, and those of later papers together."""


def verdicts(paths: Paths, ledger: str, suffix: str) -> Path:
    """The verdicts as ``csv`` or ``md``, and what is beside them; the name of the ledger may be a wildcard."""
    return paths.claims(suffix).with_name(f"{ledger}.{suffix}")
