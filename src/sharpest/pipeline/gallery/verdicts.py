"""Copies of the verdicts of a scale on all claims."""

from pathlib import Path

import pandas as pd

from sharpest.claims.report import chance_table, headline_table, read_judged
from sharpest.results.made import check_made
from sharpest.results.paths import Paths

CLAIMS = "claims"
_PAGE = "README.md"


def collect_claims(paths: Paths, gallery: Path) -> None:
    """Copy the verdicts of a scale into the gallery.

    Raises:
        StoreError: If a file of verdicts is missing or was changed.
    """
    folder = gallery / f"{CLAIMS}-{paths.folder.name}"
    folder.mkdir(parents=True, exist_ok=True)
    for path in (paths.claims("csv"), paths.claims("by_chance.csv"), paths.claims("by_seed.csv"), paths.claims("md")):
        name = _PAGE if path.suffix == ".md" else path.name
        check_made(path, paths)
        (folder / name).write_bytes(path.read_bytes())


def verdicts(gallery: Path) -> list[str]:
    """Lines of the index: the findings of each scale in the gallery, and the number that would hold by chance."""
    lines = []
    for folder in sorted(gallery.glob(f"{CLAIMS}-*")):
        table, chance = read_judged(folder / "claims.csv"), pd.read_csv(folder / "claims.by_chance.csv")
        seeds = int(table["seeds"].max())
        lines += [
            f"## Verdicts at {folder.name.partition('-')[2]}, {seeds} {'seed' if seeds == 1 else 'seeds'}",
            "",
            f"All claims with their numbers: [{folder.name}]({folder.name}/{_PAGE}).",
            "",
            headline_table(table),
            "",
            chance_table(chance[chance["item"] == "all"]),
            "",
        ]
    return lines
