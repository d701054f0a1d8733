"""The pages of the gallery: what a machine knows between two marks, what a reader found below them."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from sharpest.claims.report import claims_table
from sharpest.pipeline.fingerprint import changed_since
from sharpest.pipeline.gallery.entry import NOT_RUN, Entry, entries

PAGE = "README.md"
_MOST_MODULES = 6  # that are named
_BEGIN, _END = "<!-- written by: sharpest gallery -->", "<!-- the rest is written by hand -->"


def pages(gallery: Path, scripts: Path) -> dict[Path, str]:
    """Every page as it should be now, by its path; what stands below the mark is kept."""
    listed = entries(gallery)
    written = {gallery / PAGE: _index(listed, scripts)} | {
        entry.folder / PAGE: _entry_page(entry, scripts) for entry in listed
    }
    return {path: f"{_BEGIN}\n{text}\n{_END}\n{_by_hand(path)}" for path, text in written.items()}


def _by_hand(path: Path) -> str:
    return path.read_text(encoding="utf-8").partition(f"{_END}\n")[2] if path.exists() else ""


def _index(listed: Sequence[Entry], scripts: Path) -> str:
    rows = []
    for entry in listed:
        made, (held, judged) = entry.made, held_of(entry.claims)
        rows.append(
            f"| [{made.title}]({made.study}/{PAGE}) | {made.scale} | {', '.join(made.data)} | {held} of {judged} | "
            f"{sum(made.minutes.values()):.0f} | {_commits(entry)} | {_age(entry, scripts)} |"
        )
    held, judged = map(sum, zip(*(held_of(entry.claims) for entry in listed), strict=True)) if listed else (0, 0)
    return "\n".join([
        "# Gallery",
        "",
        "| | scale | data | scale-free claims that hold | minutes of one core | made by commit | its code since then |",
        "|---|---|---|---|---|---|---|",
        *rows,
        "",
        f"In all, {held} of the {judged} scale-free claims that were judged hold. A claim that asks for runs that are "
        "not here is not counted; an inconclusive one is counted as not holding.",
    ])  # fmt: skip


def _entry_page(entry: Entry, scripts: Path) -> str:
    made, claims = entry.made, entry.claims
    picture, table = entry.kept(".png"), entry.kept(".md")
    held, judged = held_of(claims)
    measured = claims[claims["verdict"] != NOT_RUN]
    missing = claims[claims["verdict"] == NOT_RUN]["id"]
    points = entry.kept(".csv")
    digest = made.sha256[f"{made.study}.csv"]
    rows = {
        "command": f"`{made.command}`",
        "data": ", ".join(made.data),
        "runs": ", ".join(f"`{run}`" for run in made.runs),
        "minutes of one core": ", ".join(f"{minutes:g} {what}" for what, minutes in made.minutes.items()),
        "made by": f"commit {_commits(entry)}, {' and '.join(made.days)}; {', '.join(made.packages)}; "
        + ", ".join(made.devices),
        "its code since then": _age(entry, scripts),
        "numbers": (f"[{points.name}]({points.name})" if points else "not kept, too large") + f", SHA-256 `{digest}`",
    }
    parts = [
        f"# {made.title}",
        f"![{made.title}]({picture.name})" if picture else "",
        # a table's own text has its caption above it and what is reduced below it
        table.read_text(encoding="utf-8").strip() if table else f"*{made.caption}*",
        "\n".join(["| | |", "|---|---|", *(f"| {what} | {text} |" for what, text in rows.items())]),
        "" if table else f"Against the paper: {made.foot}",
        "## Claims",
        f"{held} of {judged} scale-free claims hold. How verdicts are reached: [claims.md](../../claims.md).",
        _claims_table(measured),
        "Not run: " + ", ".join(f"`{name}`" for name in missing) + "." if len(missing) else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def held_of(claims: pd.DataFrame) -> tuple[int, int]:
    """How many scale-free claims hold, of how many that were judged."""
    judged = claims[(claims["any_scale"] == "yes") & (claims["verdict"] != NOT_RUN)]
    return int((judged["verdict"] == "holds").sum()), len(judged)


def _claims_table(claims: pd.DataFrame) -> str:
    numbers = claims.assign(**{name: pd.to_numeric(claims[name]) for name in ("value", "spread")})
    return claims_table(numbers) if len(claims) else ""


def _commits(entry: Entry) -> str:
    return ", ".join(f"{commit[:10]}{'+' * commit.endswith('+')}" for commit in entry.made.commits)


def _age(entry: Entry, scripts: Path) -> str:
    changed = changed_since(entry.made.code, scripts)
    if len(changed) > _MOST_MODULES:
        return f"changed: {len(changed)} of {len(entry.made.code)} modules"
    return f"changed: {', '.join(changed)}" if changed else "unchanged"
